//! `clipmill plan CONFIG`

use clap::Args;
use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use super::common::{Exit, complain, load, print};
use super::config::Given;
use crate::audit::status;
use crate::config::{Config, OutputFormat};
use crate::job::{PlanSummary, recipe, summarize};
use crate::ledger::Plan;
use crate::ledger::storage::LocalStorage;
use crate::subsample::Passes;

#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub config: Given,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: PlanArgs) -> Exit {
    let loaded = match load(&args.config) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    match summarize(&loaded.config) {
        Err(error) => {
            complain(&error);
            Exit::Usage
        }
        Ok(summary) => {
            let passes = Passes::of(&recipe(&loaded.config)).to_string();
            let projection = project(&loaded.config, summary.rows);
            if args.json {
                let report = Report { summary: &summary, passes, projection };
                print(&(serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"))
            } else {
                let (format, projection) = (describe_format(&loaded.config), describe_projection(projection.as_ref()));
                print(&(describe(&summary) + &format + &format!("passes: {passes}\n") + &projection))
            }
        }
    }
}

/// The summary, and what it would take by the shards that the output folder holds already.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    summary: &'a PlanSummary,
    /// What is decoded and encoded of each video.
    passes: String,
    projection: Option<Projection>,
}

#[derive(Serialize)]
struct Projection {
    bytes: u64,
    node_hours: f64,
    /// Rows that it goes by.
    from_rows: u64,
}

/// Goes by what a run into the same folder has done; a folder that cannot be read gives no projection.
fn project(config: &Config, rows: u64) -> Option<Projection> {
    let output = &config.job.output_folder;
    let storage = LocalStorage::new(output);
    let plan = Plan::load(&storage).ok()??;
    let done = status(output, &storage, &plan).ok()?;
    let (bytes, node_hours) = done.project(rows)?;
    Some(Projection { bytes, node_hours, from_rows: done.rows_done })
}

fn describe_projection(projection: Option<&Projection>) -> String {
    match projection {
        Some(projection) => format!(
            "projected from the {} rows that are done: {}, {:.2} node-hours in all\n",
            HumanCount(projection.from_rows),
            HumanBytes(projection.bytes),
            projection.node_hours
        ),
        None => "bytes and node-hours: unknown before the first shards are in output_folder\n".into(),
    }
}

/// Nothing where shards are tars.
fn describe_format(config: &Config) -> String {
    match (config.job.output_format, config.job.output_format.suffix()) {
        (OutputFormat::Webdataset, _) => String::new(),
        (_, Some(suffix)) => format!("shards are .{suffix} files, which no later job can read\n"),
        (_, None) => "no samples are kept, only the counts\n".into(),
    }
}

fn describe(summary: &PlanSummary) -> String {
    let mut text = String::new();
    if !summary.rows_known {
        for input in &summary.inputs {
            text += &format!("{}\n", input.path);
        }
        text += &format!("{} tars become one shard each; samples are counted as each is opened\n", summary.shards);
        return text;
    }
    for input in &summary.inputs {
        text += &format!("{}: {} rows, {} shards\n", input.path, input.rows, input.shards);
    }
    text += &format!(
        "{} rows in {} shards of up to {}; {} rows cannot be fetched as they stand\n",
        summary.rows, summary.shards, summary.rows_per_shard, summary.bad_rows
    );
    text
}
