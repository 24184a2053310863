//! `clipmill doctor`

use std::path::PathBuf;

use clap::Args;

use super::common::{Exit, print, table};
use crate::audit::doctor::{self, Check, Level};
#[cfg(feature = "media")]
use crate::audit::gpus;
use crate::cluster;
use crate::config::{Distribution, MpiMode};

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Also try the file system of this output folder
    #[arg(long, value_name = "OUTPUT")]
    pub output: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// 0: a job can run here; 1: something is broken.
pub fn run(args: DoctorArgs) -> Exit {
    let defaults = Distribution::default();
    let mut checks = placement(defaults.memory_budget);
    checks.push(doctor::open_files(defaults.thread_count));
    checks.push(doctor::proxies());
    checks.push(doctor::sites());
    #[cfg(feature = "media")]
    {
        checks.push(doctor::media_workers());
        checks.extend(gpus::checks());
    }
    if let Some(output) = &args.output {
        checks.extend(doctor::output_semantics(output));
    }
    let printed = if args.json {
        print(&(serde_json::to_string_pretty(&checks).unwrap_or_default() + "\n"))
    } else {
        print(&table(&checks.iter().map(row).collect::<Vec<_>>()))
    };
    let worst = checks.iter().map(|check| check.level).max().unwrap_or(Level::Ok);
    if worst == Level::Failure { Exit::Failure } else { printed }
}

/// Launcher, MPI, scratch: what a run started from here would see.
fn placement(memory_budget: u64) -> Vec<Check> {
    match cluster::detect(None, MpiMode::Auto, None) {
        Err(error) => vec![Check::failure("placement", error.to_string(), "start clipmill as its launcher wants it")],
        Ok((placement, session, warnings)) => {
            let mut checks = vec![Check::ok("placement", placement.to_string())];
            checks.push(match &session {
                Some(session) => Check::ok("mpi", format!("{}, {} ranks", session.library(), session.size())),
                None => Check::ok("mpi", "not in use: no launcher offers it here, and none is needed"),
            });
            checks.extend(warnings.iter().map(|warning| Check::warning("launcher", warning.message(), "")));
            checks.push(doctor::scratch(&placement.scratch, memory_budget));
            if let Some(session) = session {
                session.finish(0, std::time::Duration::from_secs(10));
            }
            checks
        }
    }
}

fn row(check: &Check) -> Vec<String> {
    let level = match check.level {
        Level::Ok => "ok",
        Level::Warning => "WARNING",
        Level::Failure => "FAILED",
    };
    let detail =
        if check.remedy.is_empty() { check.detail.clone() } else { format!("{} -> {}", check.detail, check.remedy) };
    vec![level.into(), check.name.clone(), detail]
}
