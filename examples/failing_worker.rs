//! The media worker with failpoints, for the tests: a sample whose url holds `fail-WHAT` ends this process as WHAT says;
//! all others are made as clipmill-worker makes them.

use std::process::ExitCode;
use std::time::Duration;

use clipmill::mill::Limits;
use clipmill::mill::worker::{Handler, Log, Made, Task, serve};
use clipmill::sample::Failure;
use clipmill::subsample::run::Maker;

struct Failing(Maker);

impl Handler for Failing {
    fn handle(&mut self, task: Task<'_>) -> Result<Vec<Made>, Failure> {
        let url = task.meta.get("url").and_then(|url| url.as_str()).unwrap_or_default();
        match url.split_once("fail-").map_or("", |(_, what)| what.trim_end_matches(".mp4")) {
            // SAFETY: the point is that it is not.
            "segv" => unsafe { std::ptr::null_mut::<u8>().write_volatile(1) },
            // SAFETY: raises a signal in this process.
            "kill" => unsafe {
                libc::raise(libc::SIGKILL);
            },
            "spin" => loop {
                std::hint::spin_loop();
            },
            "sleep" => std::thread::sleep(Duration::from_secs(600)),
            "hog" => hog(task.limits),
            _ => {}
        }
        self.0.handle(task)
    }
}

/// Wants a hundred times what it may have, in pieces that it touches.
fn hog(limits: &Limits) {
    let piece = usize::try_from(limits.memory_bytes).unwrap_or(usize::MAX);
    let all: Vec<Vec<u8>> = (0..100).map(|_| vec![1; piece]).collect();
    std::hint::black_box(all);
}

fn main() -> ExitCode {
    match serve(|limits, log: &Log| Failing(Maker::new(limits, log))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("failing_worker: {error}");
            ExitCode::FAILURE
        }
    }
}
