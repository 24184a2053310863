//! A fetcher with short waits, and media to fetch.

use std::sync::Arc;
use std::time::Duration;

use clipmill::config::{Reading, YtArgs};
use clipmill::fetch::{Backoff, FetchError, Fetched, Fetcher, Options, Proxies};
use clipmill::sample::{Budget, FailureClass};

pub struct Lab {
    pub fetcher: Fetcher,
    pub budget: Budget,
    pub scratch: tempfile::TempDir,
}

/// Settings that reach loopback and wait little.
pub fn reading() -> Reading {
    // What becomes of pages is asked in tests/sites.
    let yt_args = YtArgs { program: None, ..YtArgs::default() };
    Reading { allow_private_networks: true, timeout: 10.0, connect_timeout: 5.0, yt_args, ..Reading::default() }
}

pub fn options() -> Options {
    let backoff = Backoff { base: Duration::from_millis(2), ..Backoff::default() };
    Options { backoff, proxies: Proxies::default(), ..Options::default() }
}

impl Lab {
    pub fn new(reading: Reading) -> Self {
        Self::with(reading, 1, 1 << 30, options())
    }

    pub fn with(reading: Reading, world: u32, budget: u64, options: Options) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let budget = Budget::new(budget);
        let path = Arc::new(scratch.path().to_owned());
        let fetcher = Fetcher::with_options(&reading, 16, world, budget.clone(), path, options).unwrap();
        Self { fetcher, budget, scratch }
    }

    pub async fn bytes(&self, url: &str) -> Vec<u8> {
        bytes(self.fetcher.fetch(url).await.unwrap())
    }

    /// The class and message of a fetch that fails.
    pub async fn failure(&self, url: &str) -> (FailureClass, String) {
        match self.fetcher.fetch(url).await {
            Err(FetchError::Sample(failure)) => (failure.class, failure.message),
            other => panic!("{url} should have failed as a sample: {other:?}"),
        }
    }

    pub async fn class(&self, url: &str) -> FailureClass {
        self.failure(url).await.0
    }
}

pub fn bytes(mut fetched: Fetched) -> Vec<u8> {
    let mut all = Vec::new();
    fetched
        .payload
        .for_each_block(|block| {
            all.extend_from_slice(block);
            Ok(())
        })
        .unwrap();
    all
}

/// Bytes that begin as an MP4 does and never repeat in step with a block size.
pub fn media(length: usize) -> Vec<u8> {
    let mut all = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41".to_vec();
    let mut state = 1u32;
    while all.len() < length {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        all.extend_from_slice(&state.to_be_bytes());
    }
    all.truncate(length);
    all
}
