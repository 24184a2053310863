//! What a flow costs on this machine's GPU and on one core of its CPU: the constants of `src/gpu/model.rs`, measured.
//! `make bench-gpu` runs it. Without a GPU it says why there is none, and ends with 1.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clipmill::flow::{self, FarnebackParams, Luma};
use clipmill::gpu::{Cost, Device, Farneback, GpuError, Wish};

/// Frames of each run.
const FRAMES: usize = 257;
const SIZES: [(usize, usize); 6] = [(28, 16), (64, 48), (160, 96), (320, 240), (640, 360), (1280, 720)];

fn main() -> ExitCode {
    let device = match Device::open(&Wish { required: true, nvdec: None, seat: 0, workers: 1 }) {
        Ok(device) => Arc::new(device),
        Err(missing) => {
            eprintln!("no GPU to measure: {missing}");
            return ExitCode::FAILURE;
        }
    };
    let info = device.info();
    println!("{}, compute capability {}.{}", info.name, info.compute.0, info.compute.1);
    println!(
        "{:>11} {:>6} {:>12} {:>12} {:>12} {:>10}",
        "size", "batch", "gpu setup ms", "gpu ns/px", "cpu ns/px", "auto"
    );
    for size in SIZES {
        if let Err(error) = measure(&device, size) {
            eprintln!("{}x{}: {error}", size.0, size.1);
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn measure(device: &Arc<Device>, (width, height): (usize, usize)) -> Result<(), GpuError> {
    let params = FarnebackParams::default();
    let cost = Cost { pixels: (width * height) as u64, pairs: FRAMES as u64 - 1 };
    let frames: Vec<Vec<u8>> = (0..8).map(|n| texture(width, height, n)).collect();
    let start = Instant::now();
    let mut gpu = Farneback::new(device, &params, width, height, cost.batch())?;
    let setup = start.elapsed().as_secs_f64();
    let mut seconds = 0.0;
    // The first round brings the device up to its clock.
    for _ in 0..2 {
        let start = Instant::now();
        let mut flows = 0;
        for n in 0..FRAMES {
            gpu.push(picture(&frames, n, (width, height))?, &mut |_| count(&mut flows))?;
        }
        gpu.finish::<GpuError>(&mut |_| count(&mut flows))?;
        assert_eq!(flows, FRAMES - 1);
        seconds = start.elapsed().as_secs_f64();
    }
    let mut cpu = flow::Farneback::new(&params, width, height, None)?;
    let on_cpu = FRAMES.min(4_000_000 / (width * height) + 9);
    let start = Instant::now();
    for n in 0..on_cpu {
        cpu.push(picture(&frames, n, (width, height))?)?;
    }
    let per = |seconds: f64, flows: usize| seconds * 1e9 / (flows * width * height) as f64;
    println!(
        "{:>11} {:>6} {:>12.2} {:>12.3} {:>12.3} {:>10}",
        format!("{width}x{height}"),
        cost.batch(),
        setup * 1e3,
        per(seconds, FRAMES - 1),
        per(start.elapsed().as_secs_f64(), on_cpu - 1),
        if cost.is_worth_a_gpu() { "gpu" } else { "cpu" },
    );
    Ok(())
}

fn count(flows: &mut usize) -> Result<(), GpuError> {
    *flows += 1;
    Ok(())
}

fn picture(frames: &[Vec<u8>], n: usize, (width, height): (usize, usize)) -> Result<Luma<'_>, GpuError> {
    let frame = frames.get(n % frames.len()).map(Vec::as_slice).unwrap_or_default();
    Ok(Luma::new(frame, width, height, width)?)
}

/// Waves that move a little from picture to picture.
fn texture(width: usize, height: usize, n: usize) -> Vec<u8> {
    let value = |x: usize, y: usize| {
        let (x, y) = (x as f64 + 0.7 * n as f64, y as f64 + 0.3 * n as f64);
        (128.0 + 60.0 * (x / 5.0).sin() + 50.0 * (y / 4.0 + x / 9.0).cos()) as u8
    };
    (0..height).flat_map(|y| (0..width).map(move |x| value(x, y))).collect()
}
