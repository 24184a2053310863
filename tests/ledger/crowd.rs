//! Many ranks on one folder: threads, processes, and processes that are killed.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::script::{check_complete, check_visible, live_owner, local, options, rank};

#[test]
fn each_shard_is_committed_by_one_of_many_threads() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let shards = 60;
    let won: Vec<_> = std::thread::scope(|scope| {
        // Two of each rank: a launcher that gives the same rank to two processes must cost nothing but time.
        let ranks: Vec<_> = (0..8)
            .map(|at| scope.spawn(move || rank(&local(root), live_owner(at / 2), options(at / 2, 4), shards).unwrap()))
            .collect();
        ranks.into_iter().map(|rank| rank.join().unwrap()).collect()
    });
    let mut all: Vec<u64> = won.into_iter().flatten().collect();
    all.sort_unstable();
    assert_eq!(all, (0..shards).collect::<Vec<_>>());
    check_complete(root, shards);
}

const FOLDER: &str = "CLIPMILL_TEST_FOLDER";
const RANK: &str = "CLIPMILL_TEST_RANK";
const WORLD: u32 = 3;
const SHARDS: u64 = 40;

#[test]
#[ignore = "not a test: the process that a_killed_process_loses_nothing starts and kills"]
fn child() {
    let folder = std::env::var(FOLDER).expect("started by the test");
    let at = std::env::var(RANK).unwrap().parse().unwrap();
    rank(&local(Path::new(&folder)), live_owner(at), options(at, WORLD), SHARDS).unwrap();
}

fn start(root: &Path, at: u32) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crowd::child", "--ignored", "--nocapture", "--test-threads=1"])
        .env(FOLDER, root)
        .env(RANK, at.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

#[test]
fn a_killed_process_loses_nothing() {
    let mut killed = 0;
    for round in 0..12 {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let mut random = fastrand::Rng::with_seed(round);
        for _ in 0..3 {
            let mut children: Vec<_> = (0..WORLD).map(|at| start(root, at)).collect();
            // Early kills hit the planning, late ones the commits.
            std::thread::sleep(Duration::from_micros(random.u64(1_000..250_000)));
            for child in &mut children {
                killed += u32::from(child.try_wait().unwrap().is_none());
                child.kill().unwrap();
            }
            for child in &mut children {
                child.wait().unwrap();
            }
            check_visible(root);
        }
        let patience = Instant::now();
        let mut last: Vec<_> = (0..WORLD).map(|at| start(root, at)).collect();
        for child in &mut last {
            assert!(child.wait().unwrap().success());
        }
        assert!(patience.elapsed() < Duration::from_secs(60), "the rerun hangs");
        check_complete(root, SHARDS);
    }
    assert!(killed > 10, "only {killed} processes were still there to be killed");
}
