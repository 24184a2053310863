//! Making a plan the plan.
//!
//! Each revision can be claimed once, exclusively; the claim then becomes plan.json. A planner that lost its turn and
//! wakes up late finds its revision claimed, or published, and can only lose. Rows of other planners are removed after
//! publishing, never before: until then any of them may still win.

use std::io::Write;

use super::{Plan, PlanFile};
use crate::ledger::error::{LedgerError, Result};
use crate::ledger::names;
use crate::ledger::storage::{Op, Storage, StorageError, found, made};

fn claim_path(revision: u32) -> String {
    format!("{}/revision-{revision}.json", names::PLAN_DIR)
}

pub(super) fn segment_name(revision: u32, writer: &str, number: usize) -> String {
    format!("rows-{revision}-{writer}-{number:05}.seg")
}

/// The revision that a file of the plan folder belongs to.
fn revision_of(file: &str) -> Option<u32> {
    let rest = ["rows-", "plan-", "revision-", "probe-"].iter().find_map(|prefix| file.strip_prefix(prefix))?;
    let end = rest.find(|letter: char| !letter.is_ascii_digit())?;
    rest.get(..end)?.parse().ok()
}

/// Publishes a plan whose segments are written; the error [`LedgerError::PlannedByAnother`] if another was first.
pub(super) fn publish(storage: &dyn Storage, file: PlanFile) -> Result<Plan> {
    let json = serde_json::to_vec_pretty(&file).map_err(|source| LedgerError::Json { what: "the plan", source })?;
    let draft = format!("{}/plan-{}-{}.json", names::PLAN_DIR, file.revision, file.writer);
    let mut out = storage.create_new(&draft)?;
    out.write_all(&json).map_err(|error| StorageError::new(Op::Write, &draft, error))?;
    out.sync_data().map_err(|error| StorageError::new(Op::Sync, &draft, error))?;
    drop(out);
    storage.sync_dir(names::PLAN_DIR)?;
    made(storage.link(&draft, &claim_path(file.revision)))?;
    roll_forward(storage, file.revision)?;
    match Plan::load(storage)? {
        Some(plan) if plan.file.writer == file.writer => {
            clean_up(storage, &plan)?;
            Ok(plan)
        }
        _ => {
            discard(storage, &file)?;
            Err(LedgerError::PlannedByAnother)
        }
    }
}

/// Finishes the claim on a revision, if there is one.
pub(super) fn roll_forward(storage: &dyn Storage, revision: u32) -> Result<()> {
    let claim = claim_path(revision);
    if found(storage.size(&claim))?.is_none() {
        return Ok(());
    }
    storage.sync_dir(names::PLAN_DIR)?;
    storage.refresh_dir(names::HOME)?;
    let published = Plan::load(storage)?.is_some_and(|plan| plan.revision() >= revision);
    if published {
        found(storage.remove(&claim))?;
    } else {
        found(storage.rename(&claim, names::PLAN_FILE))?;
    }
    storage.sync_dir(names::HOME).map_err(Into::into)
}

/// Removes the own files of a planner that lost.
fn discard(storage: &dyn Storage, file: &PlanFile) -> Result<()> {
    for name in storage.list(names::PLAN_DIR)? {
        if name.contains(&file.writer) {
            found(storage.remove(&format!("{}/{name}", names::PLAN_DIR)))?;
        }
    }
    Ok(())
}

/// Removes what planners of this revision, and those before, left behind.
pub(super) fn clean_up(storage: &dyn Storage, plan: &Plan) -> Result<()> {
    for name in storage.list(names::PLAN_DIR)? {
        let old = revision_of(&name).is_some_and(|revision| revision <= plan.revision());
        if old && !plan.file.segments.iter().any(|segment| segment.file == name) {
            found(storage.remove(&format!("{}/{name}", names::PLAN_DIR)))?;
        }
    }
    Ok(())
}
