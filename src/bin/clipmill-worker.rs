//! The worker program: makes of one sample at a time what its rank asks for. Started by clipmill, of no use on its own.

use std::process::ExitCode;

use clipmill::mill::worker::serve;
use clipmill::subsample::run::Maker;

fn main() -> ExitCode {
    match serve(Maker::new) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("clipmill-worker: {error}");
            ExitCode::FAILURE
        }
    }
}
