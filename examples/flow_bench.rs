//! Times optical flow between frames of raw 8-bit luma, for `make bench-flow`, or writes it.
//!
//! ```text
//! flow_bench FILE WIDTH HEIGHT [KEY=VALUE …]
//! ```
//!
//! Keys: the parameters of Farneback; or `preset`, that of dense inverse search; and `threads` (1), `rounds` (1), `mode` (`pair`: each pair of frames by itself;
//! `push`: a video, frame after frame), `out` (a file for the flows of one round, `f32`). Prints the CPU and the wall time
//! per pair of each round, in seconds, one round a line.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clipmill::flow::{FarnebackParams, Flow, FlowParams, Luma, Preset};
use rustix::time::{ClockId, clock_gettime};

struct Job {
    params: FarnebackParams,
    /// Dense inverse search, and not Farneback's method.
    preset: Option<Preset>,
    threads: usize,
    rounds: usize,
    push: bool,
    out: Option<String>,
}

fn job(arguments: &[String]) -> Result<Job, Box<dyn std::error::Error>> {
    let mut job =
        Job { params: FarnebackParams::default(), preset: None, threads: 1, rounds: 1, push: false, out: None };
    for argument in arguments {
        let (key, value) = argument.split_once('=').ok_or("not KEY=VALUE")?;
        match key {
            "pyr_scale" => job.params.pyr_scale = value.parse()?,
            "levels" => job.params.levels = value.parse()?,
            "winsize" => job.params.winsize = value.parse()?,
            "iterations" => job.params.iterations = value.parse()?,
            "poly_n" => job.params.poly_n = value.parse()?,
            "poly_sigma" => job.params.poly_sigma = value.parse()?,
            "gaussian" => job.params.gaussian = value.parse()?,
            "preset" => job.preset = Some(Preset::named(value).ok_or("no such preset")?),
            "threads" => job.threads = value.parse()?,
            "rounds" => job.rounds = value.parse()?,
            "mode" => job.push = value == "push",
            "out" => job.out = Some(value.to_owned()),
            _ => return Err(format!("no key {key}").into()),
        }
    }
    Ok(job)
}

/// The flows of all neighbours among `frames`, one after the other in `flows`.
fn round(method: &mut Flow, frames: &[Luma], push: bool, flows: &mut [f32]) {
    let len = flows.len() / (frames.len() - 1);
    if push {
        method.restart();
        let flows = std::iter::once(None).chain(flows.chunks_mut(len).map(Some));
        for (frame, out) in frames.iter().zip(flows) {
            let flow = method.push(*frame).expect("frames have the size");
            if let (Some(flow), Some(out)) = (flow, out) {
                out.copy_from_slice(flow);
            }
        }
    } else {
        for (pair, out) in frames.windows(2).zip(flows.chunks_mut(len)) {
            method.pair(pair[0], pair[1], out).expect("frames have the size");
        }
    }
}

/// What all threads of this process have used.
fn cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, width, height, rest @ ..] = &*arguments else {
        return Err("flow_bench FILE WIDTH HEIGHT [KEY=VALUE …]".into());
    };
    let (width, height) = (width.parse::<usize>()?, height.parse::<usize>()?);
    let job = job(rest)?;
    let bytes = std::fs::read(file)?;
    let frames = bytes.chunks_exact(width * height).map(|frame| Luma::new(frame, width, height, width));
    let frames = frames.collect::<Result<Vec<_>, _>>()?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(job.threads).build()?;
    let params = match job.preset {
        Some(preset) => FlowParams::Dis(preset.params()),
        None => FlowParams::Farneback(job.params),
    };
    let mut method = Flow::new(&params, width, height, Some(Arc::new(pool)))?;
    let pairs = frames.len().checked_sub(1).filter(|pairs| *pairs > 0).ok_or("fewer than two frames")?;
    let mut flows = vec![0.0; width * height * 2 * pairs];
    round(&mut method, &frames, job.push, &mut flows);
    for _ in 0..job.rounds {
        let (before, start) = (cpu(), Instant::now());
        round(&mut method, &frames, job.push, &mut flows);
        let each = |time: Duration| time.as_secs_f64() / pairs as f64;
        println!("{:.6} {:.6}", each(cpu().saturating_sub(before)), each(start.elapsed()));
    }
    if let Some(out) = job.out {
        std::fs::write(out, flows.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())?;
    }
    Ok(())
}
