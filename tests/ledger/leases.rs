//! Taking, beating, going on, letting go, failing.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clipmill::ledger::{Beat, Checkpoint, Commit, Lease, Ledger, Next, Options, Owner};

use crate::script::{self, TTL, Tar, check_complete, dead_owner, live_owner, local, names, options, remote_owner, url};

fn open(root: &Path, owner: Owner, options: Options, shards: u64) -> Ledger {
    let storage = local(root);
    let plan = script::plan(&storage, &owner, shards).unwrap();
    Ledger::open(storage, plan, owner, options).unwrap()
}

fn take(ledger: &mut Ledger) -> Box<Lease> {
    match ledger.next().unwrap() {
        Next::Take(lease) => lease,
        other => panic!("expected a lease: {other:?}"),
    }
}

fn wait_for(ledger: &mut Ledger) -> Box<Lease> {
    loop {
        match ledger.next().unwrap() {
            Next::Take(lease) => return lease,
            Next::Wait(pause) => std::thread::sleep(pause),
            other => panic!("expected a lease: {other:?}"),
        }
    }
}

/// Writes some rows and beats.
fn advance(lease: &Lease, tar: &mut Tar, rows: u64) -> Checkpoint {
    let first = lease.shard() * u64::from(script::ROWS_PER_SHARD) + u64::from(tar.rows);
    for row in first..first + rows {
        tar.push(lease, &url(row)).unwrap();
    }
    assert_eq!(lease.beat(&tar.checkpoint()).unwrap(), Beat::Held);
    tar.checkpoint()
}

fn end(lease: &Lease, mut tar: Tar) {
    let left = u64::from(script::ROWS_PER_SHARD - tar.rows);
    advance(lease, &mut tar, left);
    let stats = script::finish(lease, tar, Default::default()).unwrap();
    assert_eq!(lease.commit(&stats).unwrap(), Commit::Won);
}

#[test]
fn stripes_come_first_then_what_nobody_holds() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let mut second = open(root, live_owner(1), options(1, 3), 8);
    let leases: Vec<_> = (0..8).map(|_| take(&mut second)).collect();
    let order: Vec<_> = leases.iter().map(|lease| lease.shard()).collect();
    assert_eq!(order, [1, 4, 7, 2, 3, 5, 6, 0]);
    let Next::Wait(pause) = second.next().unwrap() else { panic!("everything is held") };
    assert!(pause <= TTL);
}

#[test]
fn a_released_shard_goes_on_at_once_by_moving_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let mut first = open(root, remote_owner(0), options(0, 1), 1);
    let lease = take(&mut first);
    let mut tar = Tar::open(&lease).unwrap();
    let checkpoint = advance(&lease, &mut tar, 2);
    tar.file.write_all(b"half of the third").unwrap();
    let old = lease.partial("tar");
    drop(tar);
    lease.release(Some(&checkpoint)).unwrap();

    let mut second = open(root, remote_owner(1), options(0, 1), 1);
    let lease = take(&mut second);
    assert_eq!((lease.attempt(), lease.resume()), (2, Some(&checkpoint)));
    let tar = Tar::open(&lease).unwrap();
    assert_eq!((tar.rows, tar.len), (2, checkpoint.files[0].len));
    assert!(!root.join(old).exists(), "moved");
    end(&lease, tar);
    assert!(matches!(second.next().unwrap(), Next::Complete));
    check_complete(root, 1);
}

#[test]
fn a_silent_owner_is_waited_for_and_its_file_is_copied_as_it_may_wake_up() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let mut first = open(root, remote_owner(0), options(0, 1), 1);
    let silent = take(&mut first);
    let mut old_tar = Tar::open(&silent).unwrap();
    let checkpoint = advance(&silent, &mut old_tar, 1);

    let mut second = open(root, remote_owner(1), options(0, 1), 1);
    assert!(matches!(second.next().unwrap(), Next::Wait(_)), "not before the time to live");
    let lease = wait_for(&mut second);
    assert_eq!(lease.resume(), Some(&checkpoint));
    let tar = Tar::open(&lease).unwrap();
    assert_eq!(tar.rows, 1);
    assert!(root.join(silent.partial("tar")).exists(), "copied");
    old_tar.push(&silent, &url(1)).unwrap();
    assert_eq!(silent.beat(&old_tar.checkpoint()).unwrap(), Beat::Lost);
    end(&lease, tar);

    old_tar.push(&silent, &url(2)).unwrap();
    let stats = script::finish(&silent, old_tar, Default::default()).unwrap();
    assert_eq!(silent.commit(&stats).unwrap(), Commit::Lost);
    assert!(matches!(second.next().unwrap(), Next::Complete));
    check_complete(root, 1);
}

#[test]
fn an_owner_that_beats_keeps_its_lease() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let mut first = open(root, remote_owner(0), options(0, 1), 1);
    let lease = take(&mut first);
    let tar = Tar::open(&lease).unwrap();
    let mut second = open(root, remote_owner(1), options(0, 1), 1);
    for _ in 0..30 {
        assert_eq!(lease.beat(&tar.checkpoint()).unwrap(), Beat::Held);
        assert!(matches!(second.next().unwrap(), Next::Wait(_)));
        std::thread::sleep(TTL / 10);
    }
    end(&lease, tar);
    assert!(matches!(second.next(), Ok(Next::Complete | Next::Wait(_))));
}

#[test]
fn dead_and_restarted_owners_are_replaced_at_once() {
    let restarted = Owner { restart: 1, ..remote_owner(0) };
    for (old, new) in [(dead_owner(0), live_owner(5)), (remote_owner(0), restarted)] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let lease = take(&mut open(root, old, options(0, 1), 1));
        let mut tar = Tar::open(&lease).unwrap();
        let checkpoint = advance(&lease, &mut tar, 2);
        let next = take(&mut open(root, new, options(0, 1), 1));
        assert_eq!(next.resume(), Some(&checkpoint));
    }
}

#[test]
fn progress_is_handed_on_over_attempts_that_end_before_their_first_heartbeat() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let lease = take(&mut open(root, dead_owner(0), options(0, 1), 1));
    let checkpoint = advance(&lease, &mut Tar::open(&lease).unwrap(), 2);
    // This one moves the file to its own name and ends.
    let lease = take(&mut open(root, dead_owner(1), options(0, 1), 1));
    assert_eq!(Tar::open(&lease).unwrap().rows, 2);
    // This one ends between creating its lease and writing it.
    std::fs::write(root.join("_clipmill/leases/00000.g0.a3"), b"").unwrap();
    let mut last = open(root, live_owner(2), options(0, 1), 1);
    let lease = wait_for(&mut last);
    assert_eq!((lease.attempt(), lease.resume()), (4, Some(&checkpoint)));
    let tar = Tar::open(&lease).unwrap();
    assert_eq!(tar.rows, 2);
    end(&lease, tar);
    assert!(matches!(last.next().unwrap(), Next::Complete));
    check_complete(root, 1);
}

#[test]
fn a_prefix_that_does_not_verify_is_started_over() {
    let spoil: [fn(&Path); 2] = [
        |file| std::fs::File::options().write(true).open(file).unwrap().write_all(b"X").unwrap(),
        |file| std::fs::File::options().write(true).open(file).unwrap().set_len(5).unwrap(),
    ];
    for spoil in spoil {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let lease = take(&mut open(root, dead_owner(0), options(0, 1), 1));
        advance(&lease, &mut Tar::open(&lease).unwrap(), 2);
        spoil(&root.join(lease.partial("tar")));
        let mut second = open(root, live_owner(1), options(0, 1), 1);
        let lease = take(&mut second);
        assert!(lease.resume().is_some());
        let tar = Tar::open(&lease).unwrap();
        assert_eq!(tar.rows, 0);
        end(&lease, tar);
        assert!(matches!(second.next().unwrap(), Next::Complete));
        check_complete(root, 1);
    }
}

#[test]
fn a_shard_that_fails_too_often_is_given_up_once() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let mut ledger = open(root, live_owner(0), Options { max_shard_retry: 2, ..options(0, 1) }, 3);
    let mut attempts = 0;
    let given_up = loop {
        match ledger.next().unwrap() {
            Next::Take(lease) if lease.shard() == 1 => {
                attempts += 1;
                drop(Tar::open(&lease).unwrap());
                lease.fail(&format!("boom {attempts}")).unwrap();
            }
            Next::Take(lease) => end(&lease, Tar::open(&lease).unwrap()),
            Next::Wait(pause) => std::thread::sleep(pause),
            Next::GaveUp(shards) => break shards,
            Next::Complete => panic!("shard 1 cannot be complete"),
        }
    };
    assert_eq!(attempts, 3);
    assert_eq!((given_up[0].shard, given_up[0].error.as_str()), (1, "boom 3"));
    assert!(names(&root.join("_clipmill/partial")).is_empty(), "a failed attempt keeps no files");
    // Another rank of the same run does not try again; a later run does.
    let same_run = Options { max_shard_retry: 2, ..options(0, 1) };
    assert!(matches!(open(root, live_owner(1), same_run, 3).next().unwrap(), Next::GaveUp(_)));
    let requeued = Owner { restart: 1, ..live_owner(0) };
    assert_eq!(take(&mut open(root, requeued, options(0, 1), 3)).shard(), 1);
}

#[test]
fn a_stats_file_cut_in_half_is_set_aside_and_its_shard_redone() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    script::rank(&local(root), live_owner(0), options(0, 1), 3).unwrap();
    let stats = root.join("00001_stats.json");
    let whole = std::fs::read(&stats).unwrap();
    std::fs::write(&stats, &whole[..whole.len() / 2]).unwrap();
    let won = script::rank(&local(root), live_owner(0), options(0, 1), 3).unwrap();
    assert_eq!(won, [1]);
    script::check_visible(root);
    assert_eq!(names(&root.join("_clipmill/quarantine")).len(), 1);
}

#[test]
fn files_of_others_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let foreign = ["notes.json", "1_stats.json", "99999_stats.json", "x.tar", "_clipmill/leases/README"];
    script::plan(&local(root), &live_owner(0), 3).unwrap();
    for file in foreign {
        std::fs::write(root.join(file), b"{}").unwrap();
    }
    script::rank(&local(root), live_owner(0), options(0, 1), 3).unwrap();
    for file in foreign {
        assert_eq!(std::fs::read(root.join(file)).unwrap(), b"{}");
    }
    // A whole record that is not ours, where ours would go: refused, not replaced.
    std::fs::write(root.join("00002_stats.json"), b"{\"count\": 1}").unwrap();
    let error = script::rank(&local(root), live_owner(0), options(0, 1), 3).unwrap_err();
    assert!(error.to_string().contains("00002_stats.json"), "{error}");
}

#[test]
fn a_record_that_does_not_match_its_files_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let mut ledger = open(root, live_owner(0), options(0, 1), 1);
    let lease = take(&mut ledger);
    let mut tar = Tar::open(&lease).unwrap();
    advance(&lease, &mut tar, 3);
    let stats = script::finish(&lease, tar, Default::default()).unwrap();
    let text = String::from_utf8(stats.clone()).unwrap();
    for (from, to) in
        [("\"attempt\": 1", "\"attempt\": 2"), ("00000.tar", "00001.tar"), ("\"bytes\": ", "\"bytes\": 1")]
    {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        lease.commit(changed.as_bytes()).unwrap_err();
    }
    assert_eq!(names(root).len(), 1);
    assert_eq!(lease.commit(&stats).unwrap(), Commit::Won);
    assert_eq!(lease.commit(&stats).unwrap(), Commit::Won, "asked again");
}

#[test]
fn a_helper_finishes_a_claim_whose_owner_stopped() {
    use clipmill::ledger::storage::Storage;
    use clipmill::ledger::storage::testing::{Act, Fault, Hooked};
    use rustix::io::Errno;
    let mut rolled = 0;
    for at in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        script::plan(&script::quick(root), &live_owner(0), 1).unwrap();
        let fault = Fault::new(at, Act::Fail(Errno::IO), true);
        let storage: Arc<dyn Storage> = Arc::new(Hooked::new(script::quick(root), fault.clone()));
        // Far from us and not yet stale: only a claim lets others finish its shard.
        let first = script::rank(&storage, remote_owner(0), options(0, 1), 1);
        if !fault.struck() {
            first.unwrap();
            break;
        }
        if root.join("_clipmill/leases/00000.g0.commit").exists() {
            rolled += 1;
            let ttl = Options { lease_ttl: Duration::from_secs(3600), ..options(0, 1) };
            let won = script::rank(&script::quick(root), remote_owner(1), ttl, 1).unwrap();
            assert_eq!(won, Vec::<u64>::new());
            check_complete(root, 1);
        }
    }
    assert!(rolled >= 4, "{rolled}");
}

#[test]
fn attempts_that_end_without_a_word_are_counted_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path(), live_owner(0), Options { max_shard_retry: 2, ..options(0, 1) }, 1);
    for _ in 0..3 {
        drop(wait_for(&mut ledger));
    }
    loop {
        match ledger.next().unwrap() {
            Next::Wait(pause) => std::thread::sleep(pause),
            Next::GaveUp(shards) => break assert_eq!(shards[0].error, "its attempts ended without a word"),
            other => panic!("it is tried for ever: {other:?}"),
        }
    }
}

#[test]
fn a_lease_lives_while_its_owner_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let mut ours = open(folder.path(), remote_owner(0), options(0, 1), 1);
    let ttl = Duration::from_secs(1);
    let mut theirs = open(folder.path(), remote_owner(1), Options { lease_ttl: ttl, ..options(0, 1) }, 1);
    let lease = take(&mut ours);
    lease.keep_alive(ttl / 5, || {
        let begun = std::time::Instant::now();
        while begun.elapsed() < 2 * ttl {
            match theirs.next().unwrap() {
                Next::Wait(pause) => std::thread::sleep(pause),
                other => panic!("taken over after {:?}: {other:?}", begun.elapsed()),
            }
        }
    });
    end(&lease, Tar::open(&lease).unwrap());
}
