//! How much moves: the picture shrunk to small cells, a few times a second, and how far its luma is from the last one's.

use serde_json::{Map, Value, json};

use crate::media::YuvFrame;
use crate::sample::Failure;
use crate::subsample::clips::Span;
use crate::subsample::watch::{Watched, Watcher};

/// Cells along the longer side, at least; not twice as many.
const CELLS: usize = 64;
/// Pixels of a cell that are looked at, across and down.
const POINTS: usize = 4;
/// Cells hold luma in this many bits.
const DEPTH: u32 = 12;
/// Seconds that times are off by, at most: some containers count in milliseconds.
const SLACK: f64 = 1e-3;

/// Compares pictures at a fixed rate, so that the same scene has the same motion at whatever frame rate it is stored.
#[derive(Debug)]
pub struct Motion {
    /// Pictures a second.
    fps: f64,
    size: (usize, usize),
    /// Luma of the cells: now, and of the last picture that was looked at.
    cells: [Vec<u16>; 2],
    /// Time (s) and number of the last tick that a picture was looked at for.
    last: Option<(f64, u64)>,
    first: f64,
    pairs: Vec<Pair>,
}

/// Two pictures in a row that were compared.
#[derive(Debug, Clone, Copy)]
struct Pair {
    /// Seconds.
    from: f64,
    to: f64,
    /// How many ticks lie between them; in all but the last of these, the first picture stood still.
    ticks: u64,
    /// Mean absolute difference, 0 to 1.
    difference: f64,
}

impl Motion {
    pub fn new(fps: f64) -> Self {
        Self { fps, size: (0, 0), cells: [Vec::new(), Vec::new()], last: None, first: 0.0, pairs: Vec::new() }
    }

    fn fields<'p>(pairs: impl Iterator<Item = &'p Pair>) -> Map<String, Value> {
        let (mut sum, mut ticks, mut most) = (0.0, 0, None::<f64>);
        for pair in pairs {
            sum += pair.difference;
            ticks += pair.ticks;
            most = Some(most.unwrap_or(0.0).max(pair.difference));
        }
        let tidy = |value: f64| (value * 1e6).round() / 1e6;
        let mean = most.map(|_| tidy(sum / ticks as f64));
        Map::from_iter([("motion".to_owned(), json!(mean)), ("motion_max".to_owned(), json!(most.map(tidy)))])
    }
}

impl Watcher for Motion {
    fn frame(&mut self, frame: &YuvFrame<'_>) -> Result<(), Failure> {
        let seconds = frame.seconds;
        let Some((from, before)) = self.last else {
            (self.first, self.size) = (seconds, (frame.width, frame.height));
            self.last = Some((seconds, 0));
            shrink(frame, &mut self.cells[0]);
            return Ok(());
        };
        let tick = ((seconds - self.first + SLACK) * self.fps) as u64;
        if tick <= before {
            return Ok(());
        }
        self.cells.swap(0, 1);
        let [now, then] = &mut self.cells;
        shrink(frame, now);
        self.last = Some((seconds, tick));
        // Pictures of another size compare to nothing before.
        if std::mem::replace(&mut self.size, (frame.width, frame.height)) == (frame.width, frame.height) {
            let sum: u64 = now.iter().zip(&*then).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            let white = if frame.full_range { 255 } else { 219 } << (DEPTH - 8);
            let difference = sum as f64 / (now.len().max(1) * white) as f64;
            self.pairs.push(Pair { from, to: seconds, ticks: tick - before, difference: difference.min(1.0) });
        }
        Ok(())
    }

    fn finish(&mut self, _: &Watched) -> Result<Map<String, Value>, Failure> {
        Ok(Self::fields(self.pairs.iter()))
    }

    /// Pairs across a clip's edge, which may be a cut, are no motion of it.
    fn clip(&self, _: &Watched, (start, end): Span) -> Map<String, Value> {
        let from = self.pairs.partition_point(|pair| pair.from < start - SLACK / 2.0);
        let to = self.pairs.partition_point(|pair| pair.to < end - SLACK / 2.0);
        Self::fields(self.pairs.get(from..to).unwrap_or_default().iter())
    }
}

/// Mean luma of square cells, by a few of their pixels.
fn shrink(frame: &YuvFrame<'_>, cells: &mut Vec<u16>) {
    let side = (frame.width.max(frame.height) / CELLS).max(1);
    let (across, down) = (frame.width / side, frame.height / side);
    let points = side.min(POINTS);
    let offset = |n: usize| (2 * n + 1) * side / (2 * points);
    let offsets: [usize; POINTS] = std::array::from_fn(|n| offset(n.min(points - 1)));
    let offsets = offsets.get(..points).unwrap_or_default();
    let shift = DEPTH.saturating_sub(frame.depth);
    let count = (points * points) as u32;
    cells.clear();
    for row in 0..down {
        for column in 0..across {
            let mut sum = 0u32;
            for y in offsets {
                for x in offsets {
                    sum += luma(frame, column * side + x, row * side + y);
                }
            }
            cells.push(((sum << shift) / count) as u16);
        }
    }
}

#[inline]
fn luma(frame: &YuvFrame<'_>, x: usize, y: usize) -> u32 {
    let [plane, ..] = frame.planes;
    let at = |index: usize| plane.get(index).copied().map_or(0, u32::from);
    let row = y * frame.strides[0];
    if frame.depth > 8 { at(row + 2 * x) | at(row + 2 * x + 1) << 8 } else { at(row + x) }
}
