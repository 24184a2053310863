//! `clipmill site-guard`: what a rank starts for each run of yt-dlp. Not for people.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::fetch::supervise;

#[derive(Debug, Args)]
pub struct SiteGuardArgs {
    /// The sample's folder, which is removed at the end
    folder: PathBuf,
    /// Bytes that a file may have
    file_bytes: u64,
    /// yt-dlp
    program: PathBuf,
    /// Its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// This program, the command, the folder, the bytes, yt-dlp.
const BEFORE_ARGUMENTS: usize = 5;

/// The program's own exit code, or 128 and its signal.
pub fn run(args: &SiteGuardArgs) -> ExitCode {
    // A `--` among them is yt-dlp's, and must not be taken for one of ours.
    let arguments: Vec<OsString> = std::env::args_os().skip(BEFORE_ARGUMENTS).collect();
    let code = supervise(&args.folder, args.file_bytes, &args.program, &arguments);
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}
