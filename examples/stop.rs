//! Prints every rise of the stop level, and ends with 75 on a drain that nobody hurried, 1 on "now". A tool to see what
//! a launcher does with signals.
//!
//! Arguments: seconds that the drain takes (default 1).

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clipmill::cluster::{self, Level, Stop, deadline, signals};
use clipmill::config::MpiMode;

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let drain = Duration::from_secs_f64(std::env::args().nth(1).unwrap_or_else(|| "1".into()).parse()?);
    let stop = Stop::new();
    signals::install(&stop)?;
    let (placement, _session, _) = cluster::detect(None, MpiMode::Off, None)?;
    deadline::watch(&stop, &placement, Duration::from_secs(60))?;
    println!("ready");
    while !stop.wait(Level::Drain, Duration::from_secs(600)) {}
    say(&stop);
    if stop.wait(Level::Now, drain) {
        say(&stop);
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::from(75))
}

fn say(stop: &Stop) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    println!("{now} {:?}: {}", stop.level(), stop.reason().unwrap_or_default());
}
