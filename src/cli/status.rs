//! `clipmill status OUTPUT`

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indicatif::{HumanBytes, HumanCount, HumanDuration};

use super::common::{Exit, complain, print, table, try_print};
use crate::audit::{StatusReport, status};
use crate::ledger::Plan;
use crate::ledger::storage::LocalStorage;
use crate::sample::Usage;

/// What stands among the causes and is none.
const NO_FAILURE: [&str; 2] = ["success", "filtered"];

/// Seconds between looks with `--watch`: reads one folder and the commit records.
const WATCH_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The job's output folder
    pub output: PathBuf,
    /// Look again every 10 s until the plan is complete
    #[arg(long)]
    pub watch: bool,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// 0: complete; 75: work left.
pub fn run(args: StatusArgs) -> Exit {
    loop {
        let report = match look(&args.output) {
            Ok(report) => report,
            Err(exit) => return exit,
        };
        let text = if args.json {
            serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"
        } else {
            describe(&report)
        };
        if args.watch && !args.json && std::io::stdout().is_terminal() {
            // Home, clear to the end: the terminal shows one report, not a roll of them.
            print("\x1b[H\x1b[J");
        }
        let read = match try_print(&text) {
            Ok(read) => read,
            Err(exit) => return exit,
        };
        let complete = report.committed == report.shards;
        if complete || !args.watch || !read {
            return if complete { Exit::Complete } else { Exit::WorkLeft };
        }
        std::thread::sleep(WATCH_EVERY);
    }
}

fn look(output: &Path) -> Result<StatusReport, Exit> {
    let storage = LocalStorage::new(output);
    let failed = |error: &dyn std::error::Error| {
        complain(error);
        Exit::Failure
    };
    match Plan::load(&storage) {
        Err(error) => Err(failed(&error)),
        Ok(None) => {
            eprintln!("error: {} holds no clipmill plan (yet)", output.display());
            Err(Exit::Usage)
        }
        Ok(Some(plan)) => status(output, &storage, &plan).map_err(|error| failed(&error)),
    }
}

fn describe(report: &StatusReport) -> String {
    let rows = match report.rows_known {
        true => format!("{} of {}", HumanCount(report.rows_done), HumanCount(report.rows)),
        false => format!("{} in committed shards", HumanCount(report.rows_done)),
    };
    let share = 100.0 * report.rows_done as f64 / (report.rows.max(1)) as f64;
    let share = if report.rows_known { format!(" ({share:.1} %)") } else { String::new() };
    let mut text = format!(
        "shards   {} of {} committed, {} open\nrows     {rows}{share}, {} succeeded, {} failed{}\n",
        HumanCount(report.committed),
        HumanCount(report.shards),
        report.running.iter().filter(|lease| !lease.released).count(),
        HumanCount(report.successes),
        HumanCount(report.failed),
        filtered(report.filtered),
    );
    if report.seconds > 0.0 {
        let rate = |n: u64| n as f64 / report.seconds;
        text += &format!(
            "so far   {} in {}: {:.1} rows/s, {}/s\n",
            HumanBytes(report.bytes),
            elapsed(report.seconds),
            rate(report.rows_done),
            HumanBytes(rate(report.bytes) as u64),
        );
    }
    text += &gpu(&report.gpu);
    if report.failed > 0 {
        let mut causes: Vec<_> =
            report.causes.iter().filter(|(cause, _)| !NO_FAILURE.contains(&cause.as_str())).collect();
        causes.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
        let rows: Vec<_> =
            causes.iter().map(|(cause, n)| vec!["failed ".into(), n.to_string(), cause.to_string()]).collect();
        text += &table(&rows);
    }
    if report.retryable > 0 {
        text +=
            &format!("retry    {} rows may pass: run again with -o incremental_mode=retry_failed\n", report.retryable);
    }
    for lease in &report.running {
        let state = if lease.released { "released" } else { "open" };
        text += &format!(
            "{state:8} {} row {}{}, attempt {}, rank {} on {}{}\n",
            lease.shard,
            lease.rows_done,
            if report.rows_known { format!(" of {}", lease.rows) } else { String::new() },
            lease.attempt,
            lease.rank,
            lease.host,
            lease.job.as_ref().map(|job| format!(" ({job})")).unwrap_or_default()
        );
    }
    for name in &report.damaged {
        text += &format!("damaged  {name}_stats.json is not a whole commit record; the next run redoes the shard\n");
    }
    text
}

/// What of the work went to GPUs, where the job wanted one.
fn gpu(usage: &Usage) -> String {
    let mut text = String::new();
    if usage.flow_on_gpu + usage.flow_on_cpu > 0 {
        text += &format!("flow     {} rows on a GPU, {} on the CPU\n", usage.flow_on_gpu, usage.flow_on_cpu);
    }
    if usage.decoded_on_gpu + usage.decoded_on_cpu > 0 {
        text += &format!("decoded  {} rows by NVDEC, {} in software\n", usage.decoded_on_gpu, usage.decoded_on_cpu);
    }
    for (reason, rows) in &usage.reasons {
        text += &format!("cpu      {rows} rows: {reason}\n");
    }
    if usage.halved_batches > 0 {
        text += &format!("gpu      memory was short: {} batches were halved\n", usage.halved_batches);
    }
    if usage.gpus_lost > 0 {
        text += &format!("gpu      lost {} times; the samples at work were tried once more\n", usage.gpus_lost);
    }
    text
}

fn filtered(rows: u64) -> String {
    if rows > 0 { format!(", {} filtered", HumanCount(rows)) } else { String::new() }
}

fn elapsed(seconds: f64) -> String {
    if seconds < 60.0 { format!("{seconds:.1} s") } else { HumanDuration(Duration::from_secs_f64(seconds)).to_string() }
}
