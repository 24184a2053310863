//! Courtesy per host: requests in flight, requests per second, and the circuit breaker.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::breaker::{Breaker, Outcome};

/// Hosts that are remembered before those at rest are forgotten: a table may name millions.
const REMEMBERED: usize = 4096;

/// Hosts within the last one to two periods above which connections are not kept: idle ones cost a descriptor each, and
/// many nodes allow 1024.
const KEEP_ALIVE_HOSTS: u64 = 128;

/// How long idle connections are kept.
pub(super) const IDLE: Duration = Duration::from_secs(15);

/// What one rank may ask of each host.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    /// Requests in flight per host; none: no limit.
    pub(super) in_flight: Option<usize>,
    /// Time between requests to a host; none: no limit.
    pub(super) period: Option<Duration>,
    pub(super) breaker_threshold: u32,
    pub(super) breaker_cooldown: Duration,
}

/// All hosts that were met lately.
#[derive(Debug)]
pub(super) struct Hosts {
    limits: Limits,
    /// Transfers in flight to all hosts together.
    transfers: Arc<Semaphore>,
    started: Instant,
    table: Mutex<Table>,
}

#[derive(Debug)]
struct Table {
    hosts: HashMap<String, Arc<Host>>,
    prune_at: usize,
    /// The running period of length [`IDLE`], and how many hosts were met in it and in the one before.
    period: u64,
    met: u64,
    met_before: u64,
}

/// One host's state.
#[derive(Debug)]
pub(super) struct Host {
    slots: Option<Arc<Semaphore>>,
    pace: Option<Pace>,
    breaker: Breaker,
    /// The last period in which it was met.
    period: AtomicU64,
    /// The verdict on its addresses, when a proxy connects for us: see [`Host::remembered`].
    verdict: Mutex<Option<(Instant, bool)>>,
}

/// The right to send one request and to receive its answer.
#[derive(Debug)]
pub(super) struct Admission {
    _slot: Option<OwnedSemaphorePermit>,
    _transfer: Option<OwnedSemaphorePermit>,
}

/// The host's breaker is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Open;

impl Hosts {
    pub(super) fn new(limits: Limits, transfers: usize) -> Self {
        let table = Table { hosts: HashMap::new(), prune_at: REMEMBERED, period: 0, met: 0, met_before: 0 };
        let transfers = Arc::new(Semaphore::new(transfers.clamp(1, Semaphore::MAX_PERMITS)));
        Self { limits, transfers, started: Instant::now(), table: Mutex::new(table) }
    }

    /// The host, and whether its connection is worth keeping after the next request.
    pub(super) fn get(&self, name: &str) -> (Arc<Host>, bool) {
        // `a.example.` is the same host, fully qualified.
        let name = name.strip_suffix('.').unwrap_or(name);
        let now = self.started.elapsed().as_millis() as u64 / IDLE.as_millis() as u64;
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let host = match table.hosts.get(name) {
            Some(host) => Arc::clone(host),
            None => {
                table.prune();
                let host = Arc::new(Host::new(&self.limits));
                table.hosts.insert(name.to_owned(), Arc::clone(&host));
                host
            }
        };
        table.turn(now);
        if host.period.swap(now, Ordering::Relaxed) != now {
            table.met += 1;
        }
        (host, table.met.max(table.met_before) <= KEEP_ALIVE_HOSTS)
    }

    /// The right to one transfer that concerns no host.
    pub(super) async fn admit_local(&self) -> Admission {
        Admission { _slot: None, _transfer: Arc::clone(&self.transfers).acquire_owned().await.ok() }
    }

    /// Waits for the host's turn. The order (host before the rank's own limit) keeps a slow host from holding the
    /// rank's places while it waits.
    pub(super) async fn admit(&self, host: &Host) -> Result<Admission, Open> {
        let closed = || if host.breaker.is_open(Instant::now()) { Err(Open) } else { Ok(()) };
        closed()?;
        let slot = match &host.slots {
            // Semaphores are never closed here; if one were, there would be no limit rather than no progress.
            Some(slots) => Arc::clone(slots).acquire_owned().await.ok(),
            None => None,
        };
        closed()?;
        if let Some(pace) = &host.pace {
            pace.turn().await;
        }
        let transfer = Arc::clone(&self.transfers).acquire_owned().await.ok();
        if host.breaker.admit(Instant::now()) { Ok(Admission { _slot: slot, _transfer: transfer }) } else { Err(Open) }
    }
}

impl Table {
    fn turn(&mut self, now: u64) {
        if now != self.period {
            self.met_before = if now == self.period + 1 { self.met } else { 0 };
            self.met = 0;
            self.period = now;
        }
    }

    /// Forgets hosts that nobody uses and that have nothing to remember, when there are many.
    fn prune(&mut self) {
        if self.hosts.len() < self.prune_at {
            return;
        }
        let recent = self.period.saturating_sub(1);
        self.hosts.retain(|_, host| {
            let used = Arc::strong_count(host) > 1 || host.period.load(Ordering::Relaxed) >= recent;
            used || !host.breaker.at_rest()
        });
        self.prune_at = REMEMBERED.max(self.hosts.len() * 2);
    }
}

impl Host {
    fn new(limits: &Limits) -> Self {
        Self {
            slots: limits.in_flight.map(|count| Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS)))),
            pace: limits.period.and_then(Pace::new),
            breaker: Breaker::new(limits.breaker_threshold, limits.breaker_cooldown),
            period: AtomicU64::new(u64::MAX),
            verdict: Mutex::new(None),
        }
    }

    pub(super) fn report(&self, outcome: Outcome) {
        self.breaker.report(outcome, Instant::now());
    }

    /// Whether a retry would fail at once.
    pub(super) fn is_blocked(&self) -> bool {
        self.breaker.is_open(Instant::now())
    }

    /// The verdict on the host's addresses (true: may be reached), if it is not older than `age`.
    pub(super) fn remembered(&self, age: Duration) -> Option<bool> {
        let verdict = self.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        verdict.filter(|(when, _)| when.elapsed() < age).map(|(_, global)| global)
    }

    pub(super) fn remember(&self, global: bool) {
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), global));
    }
}

/// Evenly spaced turns, first come, first served.
#[derive(Debug)]
struct Pace {
    limiter: DefaultDirectRateLimiter,
    /// The limiter itself lets the quickest win; this queue is fair.
    queue: tokio::sync::Mutex<()>,
}

impl Pace {
    fn new(period: Duration) -> Option<Self> {
        let quota = Quota::with_period(period)?.allow_burst(NonZeroU32::MIN);
        Some(Self { limiter: RateLimiter::direct(quota), queue: tokio::sync::Mutex::new(()) })
    }

    async fn turn(&self) {
        let _first = self.queue.lock().await;
        while let Err(early) = self.limiter.check() {
            tokio::time::sleep(early.wait_time_from(DefaultClock::default().now())).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn hosts(in_flight: Option<usize>, transfers: usize) -> Hosts {
        let limits =
            Limits { in_flight, period: None, breaker_threshold: 1, breaker_cooldown: Duration::from_secs(3600) };
        Hosts::new(limits, transfers)
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_host_does_not_hold_the_places_of_others() {
        let hosts = hosts(Some(1), 2);
        let (slow, quick) = (hosts.get("slow").0, hosts.get("quick").0);
        let _first = hosts.admit(&slow).await.unwrap();
        let second = hosts.admit(&slow);
        tokio::pin!(second);
        assert!(second.as_mut().now_or_never().is_none());
        let quick = hosts.admit(&quick);
        tokio::pin!(quick);
        assert!(quick.as_mut().now_or_never().is_some());
    }

    #[tokio::test]
    async fn waiting_samples_learn_that_the_host_is_blocked() {
        let hosts = hosts(Some(1), 8);
        let host = hosts.get("host").0;
        let first = hosts.admit(&host).await.unwrap();
        let second = hosts.admit(&host);
        tokio::pin!(second);
        assert!(second.as_mut().now_or_never().is_none());
        host.report(Outcome::Refused);
        drop(first);
        assert_eq!(second.await.unwrap_err(), Open);
    }

    #[test]
    fn hosts_at_rest_are_forgotten_and_blocked_ones_are_not() {
        let hosts = hosts(None, 1);
        hosts.get("blocked").0.report(Outcome::Refused);
        hosts.get("calm");
        let mut table = hosts.table.lock().unwrap();
        table.turn(10);
        table.prune();
        assert_eq!(table.hosts.len(), 2, "few hosts: nothing to do");
        table.prune_at = 1;
        table.prune();
        assert_eq!(table.hosts.keys().collect::<Vec<_>>(), ["blocked"]);
    }

    #[test]
    fn one_host_has_one_state() {
        let hosts = hosts(None, 1);
        hosts.get("a.example").0.report(Outcome::Refused);
        assert!(hosts.get("a.example.").0.is_blocked());
        assert!(!hosts.get("b.example").0.is_blocked());
    }

    #[test]
    fn connections_are_not_kept_for_crowds_of_hosts() {
        let hosts = hosts(None, 1);
        let keep = |name: String| hosts.get(&name).1;
        for n in 0..KEEP_ALIVE_HOSTS {
            assert!(keep(n.to_string()), "{n}");
        }
        assert!(keep("0".into()), "known in this period");
        assert!(!keep("one more".into()));
    }
}
