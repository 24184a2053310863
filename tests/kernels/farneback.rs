//! Flow by the kernels is flow by the CPU: to the last bit, as both add and multiply in the same order.

use clipmill::flow::{Farneback, FarnebackParams, Luma};

use super::host::Order;
use super::launches::{Flow, Step, farneback};

/// Pseudo-random, the same everywhere.
pub fn random(seed: u32) -> impl FnMut() -> u32 {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state >> 8
    }
}

/// Frames of a textured scene that moves and has noise, rows of `stride` bytes; nothing behind the last pixel.
fn scene(width: usize, height: usize, stride: usize, count: usize) -> Vec<u8> {
    let mut noise = random((width * 7919 + height) as u32);
    let mut frames = Vec::new();
    for frame in 0..count {
        for y in 0..height {
            for x in 0..stride {
                let (x, y) = (x as f32 + 1.7 * frame as f32, y as f32 - 0.8 * frame as f32);
                let wave = (x * 0.21).sin() * 40.0 + (y * 0.13 + x * 0.05).cos() * 50.0 + (x * y * 0.011).sin() * 20.0;
                frames.push((128.0 + wave + (noise() % 9) as f32) as u8);
            }
        }
    }
    frames.truncate(frames.len() - (stride - width));
    frames
}

fn luma(frames: &[u8], (width, height, stride): (usize, usize, usize), index: usize) -> Luma<'_> {
    Luma::new(&frames[index * stride * height..], width, height, stride).unwrap()
}

/// Each pair's flow and polynomials, level by level, by the CPU against the kernels'.
fn same(params: &FarnebackParams, (width, height): (usize, usize), initial: Option<&[[f32; 2]]>, order: Order) {
    let (stride, count) = (width + 3, 3);
    let size = (width, height, stride);
    let frames = scene(width, height, stride, count);
    let pixels = width * height;
    let steps = farneback(params, size, &frames, initial, order);
    let mut cpu = Farneback::new(params, width, height, None).unwrap();
    for pair in 0..count - 1 {
        let what = format!("{width}×{height}, pair {pair}, {params:?}, {order:?}");
        let initial = initial.map(|flow| flow[pair * pixels..][..pixels].as_flattened());
        let mut flow = vec![0.0; 2 * pixels];
        let (first, second) = (luma(&frames, size, pair), luma(&frames, size, pair + 1));
        cpu.pair(first, second, initial, &mut flow).unwrap();
        assert_eq!(cpu.steps().count(), steps.len(), "{what}");
        for (number, (step, (terms, level_flow))) in steps.iter().zip(cpu.steps()).enumerate() {
            let what = format!("{what}, level {number}");
            for (frame, want) in terms.iter().enumerate() {
                equal(&polynomials(step, pair + frame), want, &format!("polynomials, {what}"));
            }
            let want = if number == 0 { &flow } else { level_flow };
            equal(flow_of(step, pair).as_flattened(), want, &format!("flow, {what}"));
        }
    }
}

fn polynomials(step: &Step, frame: usize) -> Vec<f32> {
    let pixels = step.width * step.height;
    let part = frame * pixels..(frame + 1) * pixels;
    let quads = step.quad[part.clone()].iter().zip(&step.mixed[part]);
    quads.flat_map(|([by, bx, yy, xx], xy)| [*by, *bx, *yy, *xx, *xy]).collect()
}

fn flow_of(step: &Step, pair: usize) -> &[[f32; 2]] {
    let pixels = step.width * step.height;
    &step.flow[pair * pixels..][..pixels]
}

fn equal(got: &[f32], want: &[f32], what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    let other = got.iter().zip(want).position(|(got, want)| got != want || !got.is_finite());
    if let Some(at) = other {
        panic!("{what}: number {at} is {}, not {}", got[at], want[at]);
    }
}

fn variants() -> Vec<FarnebackParams> {
    let base = FarnebackParams::default();
    let mut all = vec![
        base,
        FarnebackParams { gaussian: true, ..base },
        FarnebackParams { levels: 0, iterations: 1, ..base },
        FarnebackParams { levels: 5, pyr_scale: 0.8, winsize: 5, ..base },
        FarnebackParams { levels: 5, pyr_scale: 0.8, winsize: 9, gaussian: true, ..base },
        FarnebackParams { poly_n: 7, poly_sigma: 1.5, winsize: 16, ..base },
        FarnebackParams { poly_n: 7, poly_sigma: 0.0, winsize: 33, ..base },
        FarnebackParams { poly_sigma: 0.4, winsize: 33, gaussian: true, iterations: 2, ..base },
        FarnebackParams { iterations: 10, winsize: 7, ..base },
        FarnebackParams { pyr_scale: 0.3, winsize: 2, ..base },
        FarnebackParams { pyr_scale: 0.3, winsize: 3, gaussian: true, ..base },
    ];
    // Every number of bits of the window, since a box is summed by powers of two.
    all.extend([19, 21, 25, 31].map(|winsize| FarnebackParams { winsize, levels: 1, iterations: 1, ..base }));
    all
}

#[test]
fn all_parameters_give_the_flow_of_the_cpu() {
    for params in &variants() {
        same(params, (97, 70), None, Order::Forward);
    }
}

#[test]
fn frames_of_all_sizes_give_the_flow_of_the_cpu() {
    let base = FarnebackParams::default();
    let sizes = [(1, 1), (1, 9), (9, 1), (2, 2), (3, 2), (17, 33), (33, 17), (32, 16), (128, 8), (129, 31), (256, 40)];
    for size in sizes {
        for params in [base, FarnebackParams { gaussian: true, poly_n: 7, ..base }] {
            same(&params, size, None, Order::Forward);
        }
    }
    same(&base, (320, 240), None, Order::Forward);
    same(&FarnebackParams { gaussian: true, ..base }, (320, 240), None, Order::Forward);
}

#[test]
fn the_largest_windows_give_the_flow_of_the_cpu() {
    let base = FarnebackParams { iterations: 1, levels: 1, ..Default::default() };
    for (winsize, gaussian) in [(255, false), (254, false), (128, false), (255, true), (254, true)] {
        same(&FarnebackParams { winsize, gaussian, ..base }, (150, 64), None, Order::Forward);
    }
    same(&FarnebackParams { winsize: 255, ..base }, (1, 300), None, Order::Forward);
}

#[test]
fn small_levels_of_large_frames_give_the_flow_of_the_cpu() {
    let params = FarnebackParams { pyr_scale: 0.1, levels: 1, iterations: 1, ..Default::default() };
    same(&params, (700, 330), None, Order::Forward);
}

#[test]
fn threads_may_run_in_any_order() {
    let base = FarnebackParams::default();
    for order in [Order::Backward, Order::Scattered] {
        for params in [base, FarnebackParams { gaussian: true, poly_n: 7, ..base }] {
            same(&params, (150, 70), None, order);
            same(&params, (5, 3), None, order);
        }
    }
}

#[test]
fn an_initial_flow_is_that_of_the_cpu_whatever_its_numbers() {
    let mut noise = random(5);
    for (width, height) in [(97, 70), (3, 2), (1, 1)] {
        let mut value = || (noise() % 4000) as f32 / 1000.0 - 2.0;
        let mut initial: Flow = (0..2 * width * height).map(|_| [value(), value()]).collect();
        for (at, strange) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e38, -3e38, 1e7].into_iter().enumerate() {
            let len = initial.len();
            initial[at * 7919 % len][at % 2] = strange;
        }
        for levels in [0, 3] {
            let params = FarnebackParams { levels, ..Default::default() };
            same(&params, (width, height), Some(&initial), Order::Forward);
        }
    }
}
