//! Many samples over few workers, and nothing left behind.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use clipmill::mill::Pool;
use serde_json::json;

use crate::example::example;
use crate::lab::{echoed, options, program, request};

const HOSTILE: [&str; 8] = ["segv", "kill", "abort", "exit", "garbage", "partial", "hang up", "hog"];

/// This test's part runs in a process of its own: other tests start workers, too.
fn alone(name: &str) -> bool {
    if std::env::var_os("MILL_ALONE").is_some() {
        return true;
    }
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env("MILL_ALONE", "1")
        .status()
        .unwrap();
    assert!(status.success());
    false
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Live or dead children that nobody has reaped.
fn children() -> BTreeSet<String> {
    let own = std::process::id().to_string();
    let mut found = BTreeSet::new();
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = std::fs::read_to_string(process.path().join("stat")) else { continue };
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1));
        if parent == Some(own.as_str()) {
            found.insert(stat);
        }
    }
    found
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what}");
}

#[test]
fn every_tenth_sample_is_hostile() {
    if alone("crowd::every_tenth_sample_is_hostile") {
        program();
        runtime().block_on(many());
    }
}

async fn many() {
    let before = descriptors();
    let pool = Arc::new(Pool::new(options(2)).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..200usize {
        let pool = Arc::clone(&pool);
        tasks.spawn(async move {
            let what = if n % 10 == 9 { HOSTILE[n / 10 % HOSTILE.len()] } else { "echo" };
            let media = vec![n as u8; 1000 + n];
            let mut answer = pool.run(request(json!({"do": what}), &media)).await.unwrap();
            assert_eq!(answer.failure.is_some(), n % 10 == 9, "{n}: {:?}", answer.failure);
            if what == "echo" {
                assert!(echoed(&mut answer) == media, "{n}");
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert!(children().len() <= 2, "{:?}", children());
    drop(pool);
    until("children are left", || children().is_empty()).await;
    until("descriptors are left", || descriptors() <= before).await;
}

#[test]
fn a_pool_dropped_in_mid_work_kills_all() {
    if alone("crowd::a_pool_dropped_in_mid_work_kills_all") {
        program();
        runtime().block_on(dropped());
    }
}

async fn dropped() {
    let before = descriptors();
    let pool = Arc::new(Pool::new(options(3)).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for what in ["spin", "sleep", "spin", "echo"] {
        let pool = Arc::clone(&pool);
        tasks.spawn(async move { pool.run(request(json!({"do": what}), b"media")).await });
    }
    drop(pool);
    until("three workers start", || children().len() == 3).await;
    tasks.abort_all();
    drop(tasks);
    until("children are left", || children().is_empty()).await;
    until("descriptors are left", || descriptors() <= before).await;
}

/// A rank that is killed kills nobody: its workers must see it.
#[test]
fn workers_end_with_their_rank() {
    let mut rank = Command::new(example("mill_rank")).arg(program()).arg("spin").spawn().unwrap();
    let runtime = runtime();
    let mut worker = String::new();
    runtime.block_on(until("a worker starts", || {
        worker = find_worker(rank.id()).unwrap_or_default();
        !worker.is_empty()
    }));
    // At work by now, or not: it must end either way.
    std::thread::sleep(Duration::from_millis(300));
    rank.kill().unwrap();
    rank.wait().unwrap();
    runtime.block_on(until("the worker outlives its rank", || !std::path::Path::new(&worker).exists()));
}

fn find_worker(rank: u32) -> Option<String> {
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = std::fs::read_to_string(process.path().join("stat")) else { continue };
        if stat.rsplit_once(')')?.1.split_whitespace().nth(1) == Some(rank.to_string().as_str()) {
            return Some(process.path().to_string_lossy().into_owned());
        }
    }
    None
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}
