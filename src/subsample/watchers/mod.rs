//! What is measured of a video's frames beside its cuts: how much moves, and where it is black or still.
//!
//! ```text
//! motion    the picture shrunk, a few times a second
//! black ─┐
//! still ─┴──► stretches    every frame, but no more of it than is needed to be sure
//! ```

mod black;
mod motion;
mod still;
mod stretches;

pub use black::Black;
pub use motion::Motion;
pub use still::Still;
pub use stretches::BlackStatic;

use crate::media::YuvFrame;

/// A plane's rows, without what pads them: bytes.
fn rows<'a>(frame: &YuvFrame<'a>, plane: usize) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let (across, down) = if plane == 0 { (0, 0) } else { frame.chroma_shift };
    let bytes = if frame.depth > 8 { 2 } else { 1 };
    let length = frame.width.div_ceil(1 << across) * bytes;
    let count = frame.height.div_ceil(1 << down);
    let data = frame.planes.get(plane).copied().unwrap_or_default();
    let stride = frame.strides.get(plane).copied().unwrap_or_default().max(1);
    data.chunks(stride).take(count).map(move |row| row.get(..length).unwrap_or_default())
}
