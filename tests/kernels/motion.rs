//! Magnitudes' sums, maxima and histogram against plain loops.

use super::buffer::Buffer;
use super::farneback::random;
use super::host::{Args, Order, launch};

const BINS: usize = 832;

/// As src/subsample/optical_flow/motion.rs: 32 steps for each doubling from 1/1024 pixel on.
fn bin(magnitude: f32) -> usize {
    let scaled = magnitude * 1024.0;
    if scaled < 1.0 {
        return BINS;
    }
    let exponent = scaled.log2().floor().min(200.0);
    let fraction = f64::from(scaled) / f64::from(exponent).exp2();
    (exponent as usize * 32 + ((fraction - 1.0) * 32.0) as usize).min(BINS - 1)
}

/// Counts, sums and maxima of flows of `pixels` each.
fn measure(flow: &[[f32; 2]], pixels: usize, order: Order) -> (Vec<u64>, Vec<f64>, Vec<f32>) {
    let pairs = flow.len() / pixels;
    let flow = Buffer::of(flow);
    let (counts, maxima) = (Buffer::filled(0_u64, BINS + 1), Buffer::filled(0_u32, pairs));
    let (parts, sums) = (Buffer::filled(f64::NAN, 64 * pairs), Buffer::filled(f64::NAN, pairs));
    let args = Args::new().buffer(&flow).int(pixels).buffer(&counts).buffer(&parts).buffer(&maxima);
    launch("flow_motion", [64, 1, pairs], [256, 1], 0, order, args);
    let args = Args::new().buffer(&parts).buffer(&sums).int(pairs);
    launch("flow_motion_sum", [pairs.div_ceil(128), 1, 1], [128, 1], 0, order, args);
    (counts.read(), sums.read(), maxima.read().into_iter().map(f32::from_bits).collect())
}

#[test]
fn sums_maxima_and_bins_are_those_of_plain_loops() {
    let mut noise = random(3);
    for (pixels, pairs) in [(1, 1), (1, 200), (255, 3), (40_001, 2)] {
        let mut value = || ((noise() % 20_001) as f32 - 10_000.0) * 10.0_f32.powi((noise() % 9) as i32 - 8);
        let mut flow: Vec<[f32; 2]> = (0..pixels * pairs).map(|_| [value(), value()]).collect();
        flow[0] = [0.0, 0.0];
        let (counts, sums, maxima) = measure(&flow, pixels, Order::Forward);
        let mut want = vec![0; BINS + 1];
        for (pair, flow) in flow.chunks(pixels).enumerate() {
            let magnitudes: Vec<f32> = flow.iter().map(|[dx, dy]| (dx * dx + dy * dy).sqrt()).collect();
            magnitudes.iter().for_each(|magnitude| want[bin(*magnitude)] += 1);
            let sum: f64 = magnitudes.iter().map(|magnitude| f64::from(*magnitude)).sum();
            assert!((sums[pair] - sum).abs() <= 1e-12 * sum, "{} is not {sum}", sums[pair]);
            assert_eq!(maxima[pair], magnitudes.iter().copied().fold(0.0, f32::max));
        }
        assert_eq!(counts, want, "{pixels} pixels, {pairs} pairs");
        // The order in which threads run changes no bit of a sum.
        assert_eq!(measure(&flow, pixels, Order::Scattered), (counts, sums, maxima));
    }
}

#[test]
fn what_is_no_number_counts_as_no_movement_and_nothing_overflows() {
    let flow = [[f32::NAN, 1.0], [f32::INFINITY, f32::NEG_INFINITY], [f32::MAX, f32::MAX], [3.0, 4.0]];
    let (counts, sums, maxima) = measure(&flow, 4, Order::Backward);
    assert_eq!((counts[bin(1.0)], counts[BINS], counts[BINS - 1], counts[bin(5.0)]), (1, 1, 1, 1));
    assert_eq!((sums[0].is_finite(), maxima[0]), (true, f32::MAX));
}
