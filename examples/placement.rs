//! Prints who this process is, tries every MPI operation, and ends with the exit code that all ranks agree on. A tool
//! to see what a launcher gives: `srun --mpi=pmix target/debug/examples/placement`.
//!
//! Arguments: `--mpi auto|off|required`, `--rank I --world N`, `--code N` (this rank's own exit code),
//! `--patience SECONDS` for each operation, `--hold SECONDS` before the end, `--settle` before that. Cargo puts the helper into another folder:
//! name it in CLIPMILL_MPI_HELPER.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clipmill::cluster::{self, MpiSession};
use clipmill::config::MpiMode;

type Problem = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<u8, Problem> {
    let mode = match option("--mpi")?.as_deref() {
        None | Some("auto") => MpiMode::Auto,
        Some("off") => MpiMode::Off,
        Some("required") => MpiMode::Required,
        Some(other) => return Err(format!("--mpi {other}?").into()),
    };
    let flags = match (number("--rank")?, number("--world")?) {
        (Some(rank), Some(world)) => Some((rank, world)),
        _ => None,
    };
    let code = u8::try_from(number("--code")?.unwrap_or(0))?;
    let patience = Duration::from_secs(number("--patience")?.unwrap_or(20).into());
    let (placement, session, warnings) = cluster::detect(flags, mode, None)?;
    for warning in warnings {
        tell(&format!("warning: {warning}"));
    }
    tell(&placement.to_string());
    println!("{}", serde_json::to_string(&placement)?);
    let Some(mut session) = session else { return Ok(code) };
    if let Err(error) = talk(&mut session, placement.rank, patience) {
        eprintln!("mpi: {error}");
    }
    if std::env::args().any(|arg| arg == "--settle") {
        println!("rank {}: goes on with mpi {}", placement.rank, session.settle(patience));
    }
    std::thread::sleep(Duration::from_secs(number("--hold")?.unwrap_or(0).into()));
    let agreed = session.finish(code, patience);
    println!("rank {}: agreed on {agreed}", placement.rank);
    Ok(agreed)
}

/// A line on stderr in one write: the ranks share it, and `eprintln!` writes piece by piece.
fn tell(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

fn talk(session: &mut MpiSession, rank: u32, patience: Duration) -> Result<(), Problem> {
    let big = vec![7; 3 << 20];
    let got = session.broadcast(&big, patience)?;
    session.barrier(patience)?;
    let mine = format!("rank {rank}").repeat(rank as usize);
    let all = session.gather(mine.as_bytes(), patience)?;
    let lengths: Vec<_> = all.iter().map(Vec::len).collect();
    println!("rank {rank}: broadcast {} bytes, equal {}, gathered {lengths:?}", got.len(), got == big);
    Ok(())
}

fn option(name: &str) -> Result<Option<String>, Problem> {
    let mut args = std::env::args().skip_while(|arg| arg != name);
    match (args.next(), args.next()) {
        (Some(_), None) => Err(format!("{name} needs a value").into()),
        (_, value) => Ok(value),
    }
}

fn number(name: &str) -> Result<Option<u32>, Problem> {
    Ok(option(name)?.map(|value| value.parse()).transpose()?)
}
