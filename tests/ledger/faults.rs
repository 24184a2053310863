//! The n-th storage call fails, for every n.

use std::sync::Arc;

use clipmill::ledger::storage::Storage;
use clipmill::ledger::storage::testing::{Act, Fault, Hooked};
use rustix::io::Errno;

use crate::script::{self, SHARDS, check_complete, check_visible, dead_owner, options, quick, rank};

/// Runs a rank once for every n, with call n faulty, then a second rank with nothing faulty.
fn sweep(act: Act, for_good: bool) {
    let mut failed_runs = 0;
    for at in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let fault = Fault::new(at, act, for_good);
        let storage: Arc<dyn Storage> = Arc::new(Hooked::new(quick(root), fault.clone()));
        let first = rank(&storage, dead_owner(0), options(0, 1), SHARDS);
        check_visible(root);
        if !fault.struck() {
            first.expect("a run without a fault");
            assert!(at > 150, "the sweep covers a whole run ({at} calls)");
            break;
        }
        if for_good {
            first.expect_err("a dead process finishes nothing");
        } else if let Err(error) = &first {
            failed_runs += 1;
            assert!(!error.to_string().is_empty());
        }
        let second = rank(&quick(root), dead_owner(0), options(0, 1), SHARDS);
        second.unwrap_or_else(|error| panic!("call {at} {act:?}: the rerun failed: {error}"));
        check_complete(root, SHARDS);
    }
    assert!(for_good || failed_runs > 0);
}

#[test]
fn a_process_that_dies_before_any_call_loses_and_doubles_nothing() {
    sweep(Act::Fail(Errno::IO), true);
}

#[test]
fn a_process_that_dies_after_any_call_or_in_the_middle_of_any_write_loses_and_doubles_nothing() {
    sweep(Act::FailAfter(Errno::IO), true);
    sweep(Act::Torn(Errno::IO), true);
}

#[test]
fn any_one_error_is_survived() {
    for errno in [Errno::IO, Errno::STALE, Errno::NOSPC] {
        sweep(Act::Fail(errno), false);
    }
}

#[test]
fn any_one_lost_answer_or_torn_write_is_survived() {
    sweep(Act::FailAfter(Errno::TIMEDOUT), false);
    sweep(Act::Torn(Errno::IO), false);
}

#[test]
fn errors_say_how_far_they_reach() {
    use clipmill::error::Class;
    use clipmill::ledger::storage::{Op, StorageError};
    let class = |errno| StorageError::new(Op::Write, "00000.tar", errno).class();
    for errno in [Errno::NOSPC, Errno::DQUOT, Errno::ROFS, Errno::ACCESS] {
        assert_eq!(class(errno), Class::Job);
        let error = StorageError::new(Op::Write, "00000.tar", errno);
        assert!(error.remedy().is_some() && error.to_string().contains("00000.tar"), "{error}");
    }
    assert_eq!(class(Errno::STALE), Class::Retry);
    assert_eq!(class(Errno::IO), Class::Shard);
}

#[test]
fn metadata_operations_per_shard_are_bounded() {
    use clipmill::ledger::storage::{Op, testing::Counts};
    use clipmill::ledger::{Commit, Ledger, Next};
    let folder = tempfile::tempdir().unwrap();
    let counts = Arc::new(Counts::default());
    let storage: Arc<dyn Storage> = Arc::new(Hooked::new(quick(folder.path()), counts.clone()));
    let owner = script::live_owner(0);
    let plan = script::plan(&storage, &owner, SHARDS).unwrap();
    let mut ledger = Ledger::open(Arc::clone(&storage), Arc::clone(&plan), owner, options(0, 1)).unwrap();
    plan.read_shard(&*storage, 0).unwrap();
    for _ in 0..SHARDS {
        counts.take();
        let Next::Take(lease) = ledger.next().unwrap() else { panic!("a shard is left") };
        assert_eq!(script::work(&*storage, &plan, &lease).unwrap(), Some(Commit::Won));
        let counts = counts.take();
        let data = [Op::Write, Op::Truncate, Op::Sync, Op::SyncDir];
        let calls: u64 = counts.iter().filter(|(op, _)| !data.contains(op)).map(|(_, count)| count).sum();
        // One of the reads is of an open file, the plan's.
        let metadata = calls - 1 - 2 * u64::from(script::ROWS_PER_SHARD);
        assert!(metadata <= 19, "doc/ledger.md says 19, and 2 per heartbeat: {counts:?}");
        assert!(counts[&Op::SyncDir] <= 4, "{counts:?}");
    }
}
