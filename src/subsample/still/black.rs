//! Whether a picture is black, as FFmpeg's `blackdetect` sees it.

use crate::media::YuvFrame;

/// Whether at least `share` of the pixels are no brighter than `level` (0 to 1 of the luma's range).
pub fn is_black(frame: &YuvFrame<'_>, level: f64, share: f64) -> bool {
    let unit = f64::from(1u32 << frame.depth.saturating_sub(8).min(8));
    let most = f64::from((1u32 << frame.depth.min(16)) - 1);
    let level = if frame.full_range { level * most } else { (16.0 + level * 219.0) * unit };
    let level = level as u16;
    let count: usize = rows(frame, 0).map(|row| dark(row, level, frame.depth)).sum();
    count as f64 / (frame.width * frame.height).max(1) as f64 >= share
}

fn dark(row: &[u8], level: u16, depth: u32) -> usize {
    if depth > 8 {
        return row.chunks_exact(2).filter(|pair| u16::from_le_bytes([pair[0], pair[1]]) <= level).count();
    }
    let level = u8::try_from(level).unwrap_or(u8::MAX);
    // Sums of bytes stay in bytes for 255 pixels, so that the loop works on many at once.
    row.chunks(255).map(|part| usize::from(part.iter().map(|value| u8::from(*value <= level)).sum::<u8>())).sum()
}

/// The rows of a plane, without what pads them.
pub fn rows<'a>(frame: &YuvFrame<'a>, plane: usize) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let (across, down) = if plane == 0 { (0, 0) } else { frame.chroma_shift };
    let bytes = if frame.depth > 8 { 2 } else { 1 };
    let (width, height) = (frame.width.div_ceil(1 << across) * bytes, frame.height.div_ceil(1 << down));
    let rows = frame.planes[plane].chunks(frame.strides[plane].max(1)).take(height);
    rows.map(move |row| row.get(..width).unwrap_or(row))
}
