//! Pictures at another size against sums in f64.

use super::buffer::Buffer;
use super::farneback::random;
use super::host::{Args, Order, launch};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Area = 0,
    Bicubic = 1,
    Lanczos = 2,
}

const KINDS: [Kind; 3] = [Kind::Area, Kind::Bicubic, Kind::Lanczos];

fn taps(kind: Kind, source: usize, target: usize) -> usize {
    let (ratio, lobes) = (source as f64 / target as f64, if kind == Kind::Bicubic { 2.0 } else { 3.0 });
    if kind == Kind::Area { ratio.ceil() as usize + 1 } else { 2 * (lobes * ratio.max(1.0)).ceil() as usize + 1 }
}

/// How much source pixel `at` counts for a target, not normalised, from the filter's definition.
fn weight(kind: Kind, source: usize, target: usize, index: usize, at: f64) -> f64 {
    let ratio = source as f64 / target as f64;
    let centre = (index as f64 + 0.5) * ratio - 0.5;
    let x = ((at - centre) / ratio.max(1.0)).abs();
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x) };
    match kind {
        Kind::Area => (((index + 1) as f64 * ratio).min(at + 1.0) - (index as f64 * ratio).max(at)).max(0.0),
        Kind::Bicubic if x < 1.0 => 1.4 * x.powi(3) - 2.4 * x.powi(2) + 1.0,
        Kind::Bicubic if x < 2.0 => -0.6 * x.powi(3) + 3.0 * x.powi(2) - 4.8 * x + 2.4,
        Kind::Lanczos if x < 3.0 => sinc(x) * sinc(x / 3.0),
        _ => 0.0,
    }
}

/// One row or column at another size.
fn line(kind: Kind, source: &[f64], target: usize) -> Vec<f64> {
    let len = source.len() as i32;
    let of = |index: usize| {
        let (mut sum, mut weights) = (0.0, 0.0);
        // Far enough beyond both ends.
        for at in -4 * len - 8..5 * len + 8 {
            let weight = weight(kind, source.len(), target, index, f64::from(at));
            sum += weight * source[at.clamp(0, len - 1) as usize];
            weights += weight;
        }
        sum / weights
    };
    (0..target).map(of).collect()
}

fn table(kind: Kind, source: usize, target: usize) -> (Buffer<i32>, Buffer<f32>, usize) {
    let taps = taps(kind, source, target);
    let (first, weights) = (Buffer::filled(i32::MIN, target), Buffer::filled(f32::NAN, target * taps));
    let args = Args::new().value(kind as i32).ints([source, target, taps]).buffer(&first).buffer(&weights);
    launch("resize_table", [target.div_ceil(128), 1, 1], [128, 1], 0, Order::Forward, args);
    (first, weights, taps)
}

/// `pictures` one after the other, `channels` bytes a pixel.
fn resize(
    kind: Kind,
    pictures: &[u8],
    channels: usize,
    from: (usize, usize),
    to: (usize, usize),
    order: Order,
) -> Vec<u8> {
    let (row, count) = (from.0 * channels, pictures.len() / (from.0 * from.1 * channels));
    let pictures = Buffer::of(pictures);
    let tall = Buffer::filled(f32::NAN, row * to.1 * count);
    let (first, weights, taps) = table(kind, from.1, to.1);
    let args = Args::new().buffer(&pictures).ints([row, row * from.1, from.1]).buffer(&tall).ints([row, to.1]);
    let args = args.buffer(&first).buffer(&weights).int(taps);
    launch("resize_columns", [row.div_ceil(128), to.1, count], [128, 1], 0, order, args);
    let (first, weights, taps) = table(kind, from.0, to.0);
    let row = to.0 * channels;
    let out = Buffer::filled(0xaa_u8, row * to.1 * count);
    let args = Args::new().buffer(&tall).int(from.0).buffer(&out).ints([row, row * to.1, to.0, to.1, channels]);
    let args = args.buffer(&first).buffer(&weights).int(taps);
    launch("resize_rows", [row.div_ceil(128), to.1, count], [128, 1], 0, order, args);
    out.read()
}

fn reference(kind: Kind, picture: &[u8], channels: usize, from: (usize, usize), to: (usize, usize)) -> Vec<f64> {
    let mut out = vec![0.0; to.0 * to.1 * channels];
    for channel in 0..channels {
        let column = |x: usize| -> Vec<f64> {
            (0..from.1).map(|y| f64::from(picture[(y * from.0 + x) * channels + channel])).collect()
        };
        let tall: Vec<Vec<f64>> = (0..from.0).map(|x| line(kind, &column(x), to.1)).collect();
        for y in 0..to.1 {
            let row: Vec<f64> = tall.iter().map(|column| column[y]).collect();
            for (x, value) in line(kind, &row, to.0).into_iter().enumerate() {
                out[(y * to.0 + x) * channels + channel] = value.clamp(0.0, 255.0);
            }
        }
    }
    out
}

#[test]
fn pictures_of_all_sizes_are_sums_of_the_filters() {
    let sizes = [
        ((1, 1), (1, 1)),
        ((1, 1), (3, 2)),
        ((1, 9), (4, 2)),
        ((3, 2), (1, 1)),
        ((17, 33), (7, 9)),
        ((17, 33), (40, 34)),
        ((150, 20), (131, 5)),
    ];
    for kind in KINDS {
        for (from, to) in sizes {
            for channels in [1, 3] {
                let mut noise = random((from.0 * 31 + from.1) as u32);
                let len = from.0 * from.1 * channels;
                let pictures: Vec<u8> = (0..2 * len).map(|_| noise() as u8).collect();
                let got = resize(kind, &pictures, channels, from, to, Order::Forward);
                let want = pictures.chunks(len).flat_map(|one| reference(kind, one, channels, from, to));
                for (at, (got, want)) in got.iter().zip(want).enumerate() {
                    // Half a step of rounding, and f32's.
                    let off = (f64::from(*got) - want).abs();
                    assert!(off < 0.501, "{kind:?}, {from:?} to {to:?}, {channels}: {at} is {got}, not {want}");
                }
                assert_eq!(got, resize(kind, &pictures, channels, from, to, Order::Scattered));
            }
        }
    }
}

#[test]
fn weights_sum_to_one_and_the_same_size_changes_nothing() {
    for kind in KINDS {
        for (source, target) in [(1920, 256), (256, 1920), (1, 1), (7, 3), (32768, 16)] {
            let (first, weights, taps) = table(kind, source, target);
            assert_eq!(first.read().len(), target);
            for weights in weights.read().chunks(taps) {
                let sum: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
                assert!((sum - 1.0).abs() < 1e-5, "{kind:?}, {source} to {target}: {sum}");
            }
        }
        let picture: Vec<u8> = (0..200).map(|value| value as u8).collect();
        assert_eq!(resize(kind, &picture, 1, (20, 10), (20, 10), Order::Forward), picture);
    }
}
