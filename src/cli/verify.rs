//! `clipmill verify OUTPUT`

use std::path::PathBuf;

use clap::Args;
use indicatif::HumanBytes;

use super::common::{Exit, complain, print};
use crate::audit;
use crate::ledger::Plan;
use crate::ledger::storage::LocalStorage;

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The job's output folder
    pub output: PathBuf,
    /// Also read every checksum, tar member and sidecar row, and decode every clip that was made
    #[arg(long)]
    pub full: bool,
    /// The whole report as JSON
    #[arg(long)]
    pub json: bool,
}

/// 0: all that is committed is sound; 75: sound so far, but shards are missing; 1: damage.
pub fn run(args: VerifyArgs) -> Exit {
    let storage = LocalStorage::new(&args.output);
    let plan = match Plan::load(&storage) {
        Ok(Some(plan)) => plan,
        Ok(None) => {
            eprintln!("error: {} holds no clipmill plan; nothing to verify", args.output.display());
            return Exit::Usage;
        }
        Err(error) => {
            complain(&error);
            return Exit::Failure;
        }
    };
    let mut report = audit::verify(&args.output, &plan, args.full);
    if args.full
        && let Err(exit) = decode(&args, &plan, &mut report)
    {
        return exit;
    }
    let printed = if args.json {
        print(&(serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"))
    } else {
        let mut text: String = report.findings.iter().map(|f| format!("{} {}\n", f.file, f.what)).collect();
        text += &format!(
            "{} of {} shards committed, {} rows ({} successes), {}; {}: {}\n",
            report.committed,
            report.shards,
            report.rows,
            report.successes,
            HumanBytes(report.bytes),
            checked(&args),
            if report.findings.is_empty() { "sound".into() } else { format!("{} findings", report.findings.len()) },
        );
        print(&text)
    };
    match (printed, report.findings.is_empty(), report.committed == report.shards) {
        (Exit::Complete, true, true) => Exit::Complete,
        (Exit::Complete, true, false) => Exit::WorkLeft,
        _ => Exit::Failure,
    }
}

fn checked(args: &VerifyArgs) -> &'static str {
    match (args.full, cfg!(feature = "media")) {
        (true, true) => "every byte checked, every clip decoded",
        (true, false) => "every byte checked (this build cannot decode clips)",
        (false, _) => "sizes checked",
    }
}

/// Decodes the clips of the shards that are sound otherwise.
#[cfg(feature = "media")]
fn decode(args: &VerifyArgs, plan: &Plan, report: &mut audit::VerifyReport) -> Result<(), Exit> {
    let is_damaged = |name: &String| report.findings.iter().any(|finding| finding.file.starts_with(name.as_str()));
    let is_there = |name: &String| args.output.join(format!("{name}_stats.json")).is_file();
    let names = (0..plan.shards()).map(|shard| plan.shard_name(shard));
    let shards: Vec<String> = names.filter(is_there).filter(|name| !is_damaged(name)).collect();
    let workers = std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1));
    match audit::media::check(&args.output, &shards, workers) {
        Ok(findings) => {
            report.findings.extend(findings);
            Ok(())
        }
        Err(error) => {
            complain(&error);
            Err(Exit::Failure)
        }
    }
}

#[cfg(not(feature = "media"))]
fn decode(_: &VerifyArgs, _: &Plan, _: &mut audit::VerifyReport) -> Result<(), Exit> {
    Ok(())
}
