//! One flag that says how soon to stop, which threads and tasks can read, set and wait for.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How soon to stop. Levels only rise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum Level {
    /// Work on.
    #[default]
    Run = 0,
    /// Take no new shard and no new sample; record progress, then exit 75.
    Drain = 1,
    /// Leave everything as it is. Nothing half-written is visible, so this is safe at any moment.
    Now = 2,
}

/// The flag. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    level: AtomicU8,
    /// Why the present level was asked for. Guards every rise of the level.
    reason: Mutex<Option<String>>,
    risen: Condvar,
    notify: Notify,
}

impl Stop {
    pub fn new() -> Self {
        Self::default()
    }

    /// The present level; cheap enough to ask before every sample.
    pub fn level(&self) -> Level {
        match self.0.level.load(Ordering::Acquire) {
            0 => Level::Run,
            1 => Level::Drain,
            _ => Level::Now,
        }
    }

    /// Why the present level was asked for; none while running.
    pub fn reason(&self) -> Option<String> {
        self.lock().clone()
    }

    /// Raises the level. Returns false, and changes nothing, when it is that high already: the first reason counts.
    pub fn request(&self, level: Level, reason: impl Into<String>) -> bool {
        let mut current = self.lock();
        if self.level() >= level {
            return false;
        }
        *current = Some(reason.into());
        self.0.level.store(level as u8, Ordering::Release);
        drop(current);
        self.0.risen.notify_all();
        self.0.notify.notify_waiters();
        true
    }

    /// Waits until the level is at least this.
    pub async fn reached(&self, level: Level) {
        loop {
            let mut risen = std::pin::pin!(self.0.notify.notified());
            // Registered before the level is read, or a rise in between would be missed.
            risen.as_mut().enable();
            if self.level() >= level {
                return;
            }
            risen.await;
        }
    }

    /// Blocks this thread until the level is at least this, or the time is over; says whether it is.
    pub fn wait(&self, level: Level, time: Duration) -> bool {
        let start = Instant::now();
        let mut guard = self.lock();
        while self.level() < level {
            let Some(left) = time.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) else { return false };
            guard = self.0.risen.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        // A panic elsewhere cannot leave an `Option<String>` half-changed.
        self.0.reason.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_only_rise_and_the_first_reason_counts() {
        let stop = Stop::new();
        assert_eq!((stop.level(), stop.reason()), (Level::Run, None));
        assert!(stop.request(Level::Drain, "SIGTERM"));
        assert!(!stop.request(Level::Drain, "deadline"));
        assert_eq!((stop.level(), stop.reason().as_deref()), (Level::Drain, Some("SIGTERM")));
        assert!(stop.request(Level::Now, "second SIGTERM"));
        assert!(!stop.request(Level::Drain, "late"));
        assert_eq!((stop.level(), stop.reason().as_deref()), (Level::Now, Some("second SIGTERM")));
    }

    #[test]
    fn threads_and_tasks_wake() {
        let stop = Stop::new();
        assert!(!stop.wait(Level::Drain, Duration::from_millis(1)));
        let (thread, task) = (stop.clone(), stop.clone());
        let thread = std::thread::spawn(move || thread.wait(Level::Now, Duration::from_secs(60)));
        let task = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(task.reached(Level::Now));
        });
        stop.request(Level::Drain, "a");
        stop.request(Level::Now, "b");
        assert!(thread.join().unwrap());
        task.join().unwrap();
    }
}
