//! Whether a run still is the one that was planned.

use std::collections::BTreeSet;
use std::fmt;

use super::{InputFingerprint, Plan, PlanSpec};

/// Everything in which a run differs from the plan of its output folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// One line each: `storage.number_sample_per_shard: planned 1000, now 500`.
    pub differences: Vec<String>,
}

impl std::error::Error for Mismatch {}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "output_folder was planned for another run:")?;
        for difference in &self.differences {
            writeln!(f, "  {difference}")?;
        }
        f.write_str(
            "choose another output_folder, or set incremental_mode: overwrite to start over, \
             or, where only rows or files were added at the end, incremental_mode: extend",
        )
    }
}

/// Longest value shown in a difference, characters.
const SHOWN: usize = 120;

fn difference(out: &mut Vec<String>, what: &str, planned: &str, now: &str) {
    if planned != now {
        out.push(format!("{what}: planned {}, now {}", short(planned), short(now)));
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Differences in all but the inputs.
pub(super) fn spec(plan: &Plan, now: &PlanSpec) -> Vec<String> {
    let mut out = Vec::new();
    let planned = &plan.file;
    let number = |value: u32| value.to_string();
    difference(
        &mut out,
        "storage.number_sample_per_shard",
        &number(planned.number_sample_per_shard),
        &number(now.number_sample_per_shard),
    );
    difference(&mut out, "storage.oom_shard_count", &number(planned.oom_shard_count), &number(now.oom_shard_count));
    let join = |names: Vec<&str>| names.join(", ");
    difference(
        &mut out,
        "columns",
        &join(planned.columns.iter().map(|column| column.name.as_str()).collect()),
        &join(now.columns.iter().map(|column| column.name.as_str()).collect()),
    );
    let parts: BTreeSet<&String> = planned.config.keys().chain(now.config.keys()).collect();
    let value = |text: Option<&String>| text.map_or("absent".to_owned(), Clone::clone);
    for part in parts {
        difference(&mut out, part, &value(planned.config.get(part)), &value(now.config.get(part)));
    }
    out
}

/// Differences in the inputs that both have.
pub(super) fn common_inputs(plan: &Plan, now: &[InputFingerprint]) -> Vec<String> {
    let pairs = plan.inputs().iter().zip(now);
    pairs
        .filter_map(|(planned, now)| {
            let what = planned.fingerprint.differs(now)?;
            // The same content under another name is the same input: the folder may be mounted elsewhere.
            let name = if planned.fingerprint.path == now.path {
                now.path.clone()
            } else {
                format!("{} (planned as {})", now.path, planned.fingerprint.path)
            };
            Some(format!("input {name}: {what}"))
        })
        .collect()
}

/// All differences.
pub(super) fn all(plan: &Plan, now: &PlanSpec, inputs: &[InputFingerprint]) -> Result<(), Mismatch> {
    let mut differences = spec(plan, now);
    differences.extend(common_inputs(plan, inputs));
    let planned = plan.inputs();
    for gone in planned.iter().skip(inputs.len()) {
        differences.push(format!("input {}: planned, now absent", gone.fingerprint.path));
    }
    for added in inputs.iter().skip(planned.len()) {
        differences.push(format!("input {}: not planned", added.path));
    }
    if differences.is_empty() { Ok(()) } else { Err(Mismatch { differences }) }
}
