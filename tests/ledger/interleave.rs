//! Two owners of one shard, their calls interleaved in every order with up to two changes between them.

use std::path::Path;
use std::sync::Arc;

use clipmill::ledger::storage::testing::Stage;
use clipmill::ledger::{Commit, Lease, Ledger, Next};

use crate::script::{self, Tar, check_complete, dead_owner, finish, live_owner, options, quick};

/// Takes the only shard twice: by an owner that is believed dead, and by the one that takes over.
fn two_owners(root: &Path, stage: &Arc<Stage>) -> [Box<Lease>; 2] {
    let plan = script::plan(&quick(root), &live_owner(0), 1).unwrap();
    [(0, dead_owner(0)), (1, live_owner(1))].map(|(actor, owner)| {
        let storage = stage.storage(actor, quick(root));
        match Ledger::open(storage, Arc::clone(&plan), owner, options(0, 1)).unwrap().next().unwrap() {
            Next::Take(lease) => lease,
            other => panic!("{other:?}"),
        }
    })
}

/// An attempt up to its commit: the files' names are each owner's own, so nothing there can meet.
fn write(lease: &Lease) -> Vec<u8> {
    let mut tar = Tar::open(lease).unwrap();
    for row in 0..u64::from(script::ROWS_PER_SHARD) {
        tar.push(lease, &script::url(row)).unwrap();
    }
    finish(lease, tar, Default::default()).unwrap()
}

/// Lets both commit, with the given changes of turn; returns how many calls were made.
fn run(first: usize, switches: Vec<u64>) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let stage = Stage::new(2);
    let attempts = two_owners(root, &stage).map(|lease| (write(&lease), lease));
    stage.arm(first, switches.clone());
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (attempts.iter().enumerate())
            .map(|(actor, (stats, lease))| {
                let stage = &stage;
                scope.spawn(move || {
                    let result = lease.commit(stats);
                    stage.leave(actor);
                    result
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let won = results.iter().filter(|result| matches!(result, Ok(Commit::Won))).count();
    assert_eq!(won, 1, "first {first}, switches {switches:?}: {results:?}");
    let calls = stage.calls();
    stage.disarm();
    // A loser whose files the winner removed may end with an error; a rank reports that as a failure of the attempt.
    for ((_, lease), result) in attempts.into_iter().zip(results) {
        if let Err(error) = result {
            lease.fail(&error.to_string()).unwrap();
        }
    }
    finish_run(root);
    check_complete(root, 1);
    calls
}

/// What the last rank does at the end.
fn finish_run(root: &Path) {
    let won = script::rank(&quick(root), live_owner(2), options(0, 1), 1).unwrap();
    assert_eq!(won, Vec::<u64>::new(), "the shard was done");
}

#[test]
fn exactly_one_of_two_owners_wins_in_every_order() {
    let calls = run(0, vec![]);
    assert!(calls > 30, "{calls}");
    for first in [0, 1] {
        for one in 1..calls {
            run(first, vec![one]);
            for two in one + 1..calls {
                run(first, vec![one, two]);
            }
        }
    }
}
