//! A pool of the hostile test worker.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clipmill::mill::{Answer, Limits, Pool, PoolOptions, Request};
use clipmill::sample::{Budget, Failure, Payload};
use serde_json::{Map, Value, json};

use crate::example::example;

pub fn program() -> PathBuf {
    example("mill_test_worker")
}

pub fn options(workers: u32) -> PoolOptions {
    PoolOptions {
        program: program(),
        workers,
        limits: Limits {
            wall: Duration::from_secs(60),
            cpu: Duration::from_secs(60),
            memory_bytes: 256 << 20,
            output_bytes: 8 << 20,
            ..Limits::default()
        },
        scratch: Arc::new(std::env::temp_dir()),
        budget: Budget::new(1 << 30),
    }
}

pub fn pool() -> Pool {
    Pool::new(options(1)).unwrap()
}

pub fn request(recipe: Value, media: &[u8]) -> Request {
    let mut meta = Map::new();
    meta.insert("url".into(), "u".into());
    Request { media: Payload::from_bytes(media.to_vec()), recipe, meta }
}

pub async fn run(pool: &Pool, what: &str) -> Answer {
    pool.run(request(json!({ "do": what }), b"media")).await.unwrap()
}

/// What the sample fails with. Afterwards the pool must work as before.
pub async fn failure(pool: &Pool, what: &str) -> Failure {
    let answer = run(pool, what).await;
    assert!(answer.outputs.is_empty());
    let failure = answer.failure.unwrap_or_else(|| panic!("{what}: no failure"));
    assert_eq!(echoed(&mut run(pool, "echo").await), b"media", "after {what}");
    failure
}

pub fn bytes(payload: &mut Payload) -> Vec<u8> {
    let mut all = Vec::new();
    payload
        .for_each_block(|block| {
            all.extend_from_slice(block);
            Ok(())
        })
        .unwrap();
    assert_eq!(all.len() as u64, payload.len());
    all
}

pub fn echoed(answer: &mut Answer) -> Vec<u8> {
    assert_eq!(answer.failure, None);
    assert_eq!(answer.outputs.len(), 1);
    let members = &mut answer.outputs[0].members;
    assert_eq!(members.iter().map(|(extension, _)| extension.as_str()).collect::<Vec<_>>(), ["a.bin", "b.bin"]);
    members.iter_mut().flat_map(|(_, payload)| bytes(payload)).collect()
}
