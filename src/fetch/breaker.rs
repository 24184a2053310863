//! A circuit breaker: a host that refuses us again and again is left alone for a while.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What one request told about its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Media, or a redirect to it.
    Served,
    /// 403, 429, 503, or the connection was refused.
    Refused,
    /// Another status: no success, yet the host talks to us.
    Answered,
}

/// Closed at first; `threshold` refusals in a row open it; while open one probe per `cooldown` goes through; a success
/// closes it.
#[derive(Debug)]
pub(super) struct Breaker {
    threshold: u32,
    cooldown: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    refusals: u32,
    /// While open: when the next probe may go.
    probe_at: Option<Instant>,
}

impl Breaker {
    /// A closed breaker; a `threshold` of 0 never opens.
    pub(super) fn new(threshold: u32, cooldown: Duration) -> Self {
        Self { threshold, cooldown, state: Mutex::default() }
    }

    /// Whether a request now would fail at once.
    pub(super) fn is_open(&self, now: Instant) -> bool {
        self.lock().probe_at.is_some_and(|probe_at| now < probe_at)
    }

    /// Whether a request may go now. One that finds the breaker open and rested becomes the probe, and the next one has
    /// to wait another cooldown, whatever becomes of this one.
    pub(super) fn admit(&self, now: Instant) -> bool {
        let mut state = self.lock();
        match state.probe_at {
            Some(probe_at) if now < probe_at => false,
            Some(_) => {
                state.probe_at = now.checked_add(self.cooldown);
                true
            }
            None => true,
        }
    }

    /// Takes in what a request told.
    pub(super) fn report(&self, outcome: Outcome, now: Instant) {
        let mut state = self.lock();
        match outcome {
            Outcome::Served => *state = State::default(),
            // A dead link says nothing while the breaker is closed, but proves to a probe that the host is back.
            Outcome::Answered if state.probe_at.is_some() => *state = State::default(),
            Outcome::Answered => {}
            Outcome::Refused => {
                state.refusals = state.refusals.saturating_add(1);
                if self.threshold > 0 && state.refusals >= self.threshold && state.probe_at.is_none() {
                    state.probe_at = now.checked_add(self.cooldown);
                }
            }
        }
    }

    /// Whether nothing would be lost by forgetting this breaker.
    pub(super) fn at_rest(&self) -> bool {
        let state = self.lock();
        state.refusals == 0 && state.probe_at.is_none()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome::{Answered, Refused, Served};
    use super::*;

    const COOLDOWN: Duration = Duration::from_secs(60);

    fn after(breaker: &Breaker, outcomes: &[Outcome], now: Instant) -> bool {
        outcomes.iter().for_each(|outcome| breaker.report(*outcome, now));
        breaker.is_open(now)
    }

    #[test]
    fn opens_after_refusals_in_a_row_only() {
        let now = Instant::now();
        let breaker = Breaker::new(3, COOLDOWN);
        assert!(!after(&breaker, &[Refused, Refused, Served, Refused, Refused], now));
        assert!(after(&breaker, &[Answered, Refused], now), "a dead link is no success");
        assert!(!after(&Breaker::new(0, COOLDOWN), &[Refused; 100], now));
    }

    #[test]
    fn lets_one_probe_through_per_cooldown() {
        let start = Instant::now();
        let breaker = Breaker::new(1, COOLDOWN);
        assert!(breaker.admit(start));
        breaker.report(Refused, start);
        assert!(!breaker.admit(start + COOLDOWN / 2));
        let rested = start + COOLDOWN;
        assert!(!breaker.is_open(rested));
        assert!(breaker.admit(rested), "the probe");
        assert!(!breaker.admit(rested), "no second one beside it");
        breaker.report(Refused, rested);
        assert!(!breaker.admit(rested + COOLDOWN / 2));
        assert!(breaker.admit(rested + COOLDOWN));
    }

    #[test]
    fn a_success_or_an_answer_to_the_probe_closes() {
        let start = Instant::now();
        for outcome in [Served, Answered] {
            let breaker = Breaker::new(2, COOLDOWN);
            assert!(after(&breaker, &[Refused, Refused], start));
            assert!(!after(&breaker, &[outcome], start));
            assert!(breaker.at_rest());
            assert!(!after(&breaker, &[Refused], start), "counts from zero again");
        }
    }
}
