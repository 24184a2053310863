//! Drain before the scheduler ends the job.

use std::thread::Builder;
use std::time::{Duration, SystemTime};

use super::{ClusterError, Level, Placement, Stop};

/// Starts a thread that asks for [`Level::Drain`] `margin` before the job ends; nothing where no end is known.
///
/// A job that is short against the margin would drain before it began, exit 75, requeue itself, and never get on: the
/// margin is then a third of what is left.
///
/// # Errors
/// [`ClusterError::Thread`].
pub fn watch(stop: &Stop, placement: &Placement, margin: Duration) -> Result<(), ClusterError> {
    let Some(end) = placement.deadline else { return Ok(()) };
    let drain_at = drain_at(SystemTime::now(), end, margin);
    let stop = stop.clone();
    let run = move || wait_and_drain(&stop, drain_at, end);
    Builder::new()
        .name("deadline".into())
        .spawn(run)
        .map_err(|source| ClusterError::Thread { name: "deadline", source })?;
    Ok(())
}

fn drain_at(now: SystemTime, end: SystemTime, margin: Duration) -> SystemTime {
    let left = end.duration_since(now).unwrap_or_default();
    end - margin.min(left / 3)
}

fn wait_and_drain(stop: &Stop, drain_at: SystemTime, end: SystemTime) {
    // The end is on the wall clock, which may be set while we sleep.
    const NAP: Duration = Duration::from_secs(10);
    loop {
        let left = drain_at.duration_since(SystemTime::now()).unwrap_or_default();
        if left.is_zero() {
            let seconds = end.duration_since(SystemTime::now()).unwrap_or_default().as_secs();
            stop.request(Level::Drain, format!("the job ends in {seconds} s"));
            return;
        }
        if stop.wait(Level::Drain, left.min(NAP)) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margins() {
        let at = |left: u64, margin: u64| {
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
            let drain = drain_at(now, now + Duration::from_secs(left), Duration::from_secs(margin));
            drain.duration_since(now).unwrap().as_secs()
        };
        assert_eq!(at(7200, 60), 7140);
        assert_eq!(at(60, 60), 40, "a one-minute job works for 40 s");
        assert_eq!(at(0, 60), 0);
        assert_eq!(at(100, 0), 100);
    }

    #[test]
    fn a_near_end_drains() {
        let stop = Stop::new();
        wait_and_drain(&stop, SystemTime::now(), SystemTime::now() + Duration::from_secs(9));
        assert_eq!(stop.level(), Level::Drain);
        assert!(stop.reason().unwrap().starts_with("the job ends in"));
    }
}
