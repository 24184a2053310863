//! How long one sample may take.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// Which limit was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Late {
    /// Nothing came for the time that one step may take.
    Idle,
    /// The sample's time is over.
    Total,
}

/// The end of a sample's time, all attempts included. Time spent waiting for a host's turn does not count: it says
/// nothing about the transfer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    at: Instant,
}

impl Deadline {
    pub(super) fn after(limit: Duration) -> Self {
        Self { at: Instant::now() + limit }
    }

    /// Runs `wait` off the clock.
    pub(super) async fn paused<T>(&mut self, wait: impl Future<Output = T>) -> T {
        let start = Instant::now();
        let output = wait.await;
        self.at += start.elapsed();
        output
    }

    /// Runs one step, which may take `limit`.
    pub(super) async fn step<T>(&self, limit: Duration, step: impl Future<Output = T>) -> Result<T, Late> {
        let idle_at = Instant::now() + limit;
        let late = if self.at <= idle_at { Late::Total } else { Late::Idle };
        timeout_at(self.at.min(idle_at), step).await.map_err(|_| late)
    }

    pub(super) fn left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn steps_end_at_whichever_limit_comes_first() {
        let sleep = |seconds| tokio::time::sleep(Duration::from_secs(seconds));
        let deadline = Deadline::after(Duration::from_secs(10));
        let limit = Duration::from_secs(4);
        assert_eq!(deadline.step(limit, sleep(3)).await, Ok(()));
        assert_eq!(deadline.step(limit, sleep(5)).await, Err(Late::Idle));
        assert_eq!(deadline.step(limit, sleep(5)).await, Err(Late::Total));
        assert_eq!(deadline.left(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_a_turn_is_off_the_clock() {
        let mut deadline = Deadline::after(Duration::from_secs(10));
        deadline.paused(tokio::time::sleep(Duration::from_secs(100))).await;
        assert_eq!(deadline.left(), Duration::from_secs(10));
    }
}
