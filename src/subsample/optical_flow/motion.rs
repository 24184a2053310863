//! What is said of flows in a sample's JSON.

use serde_json::{Value, json};

/// log2 of the steps that the magnitudes' histogram has per doubling: a percentile is off by 1.6 % at most.
const STEP_BITS: u32 = 5;
/// Smallest magnitude that is told apart from none, pixels; and how many doublings are from there to the largest.
const LEAST: f32 = 1.0 / 1024.0;
const DOUBLINGS: usize = 26;
const BINS: usize = DOUBLINGS << STEP_BITS;

/// Magnitudes of all pixels of all flows: sums and a histogram, so that memory does not grow with the video.
#[derive(Debug, Clone)]
pub struct Motion {
    /// Mean magnitude of each flow, pixels.
    means: Vec<f64>,
    max: f32,
    /// Pixels that move by less than `LEAST`.
    still: u64,
    counts: Vec<u64>,
}

impl Motion {
    pub fn new() -> Self {
        Self { means: Vec::new(), max: 0.0, still: 0, counts: vec![0; BINS] }
    }

    /// Flows that were added.
    pub fn flows(&self) -> usize {
        self.means.len()
    }

    /// Adds a flow: dx and dy of each pixel.
    pub fn add(&mut self, flow: &[f32]) {
        let mut sum = 0.0;
        for [dx, dy] in flow.as_chunks::<2>().0 {
            let magnitude = (dx * dx + dy * dy).sqrt();
            sum += f64::from(magnitude);
            self.max = self.max.max(magnitude);
            if magnitude < LEAST {
                self.still += 1;
            } else if let Some(count) = self.counts.get_mut(bin(magnitude).min(BINS - 1)) {
                *count += 1;
            }
        }
        self.means.push(sum / (flow.len() / 2).max(1) as f64);
    }

    /// The mean over all flows, pixels a step.
    pub fn mean(&self) -> Value {
        json!(tidy(self.means.iter().sum::<f64>() / self.means.len().max(1) as f64))
    }

    pub fn max(&self) -> Value {
        json!(tidy(f64::from(self.max)))
    }

    pub fn means(&self) -> Value {
        json!(self.means.iter().copied().map(tidy).collect::<Vec<_>>())
    }

    /// Of the magnitudes of all pixels: half of them are at most `p50`, and so on.
    pub fn percentiles(&self) -> Value {
        let of = |percent: u64| {
            let total = self.still + self.counts.iter().sum::<u64>();
            let wanted = (total * percent).div_ceil(100);
            if self.still >= wanted {
                return 0.0;
            }
            let mut seen = self.still;
            let reaches = |count: &u64| {
                seen += count;
                seen >= wanted
            };
            let reached = self.counts.iter().position(reaches).unwrap_or_default();
            tidy(f64::from(middle(reached).min(self.max)))
        };
        json!({"p50": of(50), "p95": of(95), "p99": of(99)})
    }
}

/// The bin of a magnitude that is at least `LEAST`: its exponent, and the first bits of its fraction.
fn bin(magnitude: f32) -> usize {
    let bits = (magnitude / LEAST).to_bits() >> (f32::MANTISSA_DIGITS - 1 - STEP_BITS);
    bits.saturating_sub(ONE) as usize
}

/// The magnitude in the middle of a bin.
fn middle(bin: usize) -> f32 {
    let bits = ((bin as u32 + ONE) * 2 + 1) << (f32::MANTISSA_DIGITS - 2 - STEP_BITS);
    f32::from_bits(bits) * LEAST
}

/// The first bits of 1.0.
const ONE: u32 = 127 << STEP_BITS;

/// Millionths are enough, and print short.
fn tidy(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_spread() {
        let mut motion = Motion::new();
        // 1000 pixels that move by 0 to 124.875.
        motion.add(&(0..1000).flat_map(|n| [n as f32 * 0.125, 0.0]).collect::<Vec<_>>());
        let got = motion.percentiles();
        for (name, want) in [("p50", 62.375), ("p95", 118.625), ("p99", 123.625)] {
            let value = got[name].as_f64().unwrap();
            assert!((value / want - 1.0).abs() < 0.017, "{name}: {value}");
        }
        assert_eq!((motion.mean(), motion.max(), motion.means()), (json!(62.4375), json!(124.875), json!([62.4375])));
    }

    #[test]
    fn what_stands_still_has_no_magnitude() {
        let mut motion = Motion::new();
        motion.add(&[0.0; 20]);
        assert_eq!(motion.percentiles(), json!({"p50": 0.0, "p95": 0.0, "p99": 0.0}));
        motion.add(&[1e9; 20]);
        assert_eq!(motion.flows(), 2);
        assert!(motion.percentiles()["p99"].as_f64().unwrap() > 32768.0);
    }
}
