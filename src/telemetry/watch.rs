//! Looks at what the job has committed, now and then, and tells whoever wants to know: metrics file, tracker.
//!
//! One rank of the job does it, on a thread of its own. Nothing that goes wrong here reaches the work.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Numbers, Progress, Snapshot};

/// What does not change while the job runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobFacts {
    /// The scheduler's id, as `slurm:1234`.
    pub job: Option<String>,
    pub rank: u32,
    pub shards: u64,
    /// None where rows are counted as inputs are opened.
    pub rows: Option<u64>,
    /// Start of this process's work, Unix seconds.
    pub started: f64,
}

/// What is known at one moment.
#[derive(Debug)]
pub struct News<'a> {
    pub job: &'a JobFacts,
    /// All committed shards.
    pub total: &'a Numbers,
    /// Those that were not known the last time, by name.
    pub fresh: &'a [(String, Numbers)],
    /// Shards from before this start are fresh in the first look: they are nothing to report one by one.
    pub first: bool,
    /// This rank's own counters.
    pub rank: Snapshot,
    pub in_flight: u64,
    /// Unix seconds.
    pub now: f64,
    /// None while the rank works; then whether the plan is complete.
    pub ended: Option<bool>,
}

/// Somebody to tell.
pub trait Listener: Send {
    /// Called from the watch's thread. May take its time, but a call that never returns keeps news from all others.
    fn tell(&mut self, news: &News<'_>);
}

/// What a look at the commit records brings.
#[derive(Debug, Default)]
pub struct Look {
    /// All shards are in `fresh`; what was known before is void.
    pub from_scratch: bool,
    pub fresh: Vec<(String, Numbers)>,
}

/// Where committed shards are read from. The flag says that this is the last look. None: it cannot be seen right now.
pub type Commits = Box<dyn FnMut(bool) -> Option<Look> + Send>;

/// A running watch. Dropping it lets the thread go without a last word.
#[derive(Debug)]
pub struct Watch {
    stop: Sender<bool>,
    done: Receiver<()>,
}

impl Watch {
    /// Starts to look every `interval`, at once for the first time. None where no thread can be started.
    pub fn start(
        job: JobFacts,
        progress: Arc<Progress>,
        commits: Commits,
        listeners: Vec<Box<dyn Listener>>,
        interval: Duration,
    ) -> Option<Self> {
        let (stop, stopped) = channel();
        let (finished, done) = channel();
        let mut watcher = Watcher { job, progress, commits, listeners, total: Numbers::default(), first: true };
        let thread = std::thread::Builder::new().name("telemetry".into()).spawn(move || {
            watcher.run(&stopped, interval);
            let _ = finished.send(());
        });
        thread.is_ok().then_some(Self { stop, done })
    }

    /// Tells everybody the last numbers, and waits for them, but no longer than `patience`: a file system or a tracker that
    /// hangs must not hold the rank. False where that was too short.
    pub fn finish(self, complete: bool, patience: Duration) -> bool {
        let _ = self.stop.send(complete);
        self.done.recv_timeout(patience) != Err(RecvTimeoutError::Timeout)
    }
}

struct Watcher {
    job: JobFacts,
    progress: Arc<Progress>,
    commits: Commits,
    listeners: Vec<Box<dyn Listener>>,
    total: Numbers,
    first: bool,
}

impl Watcher {
    fn run(&mut self, stopped: &Receiver<bool>, interval: Duration) {
        loop {
            self.look(None);
            match stopped.recv_timeout(interval) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(complete) => return self.look(Some(complete)),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn look(&mut self, ended: Option<bool>) {
        let seen = (self.commits)(ended.is_some());
        // A folder that does not answer is no news; the end is told all the same.
        let first = self.first && seen.is_some();
        let look = seen.unwrap_or_default();
        if look.from_scratch {
            self.total = Numbers::default();
        }
        look.fresh.iter().for_each(|(_, numbers)| self.total.add(numbers));
        let news = News {
            job: &self.job,
            total: &self.total,
            fresh: &look.fresh,
            first: first || look.from_scratch,
            rank: self.progress.snapshot(),
            in_flight: self.progress.in_flight.load(std::sync::atomic::Ordering::Relaxed),
            now: unix_now(),
            ended,
        };
        self.listeners.iter_mut().for_each(|listener| listener.tell(&news));
        self.first &= !first;
    }
}

/// Unix seconds.
pub fn unix_now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    type Told = Arc<Mutex<Vec<(u64, usize, bool, Option<bool>)>>>;

    struct Recorder(Told);

    impl Listener for Recorder {
        fn tell(&mut self, news: &News<'_>) {
            self.0.lock().unwrap().push((news.total.rows, news.fresh.len(), news.first, news.ended));
        }
    }

    fn shard(name: &str, rows: u64) -> (String, Numbers) {
        (name.to_owned(), Numbers { shards: 1, rows, ..Numbers::default() })
    }

    fn start(looks: Vec<Option<Look>>, listener: Box<dyn Listener>) -> Watch {
        let mut looks = looks.into_iter();
        let commits: Commits = Box::new(move |_| looks.next().flatten());
        let every = Duration::from_secs(3600);
        Watch::start(JobFacts::default(), Arc::default(), commits, vec![listener], every).unwrap()
    }

    #[test]
    fn totals_add_up_and_the_last_word_is_told() {
        let told = Told::default();
        let looks = vec![
            Some(Look { from_scratch: false, fresh: vec![shard("a", 3), shard("b", 4)] }),
            Some(Look { from_scratch: false, fresh: vec![shard("c", 5)] }),
        ];
        assert!(start(looks, Box::new(Recorder(Arc::clone(&told)))).finish(true, Duration::from_secs(60)));
        assert_eq!(*told.lock().unwrap(), [(7, 2, true, None), (12, 1, false, Some(true))]);
    }

    #[test]
    fn a_look_from_scratch_forgets_what_was_before_and_a_blind_one_keeps_it() {
        let told = Told::default();
        let looks = vec![None, Some(Look { from_scratch: true, fresh: vec![shard("a", 3)] })];
        assert!(start(looks, Box::new(Recorder(Arc::clone(&told)))).finish(false, Duration::from_secs(60)));
        assert_eq!(*told.lock().unwrap(), [(0, 0, false, None), (3, 1, true, Some(false))]);
    }

    #[test]
    fn a_listener_that_hangs_holds_nobody() {
        struct Hangs;
        impl Listener for Hangs {
            fn tell(&mut self, _: &News<'_>) {
                std::thread::park();
                std::thread::sleep(Duration::from_secs(3600));
            }
        }
        assert!(!start(Vec::new(), Box::new(Hangs)).finish(true, Duration::from_millis(50)));
    }
}
