//! One hostile sample at a time, in a fresh worker and in one that served before.

use std::time::Duration;

use clipmill::mill::Pool;
use clipmill::sample::{Budget, FailureClass, FailureClass::*};
use serde_json::json;

use crate::lab::{bytes, echoed, failure, options, pool, request, run};

/// Twice: the second time in a worker that has served a good sample. Both must say the same.
async fn fails(pool: &Pool, what: &str, class: FailureClass, message: &str) {
    for _ in 0..2 {
        let failure = failure(pool, what).await;
        assert_eq!((failure.class, failure.message.as_str()), (class, message), "{what}");
    }
}

#[tokio::test]
async fn a_good_sample_comes_back() {
    let pool = pool();
    for size in [0usize, 1, 5, 3 << 20] {
        let media: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
        let mut answer = pool.run(request(json!({"do": "echo"}), &media)).await.unwrap();
        assert_eq!(answer.outputs[0].meta, json!({"url": "u", "media_bytes": size}).as_object().unwrap().clone());
        assert_eq!(answer.log, ["[test] about to echo"]);
        assert!(echoed(&mut answer) == media);
    }
}

#[tokio::test]
async fn a_large_recipe_goes_through() {
    let recipe = json!({"do": "echo", "filler": "x".repeat(4 << 20)});
    assert_eq!(echoed(&mut pool().run(request(recipe, b"media")).await.unwrap()), b"media");
}

#[tokio::test]
async fn fields_that_fit_no_message_are_the_samples_own_failure() {
    let pool = pool();
    let mut request = request(json!({"do": "echo"}), b"media");
    request.meta.insert("subtitles".into(), "x".repeat(65 << 20).into());
    let answer = pool.run(request).await.unwrap();
    assert_eq!(answer.failure.map(|failure| failure.class), Some(FailureClass::FieldTooLarge));
    assert_eq!(echoed(&mut run(&pool, "echo").await), b"media");
}

#[tokio::test]
async fn outputs_count_against_the_budget_or_go_to_scratch() {
    for limit in [0, 1 << 20] {
        let budget = Budget::new(limit);
        let pool = Pool::new(clipmill::mill::PoolOptions { budget: budget.clone(), ..options(1) }).unwrap();
        let mut answer = run(&pool, "echo").await;
        assert_eq!(budget.used(), if limit == 0 { 0 } else { 5 });
        assert_eq!(echoed(&mut answer), b"media");
        drop(answer);
        assert_eq!(budget.used(), 0);
    }
}

#[tokio::test]
async fn a_failure_and_a_panic_are_the_samples_own() {
    let pool = pool();
    fails(&pool, "fail", NotMedia, "no media").await;
    let panic = failure(&pool, "panic").await;
    assert_eq!(panic.class, DecoderCrash);
    assert!(panic.message.starts_with("the worker panicked: a test's panic (examples/"), "{}", panic.message);
}

#[tokio::test]
async fn crashes_are_told_by_their_signal() {
    let pool = pool();
    fails(&pool, "segv", DecoderCrash, "the decoder crashed (SIGSEGV); last message: [test] about to segv").await;
    fails(&pool, "kill", DecoderCrash, "the decoder crashed (SIGKILL); last message: [test] about to kill").await;
    fails(&pool, "abort", DecoderCrash, "the decoder crashed (SIGABRT); last message: [test] about to abort").await;
    fails(&pool, "exit", DecoderCrash, "the decoder crashed (exit code 3); last message: [test] about to exit").await;
    let last = "the decoder crashed (SIGABRT); last message: free(): invalid pointer";
    fails(&pool, "die speaking", DecoderCrash, last).await;
}

#[tokio::test]
async fn lies_are_not_believed() {
    let pool = pool();
    for (what, why) in [
        ("garbage", "bytes that are no message"),
        ("partial", "it hung up without an answer"),
        ("lie", "a message of 4294967295 bytes, over the limit of 67108864"),
        ("hang up", "it hung up without an answer"),
        ("names", "a member's extension that cannot stand in a shard"),
    ] {
        let failure = failure(&pool, what).await;
        assert_eq!(failure.class, DecoderCrash, "{what}");
        assert!(failure.message.contains(why), "{what}: {}", failure.message);
    }
}

#[tokio::test]
async fn time_is_limited() {
    let mut short = options(1);
    short.limits.wall = Duration::from_secs(1);
    let pool = Pool::new(short).unwrap();
    let last = "the decoder took more than 1 s (wall time); last message: [test] about to sleep";
    fails(&pool, "sleep", DecoderTimeout, last).await;

    let mut busy = options(1);
    busy.limits.cpu = Duration::from_millis(500);
    let pool = Pool::new(busy).unwrap();
    let last = "the decoder took more than 0.5 s (CPU time); last message: [test] about to spin";
    fails(&pool, "spin", DecoderTimeout, last).await;
}

#[tokio::test]
async fn memory_is_limited() {
    let pool = pool();
    for _ in 0..2 {
        let failure = failure(&pool, "hog").await;
        assert_eq!(failure.class, DecoderMemory);
        assert!(failure.message.starts_with("the decoder needed more than 256 MiB of memory"), "{}", failure.message);
    }
}

#[tokio::test]
async fn outputs_and_noise_are_limited() {
    let pool = pool();
    let flood = failure(&pool, "flood").await;
    assert_eq!(
        (flood.class, flood.message.as_str()),
        (OutputTooLarge, "the sample's outputs are over the limit of 8388608 bytes (limits.output_bytes)",)
    );
    assert!(run(&pool, "shout").await.failure.is_none());
}

#[tokio::test]
async fn the_media_itself_can_be_an_output_and_is_not_copied() {
    let pool = pool();
    let mut answer = pool.run(request(json!({"do": "echo", "keep": "mp4"}), b"media")).await.unwrap();
    let (extension, media) = &mut answer.outputs[0].members[0];
    assert_eq!((extension.as_str(), bytes(media)), ("mp4", b"media".to_vec()));
    let twice = pool.run(request(json!({"do": "echo", "keep": "a.bin"}), b"media")).await.unwrap().failure.unwrap();
    assert!(twice.message.contains("two members `a.bin`"), "{}", twice.message);
}

#[tokio::test]
async fn an_output_can_be_read_after_its_pool_is_gone() {
    let pool = pool();
    let mut answer = run(&pool, "echo").await;
    drop(pool);
    assert_eq!(bytes(&mut answer.outputs[0].members[1].1), b"dia");
}
