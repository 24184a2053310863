//! On real footage: at most 0.01 px from OpenCV on average, and at most 0.1 px for 999 of 1000 pixels.

use clipmill::flow::FarnebackParams;

use crate::frames::Frames;
use crate::opencv::{Difference, Job, references};

const DEFAULT: FarnebackParams = FarnebackParams {
    pyr_scale: 0.5,
    levels: 3,
    winsize: 15,
    iterations: 3,
    poly_n: 5,
    poly_sigma: 1.2,
    gaussian: false,
};

fn job(name: &str, frames: &Frames, params: FarnebackParams) -> Job {
    Job { name: name.to_owned(), frames: frames.clone(), params, initial: None }
}

fn assert_equal_numbers(jobs: &[Job]) {
    let mut failed = Vec::new();
    for (job, reference) in jobs.iter().zip(references(jobs)) {
        let flow = job.frames.flow(&job.params, job.initial.as_deref());
        let Difference { mean, nearly_all } = Difference::between(&reference.flow, &flow);
        // Where OpenCV is about as far from itself, nobody can be nearer to it. Few pixels make up these numbers, so they
        // tell the order of magnitude only.
        let itself = Difference::between(&reference.flow, &reference.brighter);
        if mean > 0.01_f64.max(itself.mean * 4.0) || nearly_all > 0.1_f64.max(itself.nearly_all * 4.0) {
            let Job { name, frames: Frames { width, height, .. }, params, .. } = job;
            failed.push(format!("{name} {width}x{height} {params:?}: {mean}, {nearly_all}; OpenCV itself {itself:?}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn three_sizes_with_both_windows() {
    let jobs = [((320, 240), true), ((320, 240), false), ((640, 360), true), ((1280, 720), false)];
    let jobs = jobs.map(|(size, gaussian)| {
        let frames = Frames::footage("bigbuckbunny.mp4", 1.0, size, 2);
        job("bigbuckbunny", &frames, FarnebackParams { gaussian, ..DEFAULT })
    });
    assert_equal_numbers(&jobs);
}

#[test]
fn fast_movement() {
    assert_equal_numbers(&[job("bikes", &Frames::footage("bikes.mp4", 2.0, (320, 240), 2), DEFAULT)]);
}

#[test]
fn each_parameter() {
    let box_windows = [2, 3, 8, 16, 21, 64].map(|winsize| FarnebackParams { winsize, ..DEFAULT });
    let gaussian_windows = [2, 5, 16, 31].map(|winsize| FarnebackParams { winsize, gaussian: true, ..DEFAULT });
    let levels = [0, 1, 2, 5].map(|levels| FarnebackParams { levels, ..DEFAULT });
    let scales = [0.37, 0.6, 0.8, 0.93].map(|pyr_scale| FarnebackParams { pyr_scale, levels: 4, ..DEFAULT });
    let iterations = [1, 2, 10].map(|iterations| FarnebackParams { iterations, ..DEFAULT });
    let polynomials = [(5, 1.1), (7, 1.5), (7, 0.0), (5, 0.6), (7, 4.0)].map(|(poly_n, poly_sigma)| FarnebackParams {
        poly_n,
        poly_sigma,
        ..DEFAULT
    });
    let all = [&box_windows[..], &gaussian_windows, &levels, &scales, &iterations, &polynomials].concat();
    let footage = [("bikes.mp4", 2.0), ("carphone_pristine.mp4", 1.0)];
    let frames = footage.map(|(name, start)| (name, Frames::footage(name, start, (176, 144), 2)));
    let jobs = all.iter().zip(frames.iter().cycle()).map(|(params, (name, frames))| job(name, frames, *params));
    assert_equal_numbers(&jobs.collect::<Vec<_>>());
}

#[test]
fn tiny_and_odd_sizes() {
    let sizes = [(1, 1), (1, 9), (40, 1), (2, 2), (3, 40), (17, 13), (33, 65), (101, 37)];
    let params = [DEFAULT, FarnebackParams { gaussian: true, ..DEFAULT }, FarnebackParams { winsize: 41, ..DEFAULT }];
    let jobs: Vec<Job> = sizes
        .into_iter()
        .flat_map(|(width, height)| params.map(|params| job("noise", &Frames::noise(width, height), params)))
        .collect();
    assert_equal_numbers(&jobs);
}

/// Here the constant in the solution's denominator decides.
#[test]
fn hardly_any_structure() {
    let wave = |at: usize, length: f64| (at as f64 / length).sin() * 6.0;
    let frames = Frames::drawn(60, 50, |frame, x, y| (100.0 + wave(x + frame, 3.0) + wave(y, 3.6)).round() as u8);
    let winsizes = [3, 15].map(|winsize| job("faint", &frames, FarnebackParams { winsize, ..DEFAULT }));
    assert_equal_numbers(&winsizes);
}

#[test]
fn a_flow_to_begin_with() {
    let frames = Frames::footage("bikes.mp4", 2.0, (200, 150), 2);
    let initial: Vec<f32> =
        (0..200 * 150).flat_map(|at| [(at % 200) as f32 * 0.03 - 3.0, (at / 200) as f32 * -0.02 + 1.0]).collect();
    let params = [
        FarnebackParams { iterations: 1, ..DEFAULT },
        FarnebackParams { levels: 0, iterations: 1, ..DEFAULT },
        FarnebackParams { pyr_scale: 0.7, levels: 2, gaussian: true, ..DEFAULT },
    ];
    let jobs = params.map(|params| Job { initial: Some(initial.clone()), ..job("bikes", &frames, params) });
    assert_equal_numbers(&jobs);
    let without = frames.flow(&params[1], None);
    assert!(
        Difference::between(&without, &frames.flow(&params[1], Some(&initial))).mean > 0.1,
        "it makes no difference"
    );
}
