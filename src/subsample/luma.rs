//! A picture's luma, made small.

use crate::media::YuvFrame;

/// Pixels of a block that are looked at on each side, at most: more would change the mean but little.
const POINTS: usize = 8;

/// Mean luma of `width` x `height` blocks, row by row, in steps of an 8-bit sample, as stored (16 is black in limited
/// range). Of large blocks, a grid of points is taken. `out` is emptied first.
pub fn shrink(frame: &YuvFrame<'_>, width: usize, height: usize, out: &mut Vec<f32>) {
    out.clear();
    let (bytes, unit) = if frame.depth > 8 { (2, 1.0 / f32::from(1u16 << (frame.depth - 8))) } else { (1, 1.0) };
    for row in 0..height {
        for column in 0..width {
            let (mut sum, mut count) = (0u32, 0u32);
            for y in points(row, height, frame.height) {
                let line = frame.planes[0].get(y * frame.strides[0]..).unwrap_or_default();
                for x in points(column, width, frame.width) {
                    let byte = |at: usize| line.get(at).copied().unwrap_or(0);
                    let at = x * bytes;
                    sum += if bytes == 2 {
                        u16::from_le_bytes([byte(at), byte(at + 1)]).into()
                    } else {
                        u32::from(byte(at))
                    };
                    count += 1;
                }
            }
            out.push(sum as f32 / count.max(1) as f32 * unit);
        }
    }
}

/// The points of block `n` of `blocks` along a side.
fn points(n: usize, blocks: usize, side: usize) -> std::iter::StepBy<std::ops::Range<usize>> {
    let from = (n * side / blocks.max(1)).min(side.saturating_sub(1));
    let to = ((n + 1) * side / blocks.max(1)).clamp(from + 1, side.max(from + 1));
    (from..to).step_by((to - from).div_ceil(POINTS).max(1))
}
