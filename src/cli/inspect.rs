//! `clipmill inspect SHARD`

use std::path::PathBuf;

use clap::Args;
use indicatif::HumanBytes;
use serde_json::Value;

use super::common::{Exit, complain, print, table};
use crate::audit::{SampleEntry, inspect};

#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A shard's file: `.tar`, `.h5` or `.tfrecord`
    pub shard: PathBuf,
    /// One JSON object per line instead of a table
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: InspectArgs) -> Exit {
    match inspect(&args.shard) {
        Err(error) => {
            complain(&error);
            Exit::Failure
        }
        Ok(samples) if args.json => {
            let line = |sample| serde_json::to_string(sample).map(|text| text + "\n");
            match samples.iter().map(line).collect::<Result<String, _>>() {
                Ok(text) => print(&text),
                Err(error) => {
                    complain(&error);
                    Exit::Failure
                }
            }
        }
        Ok(samples) => {
            let header = ["key", "status", "members", "url", "error"].map(String::from).to_vec();
            let rows: Vec<_> = std::iter::once(header).chain(samples.iter().map(row)).collect();
            print(&table(&rows))
        }
    }
}

fn row(sample: &SampleEntry) -> Vec<String> {
    let text = |field: &str| match sample.meta.get(field) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let members: Vec<String> = sample.members.iter().map(|(ext, len)| format!("{ext} {}", HumanBytes(*len))).collect();
    vec![sample.key.clone(), text("status"), members.join(", "), text("url"), text("error_message")]
}
