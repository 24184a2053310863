//! The media worker: see `src/mill`.

use std::process::ExitCode;

use clipmill::mill::worker::{Handler, Made, Task, serve};
use clipmill::sample::{Failure, FailureClass};

/// Knows no subsampler.
struct Nothing;

impl Handler for Nothing {
    fn handle(&mut self, _: Task<'_>) -> Result<Vec<Made>, Failure> {
        Err(Failure::new(FailureClass::DecoderCrash, "this worker was built without subsamplers"))
    }
}

fn main() -> ExitCode {
    match serve(|_, _| Nothing) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("clipmill-worker: {error}");
            ExitCode::FAILURE
        }
    }
}
