//! Lines on their way to the rank.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::socket::Sender;
use crate::mill::wire::Kind;

/// Lines sent per sample: a decoder may complain about each of a million macroblocks.
const LINES: u32 = 1000;
/// Bytes sent of a line.
const LINE_BYTES: usize = 1000;

/// Sends lines to the rank at once, so that the last ones survive a crash. Cheap to clone, for libraries' callbacks on
/// any thread.
#[derive(Debug, Clone)]
pub struct Log {
    sender: Sender,
    sent: Arc<AtomicU32>,
    panic: Arc<Mutex<Option<String>>>,
}

impl Log {
    pub(super) fn new(sender: Sender) -> Self {
        Self { sender, sent: Arc::default(), panic: Arc::default() }
    }

    /// Sends one line. What is over a thousand lines a sample is dropped.
    pub fn line(&self, line: &str) {
        if self.sent.fetch_add(1, Ordering::Relaxed) < LINES {
            let end = line.floor_char_boundary(LINE_BYTES);
            // The rank is gone: the watch on the socket ends this process.
            let _ = self.sender.send(Kind::Log, &line.get(..end).unwrap_or_default());
        }
    }

    pub(super) fn start_sample(&self) {
        self.sent.store(0, Ordering::Relaxed);
        self.take_panic();
    }

    pub(super) fn take_panic(&self) -> Option<String> {
        self.panic.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Keeps a panic's message for the sample's failure. The default hook would print the thread's id, which differs from
/// run to run.
pub(super) fn quiet_panics(log: &Log) {
    let kept = Arc::clone(&log.panic);
    std::panic::set_hook(Box::new(move |info| {
        let what = info.payload_as_str().unwrap_or("no message");
        let place = info.location().map(|at| format!(" ({}:{})", at.file(), at.line())).unwrap_or_default();
        kept.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(format!("{what}{place}"));
    }));
}
