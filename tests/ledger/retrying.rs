//! `retry_failed`: rewriting committed shards.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use clipmill::error::Class;
use clipmill::ledger::storage::Storage;
use clipmill::ledger::storage::testing::{Act, Fault, Hooked};
use clipmill::ledger::{Commit, Committed, Failed, Ledger, LedgerError, Mode, Next, Options, Owner, RetryList};
use rustix::io::Errno;

use crate::script::{self, TTL, Tar, check_complete, check_visible, dead_owner, live_owner, options, quick};

const SHARDS: u64 = 4;

/// Works everything off, with these failures in each shard's stats.
fn commit_all(root: &Path, failures: &[&[(&str, u64)]]) {
    let storage = quick(root);
    let plan = script::plan(&storage, &live_owner(0), SHARDS).unwrap();
    let mut ledger = Ledger::open(storage, plan, live_owner(0), options(0, 1)).unwrap();
    while let Next::Take(lease) = ledger.next().unwrap() {
        let failures = failures[lease.shard() as usize].iter().map(|(class, count)| ((*class).to_owned(), *count));
        write(&lease, failures.collect()).unwrap();
    }
}

fn write(lease: &clipmill::ledger::Lease, status: BTreeMap<String, u64>) -> Result<Commit, LedgerError> {
    let mut tar = Tar::open(lease)?;
    let first = lease.shard() * u64::from(script::ROWS_PER_SHARD);
    for row in first + u64::from(tar.rows)..first + u64::from(script::ROWS_PER_SHARD) {
        let checkpoint = tar.push(lease, &script::url(row))?;
        lease.beat(&checkpoint)?;
    }
    lease.commit(&script::finish(lease, tar, status)?)
}

/// One run of a job that retries. Returns the shards that it rewrote.
fn retry(storage: &Arc<dyn Storage>, owner: Owner) -> Result<Vec<u64>, LedgerError> {
    let plan = script::plan(storage, &owner, SHARDS)?;
    let list = RetryList::pin(storage, &plan, &owner, TTL, &|| false)?.expect("nobody says stop");
    let options = Options { mode: Mode::RetryFailed(list), ..options(0, 1) };
    let mut ledger = Ledger::open(Arc::clone(storage), plan, owner, options)?;
    let mut rewritten = Vec::new();
    loop {
        match ledger.next()? {
            Next::Complete => return Ok(rewritten),
            Next::GaveUp(shards) => panic!("{shards:?}"),
            Next::Wait(pause) => std::thread::sleep(pause),
            Next::Take(lease) => {
                let shard = lease.shard();
                assert!(lease.retry().is_some(), "shard {shard} was committed before");
                match write(&lease, BTreeMap::from([("timeout".to_owned(), 1)])) {
                    Ok(Commit::Won) => rewritten.push(shard),
                    Ok(Commit::Lost) => {}
                    Err(error) if error.class() == Class::Job => return Err(error),
                    Err(error) => {
                        if lease.fail(&error.to_string())? == Failed::Committed {
                            rewritten.push(shard);
                        }
                    }
                }
            }
        }
    }
}

fn generations(root: &Path) -> Vec<u32> {
    let read = |shard| std::fs::read(root.join(format!("{shard:05}_stats.json"))).unwrap();
    (0..SHARDS).map(|shard| serde_json::from_slice::<Committed>(&read(shard)).unwrap().clipmill.generation).collect()
}

fn job(id: &str, owner: Owner) -> Owner {
    Owner { job: Some(id.into()), ..owner }
}

const MIXED: [&[(&str, u64)]; SHARDS as usize] =
    [&[("timeout", 1), ("http_404", 1)], &[("http_404", 2), ("not_media", 1)], &[("http_503", 1)], &[("success", 3)]];

#[test]
fn only_shards_with_passing_failures_are_rewritten_and_once_per_job() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    commit_all(root, &MIXED);
    assert_eq!(retry(&quick(root), job("2", live_owner(0))).unwrap(), [0, 2]);
    assert_eq!(generations(root), [1, 0, 1, 0]);
    check_complete(root, SHARDS);
    // They failed again; the same job, requeued, leaves them, another tries once more.
    let requeued = Owner { restart: 1, ..job("2", live_owner(0)) };
    assert_eq!(retry(&quick(root), requeued).unwrap(), Vec::<u64>::new());
    assert_eq!(retry(&quick(root), job("3", live_owner(0))).unwrap(), [0, 2]);
    assert_eq!(generations(root), [2, 0, 2, 0]);
    check_complete(root, SHARDS);
}

#[test]
fn a_retry_that_dies_at_any_call_is_finished_by_the_next_start() {
    for (act, for_good) in
        [(Act::Fail(Errno::IO), true), (Act::FailAfter(Errno::IO), true), (Act::Fail(Errno::IO), false)]
    {
        for at in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path();
            commit_all(root, &[&[], &[], &[("http_503", 1)], &[]]);
            let fault = Fault::new(at, act, for_good);
            let storage: Arc<dyn Storage> = Arc::new(Hooked::new(quick(root), fault.clone()));
            let first = retry(&storage, job("2", dead_owner(0)));
            check_visible(root);
            for shard in 0..SHARDS {
                assert!(root.join(format!("{shard:05}_stats.json")).exists(), "a committed shard stays committed");
            }
            if !fault.struck() {
                first.unwrap();
                break;
            }
            retry(&quick(root), job("2", live_owner(0))).unwrap_or_else(|error| panic!("call {at}: {error}"));
            assert_eq!(generations(root), [0, 0, 1, 0], "call {at}");
            check_complete(root, SHARDS);
        }
    }
}

#[test]
fn an_owner_from_before_the_retry_cannot_undo_it() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let storage = quick(root);
    let plan = script::plan(&storage, &live_owner(0), SHARDS).unwrap();
    let mut early = Ledger::open(Arc::clone(&storage), Arc::clone(&plan), dead_owner(9), options(0, 1)).unwrap();
    let Next::Take(late) = early.next().unwrap() else { panic!("a shard is left") };
    commit_all(root, &MIXED);
    retry(&storage, job("2", live_owner(0))).unwrap();
    let before = std::fs::read(root.join("00000_stats.json")).unwrap();
    assert!(!matches!(write(&late, BTreeMap::new()), Ok(Commit::Won)));
    assert_eq!(std::fs::read(root.join("00000_stats.json")).unwrap(), before);
    check_visible(root);
}
