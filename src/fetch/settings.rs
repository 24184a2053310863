//! The config's numbers, checked.

use std::time::Duration;

use super::host::Limits;
use crate::config;
use crate::error::Class;

/// No deadline is longer (ten years): sums of deadlines must stay within what a clock can tell.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Why no fetcher could be made.
#[derive(Debug, thiserror::Error)]
pub enum FetchSetupError {
    /// A number that makes no sense.
    #[error("{key} is {value}: it must be a number above 0")]
    Number { key: &'static str, value: f64 },
    /// A contact that no header can hold.
    #[error("reading.contact holds characters that the User-Agent header cannot; use an e-mail address or a URL")]
    Contact,
    /// The value is not shown, since it may hold a password.
    #[error(
        "http_proxy, https_proxy or all_proxy in the environment is not a proxy that can be used; \
         write it as http://host:port, or unset it"
    )]
    Proxy,
    #[error("the HTTP client cannot start: {0}")]
    Client(String),
}

impl FetchSetupError {
    /// Nothing can be fetched: the rank stops.
    pub fn class(&self) -> Class {
        Class::Job
    }
}

/// A deadline of the config.
pub(super) fn seconds(key: &'static str, value: f64) -> Result<Duration, FetchSetupError> {
    if value.is_nan() || value <= 0.0 {
        return Err(FetchSetupError::Number { key, value });
    }
    Ok(Duration::try_from_secs_f64(value).unwrap_or(LONGEST).min(LONGEST))
}

/// A count of the config.
pub(super) fn count(key: &'static str, value: u32) -> Result<usize, FetchSetupError> {
    if value == 0 { Err(FetchSetupError::Number { key, value: 0.0 }) } else { Ok(value as usize) }
}

/// This rank's share of what the job may ask of one host.
pub(super) fn limits(reading: &config::Reading, world: u32) -> Result<Limits, FetchSetupError> {
    let world = world.max(1);
    let in_flight = match reading.max_per_host {
        Some(all) => Some((count("reading.max_per_host", all)? / world as usize).max(1)),
        None => None,
    };
    let period = match reading.requests_per_second_per_host {
        Some(rate) if rate > 0.0 && rate.is_finite() => {
            Some(Duration::try_from_secs_f64(f64::from(world) / rate).unwrap_or(LONGEST).min(LONGEST))
        }
        Some(value) => return Err(FetchSetupError::Number { key: "reading.requests_per_second_per_host", value }),
        None => None,
    };
    let breaker_cooldown = seconds("reading.breaker_cooldown", reading.breaker_cooldown)?;
    Ok(Limits { in_flight, period, breaker_threshold: reading.breaker_threshold, breaker_cooldown })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(max_per_host: u32, rate: f64, world: u32) -> (usize, Duration) {
        let reading = config::Reading {
            max_per_host: Some(max_per_host),
            requests_per_second_per_host: Some(rate),
            ..config::Reading::default()
        };
        let limits = limits(&reading, world).unwrap();
        (limits.in_flight.unwrap(), limits.period.unwrap())
    }

    #[test]
    fn limits_of_the_job_are_divided_over_its_ranks() {
        assert_eq!(shares(8, 10.0, 1), (8, Duration::from_millis(100)));
        assert_eq!(shares(8, 10.0, 4), (2, Duration::from_millis(400)));
        assert_eq!(shares(8, 0.5, 16), (1, Duration::from_secs(32)));
        assert_eq!(shares(8, 1e-300, 16).1, LONGEST);
    }

    #[test]
    fn numbers_without_sense_are_refused_by_name() {
        for value in [0.0, -1.0, f64::NAN] {
            let error = seconds("reading.timeout", value).unwrap_err();
            assert!(error.to_string().starts_with("reading.timeout is "), "{error}");
        }
        assert_eq!(seconds("x", f64::INFINITY).unwrap(), LONGEST);
        let rate = |rate| config::Reading { requests_per_second_per_host: Some(rate), ..<_>::default() };
        assert!(limits(&rate(0.0), 1).is_err() && limits(&rate(f64::INFINITY), 1).is_err());
        assert!(limits(&config::Reading { max_per_host: Some(0), ..<_>::default() }, 1).is_err());
    }
}
