//! What killed a worker, as the class and message of its sample.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use super::limits::Limits;
use super::lines::Lines;
use crate::sample::{Failure, FailureClass};

/// Why a worker must go. The message is the same in every run: no pid, no time taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    class: FailureClass,
    what: String,
    /// Whether a fresh worker could come to another verdict.
    pub(super) may_be_inherited: bool,
    /// The GPU's number, where it was lost: the sample may do on another.
    pub(super) lost_gpu: Option<u32>,
}

impl Verdict {
    pub(super) fn wall(limits: &Limits) -> Self {
        let what = format!("the decoder took more than {} (wall time)", seconds(limits.wall));
        Self { class: FailureClass::DecoderTimeout, what, may_be_inherited: false, lost_gpu: None }
    }

    pub(super) fn cpu(limits: &Limits) -> Self {
        let what = format!("the decoder took more than {} (CPU time)", seconds(limits.cpu));
        Self { class: FailureClass::DecoderTimeout, what, may_be_inherited: false, lost_gpu: None }
    }

    pub(super) fn memory(limits: &Limits) -> Self {
        let what = format!("the decoder needed more than {} of memory", bytes(limits.memory_bytes));
        Self { class: FailureClass::DecoderMemory, what, may_be_inherited: true, lost_gpu: None }
    }

    pub(super) fn outputs_too_large(limit: u64) -> Self {
        let what = format!("the sample's outputs are larger than {}", bytes(limit));
        Self { class: FailureClass::OutputTooLarge, what, may_be_inherited: false, lost_gpu: None }
    }

    /// `device`: the number of the worker's GPU.
    pub(super) fn lost_gpu(failure: Failure, device: u32) -> Self {
        let Failure { class, message } = failure;
        Self { class, what: message, may_be_inherited: true, lost_gpu: Some(device) }
    }

    pub(super) fn broke_protocol(what: &str) -> Self {
        let what = format!("the decoder broke its protocol: {what}");
        Self { class: FailureClass::DecoderCrash, what, may_be_inherited: true, lost_gpu: None }
    }

    /// The worker hung up; `status` is how it ended, none where it had to be killed.
    pub(super) fn hung_up(status: Option<ExitStatus>, lines: &Lines, limits: &Limits) -> Self {
        // Also a good end by itself: a worker has nothing to end for before its rank hangs up.
        let Some(status) = status.filter(|status| !status.success()) else {
            return Self::broke_protocol("it hung up without an answer");
        };
        // The Rust runtime's last words when the allocator has nothing left; then it aborts.
        if lines.stderr_text().contains("memory allocation of") {
            return Self::memory(limits);
        }
        let what = format!("the decoder crashed ({})", describe(status));
        Self { class: FailureClass::DecoderCrash, what, may_be_inherited: true, lost_gpu: None }
    }

    pub(super) fn failure(&self, lines: &Lines) -> Failure {
        match lines.last() {
            Some(last) => Failure::new(self.class, format!("{}; last message: {last}", self.what)),
            None => Failure::new(self.class, self.what.clone()),
        }
    }
}

/// `SIGSEGV`, or `exit code 3`.
pub(super) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => {
            signal_hook::low_level::signal_name(signal).map_or_else(|| format!("signal {signal}"), str::to_owned)
        }
        (None, None) => "ended".into(),
    }
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

fn bytes(n: u64) -> String {
    match n {
        n if n >= 1 << 30 && n % (1 << 30) == 0 => format!("{} GiB", n >> 30),
        n if n >= 1 << 20 && n % (1 << 20) == 0 => format!("{} MiB", n >> 20),
        n => format!("{n} bytes"),
    }
}
