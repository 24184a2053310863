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
    /// Also read every checksum, tar member and sidecar row
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
    let report = audit::verify(&args.output, &plan, args.full);
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
            if args.full { "every byte checked" } else { "sizes checked" },
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
