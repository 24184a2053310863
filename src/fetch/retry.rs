//! When to try again.

use std::time::{Duration, SystemTime};

/// How long to wait between the attempts at one URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Upper bound of the first wait; doubles with each attempt.
    pub base: Duration,
    /// Upper bound of any wait that we choose.
    pub cap: Duration,
    /// Longest `Retry-After` that is waited for; when a server asks for more, the sample fails at once.
    pub retry_after_cap: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(500),
            cap: Duration::from_secs(30),
            retry_after_cap: Duration::from_secs(120),
        }
    }
}

impl Backoff {
    /// The wait before retry number `retry` (from 0); none: do not wait, give up.
    ///
    /// Exponential backoff with full jitter (M. Brooker, "Exponential Backoff And Jitter", 2015): uniform between zero
    /// and the bound, so that the ranks of a job do not come back all at once. A `Retry-After` is a lower bound, and
    /// gets jitter on top for the same reason.
    pub(super) fn wait(&self, retry: u32, retry_after: Option<Duration>) -> Option<Duration> {
        let bound = self.base.saturating_mul(2u32.saturating_pow(retry)).min(self.cap);
        match retry_after {
            Some(asked) if asked > self.retry_after_cap => None,
            Some(asked) => Some(asked + self.base.min(self.cap).mul_f64(fastrand::f64())),
            None => Some(bound.mul_f64(fastrand::f64())),
        }
    }
}

/// Reads a `Retry-After` value, seconds or HTTP date (RFC 9110, section 10.2.3); a date in the past is zero.
pub(super) fn parse_retry_after(value: &[u8], now: SystemTime) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a u64 holds is a long time, not nonsense.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_are_spread_over_the_whole_range() {
        let backoff = Backoff::default();
        for (retry, bound) in [(0, 500), (1, 1000), (3, 4000), (6, 30_000), (31, 30_000), (200, 30_000)] {
            let waits: Vec<_> = (0..300).map(|_| backoff.wait(retry, None).unwrap().as_millis()).collect();
            assert!(waits.iter().all(|wait| *wait <= bound), "retry {retry}");
            assert!(waits.iter().any(|wait| *wait < bound / 4), "retry {retry}");
            assert!(waits.iter().any(|wait| *wait > bound * 3 / 4), "retry {retry}");
        }
    }

    #[test]
    fn a_server_may_ask_for_longer_up_to_the_cap() {
        let backoff = Backoff::default();
        let wait = backoff.wait(0, Some(Duration::from_secs(120))).unwrap();
        assert!((120_000..=120_500).contains(&wait.as_millis()));
        assert_eq!(backoff.wait(0, Some(Duration::from_secs(121))), None);
        assert_eq!(backoff.wait(0, Some(Duration::MAX)), None);
    }

    #[test]
    fn retry_after_as_seconds_and_as_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let parse = |text: &str| parse_retry_after(text.as_bytes(), now);
        assert_eq!(parse("17"), Some(Duration::from_secs(17)));
        assert_eq!(parse(" 0 "), Some(Duration::ZERO));
        assert_eq!(parse("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:47 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:27 GMT"), Some(Duration::ZERO));
        for text in ["", "-1", "1.5", "soon"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
