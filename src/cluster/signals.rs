//! Signals to levels of [`Stop`].
//!
//! The same event often reaches a process more than once: Slurm signals the step while the batch script forwards its
//! own copy; `mpirun` answers Ctrl-C with SIGTERM to ranks that the terminal has already interrupted. So a signal
//! counts as the second one only when it can be meant as such, see `Escalation`.

use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use super::{ClusterError, Level, Stop};

/// Starts a thread that turns SIGTERM, SIGINT, SIGUSR1, SIGUSR2 and SIGHUP into [`Level::Drain`], a second order into
/// [`Level::Now`], and a third into the signal's own default: the end.
///
/// # Errors
/// [`ClusterError::Signals`], [`ClusterError::Thread`].
pub fn install(stop: &Stop) -> Result<(), ClusterError> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP]).map_err(ClusterError::Signals)?;
    let stop = stop.clone();
    let run = move || {
        let mut escalation = Escalation::default();
        for signal in signals.forever() {
            let answer = escalation.on(signal, Instant::now(), stop.level());
            obey(&stop, signal, answer);
        }
    };
    let thread = std::thread::Builder::new().name("signals".into()).spawn(run);
    thread.map_err(|source| ClusterError::Thread { name: "signals", source })?;
    Ok(())
}

fn obey(stop: &Stop, signal: i32, answer: Answer) {
    let name = signal_hook::low_level::signal_name(signal).unwrap_or("signal");
    match answer {
        Answer::Same => {}
        Answer::Drain => {
            stop.request(Level::Drain, name);
        }
        Answer::Now => {
            let first = stop.reason().unwrap_or_default();
            stop.request(Level::Now, format!("{name}, after {first}"));
        }
        // Cannot fail for the signals above; if it did, the process is no worse off.
        Answer::Die => drop(signal_hook::low_level::emulate_default_handler(signal)),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Another copy of what is being obeyed already.
    Same,
    Drain,
    Now,
    Die,
}

/// Two deliveries of one event lie within this time.
const ONE_EVENT: Duration = Duration::from_secs(2);
/// Two Ctrl-C of a person are further apart than this, and two deliveries of one are nearer.
const ONE_KEY: Duration = Duration::from_millis(200);

/// Decides whether a signal is a further one.
///
/// - SIGUSR1, SIGUSR2 and SIGHUP are notices (time is nearly up; the terminal is gone). They ask to drain, and
///   repeating them never asks for more: a batch shell forwards its copy only when its foreground command lets it.
/// - SIGTERM and SIGINT are orders. The first drains. One that comes while a drain is under way means *now*: after a
///   notice, SIGTERM says that SIGKILL follows. Within two seconds of the signal before, it is taken for the same event.
/// - SIGINT after SIGINT is a person at a terminal, who need not wait for two seconds.
#[derive(Debug, Default)]
struct Escalation {
    last: Option<(i32, Instant)>,
}

impl Escalation {
    fn on(&mut self, signal: i32, now: Instant, level: Level) -> Answer {
        let notice = !matches!(signal, SIGTERM | SIGINT);
        let last = self.last;
        if level == Level::Run {
            self.last = Some((signal, now));
            return Answer::Drain;
        }
        if notice {
            return Answer::Same;
        }
        if let Some((before, when)) = last {
            let window = if (before, signal) == (SIGINT, SIGINT) { ONE_KEY } else { ONE_EVENT };
            if now.saturating_duration_since(when) < window {
                return Answer::Same;
            }
        }
        self.last = Some((signal, now));
        if level == Level::Now { Answer::Die } else { Answer::Now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds (milliseconds, signal) and returns the answers.
    fn answers(events: &[(u64, i32)], mut level: Level) -> Vec<Answer> {
        let start = Instant::now();
        let mut escalation = Escalation::default();
        let mut feed = |&(at, signal): &(u64, i32)| {
            let answer = escalation.on(signal, start + Duration::from_millis(at), level);
            level = match answer {
                Answer::Same => level,
                Answer::Drain => Level::Drain,
                Answer::Now | Answer::Die => Level::Now,
            };
            answer
        };
        events.iter().map(&mut feed).collect()
    }

    #[test]
    fn what_counts_as_a_second_signal() {
        use Answer::{Die, Drain, Now, Same};
        type Case = (&'static str, &'static [(u64, i32)], &'static [Answer]);
        let cases: [Case; 10] = [
            ("each drains", &[(0, SIGHUP)], &[Drain]),
            ("step and batch script", &[(0, SIGUSR1), (900, SIGUSR1)], &[Drain, Same]),
            ("a batch shell that forwards late", &[(0, SIGUSR1), (30_000, SIGUSR1)], &[Drain, Same]),
            ("notice, then the time limit", &[(0, SIGUSR1), (120_000, SIGTERM)], &[Drain, Now]),
            ("scancel, forwarded too", &[(0, SIGTERM), (300, SIGTERM)], &[Drain, Same]),
            ("preemption: grace, then the end", &[(0, SIGTERM), (60_000, SIGTERM)], &[Drain, Now]),
            ("Ctrl-C through mpirun", &[(0, SIGINT), (5, SIGTERM)], &[Drain, Same]),
            ("Ctrl-C twice", &[(0, SIGINT), (500, SIGINT)], &[Drain, Now]),
            ("a bouncing key", &[(0, SIGINT), (50, SIGINT), (3_000, SIGINT)], &[Drain, Same, Now]),
            (
                "orders to the end",
                &[(0, SIGTERM), (5_000, SIGINT), (6_000, SIGTERM), (10_000, SIGTERM)],
                &[Drain, Now, Same, Die],
            ),
        ];
        for (name, events, want) in cases {
            assert_eq!(answers(events, Level::Run), want, "{name}");
        }
    }

    #[test]
    fn an_order_while_the_deadline_drains() {
        assert_eq!(answers(&[(0, SIGTERM)], Level::Drain), [Answer::Now]);
        assert_eq!(answers(&[(0, SIGUSR1)], Level::Drain), [Answer::Same]);
    }
}
