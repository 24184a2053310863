//! `clipmill plan CONFIG`

use clap::Args;

use super::common::{Exit, complain, load, print};
use super::config::Given;
use crate::job::{PlanSummary, summarize};

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
        Ok(summary) if args.json => print(&(serde_json::to_string_pretty(&summary).unwrap_or_default() + "\n")),
        Ok(summary) => print(&describe(&summary)),
    }
}

fn describe(summary: &PlanSummary) -> String {
    let mut text = String::new();
    for input in &summary.inputs {
        text += &format!("{}: {} rows, {} shards\n", input.path, input.rows, input.shards);
    }
    text += &format!(
        "{} rows in {} shards of up to {}; {} rows cannot be fetched as they stand\n",
        summary.rows, summary.shards, summary.rows_per_shard, summary.bad_rows
    );
    text += "passes: packets copied as fetched (no decode, no encode)\n";
    text
}
