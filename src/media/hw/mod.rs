//! Decoding on NVIDIA's GPUs (NVDEC), through FFmpeg's hardware acceleration.
//!
//! ```text
//! device    FFmpeg's side of the GPU that this worker has: one context for both
//! codecs    what FFmpeg, as it was built, has decoders for
//! download  pictures of the device as the software decoder would have made them
//! ```
//!
//! A decoder that is given a device asks the GPU by itself, and takes the software's way where it refuses: for a codec, a
//! profile, a chroma format or a size that it does not know. So each file goes the way that it can, and frames say which it
//! was.

mod codecs;
mod device;
mod download;

use ffmpeg_next::format::Pixel;
use ffmpeg_next::{color, ffi, frame};

use crate::gpu::Surface;

pub use codecs::codecs;
pub(super) use codecs::is_offered;
pub use device::HwDevice;
pub(super) use download::Download;

/// Whether the picture lies in the memory of a GPU.
pub fn is_on_device(picture: &frame::Video) -> bool {
    picture.format() == Pixel::CUDA
}

/// The luma of a picture in the GPU's memory; `None` where the picture lies elsewhere, or has a format that no kernel
/// reads.
pub fn surface(picture: &frame::Video) -> Option<Surface<'_>> {
    let is_deep = match stored_format(picture)? {
        Pixel::NV12 => false,
        Pixel::P010LE | Pixel::P016LE => true,
        _ => return None,
    };
    // SAFETY: the frame is alive; for this format its first plane is an address of the device, of `linesize` bytes a row.
    let (luma, stride) = unsafe { ((*picture.as_ptr()).data[0], (*picture.as_ptr()).linesize[0]) };
    let full_range = picture.color_range() == color::Range::JPEG;
    let (width, height, stride) = (picture.width() as usize, picture.height() as usize, usize::try_from(stride).ok()?);
    // SAFETY: FFmpeg's decoder has drawn `height` rows of `stride` bytes there, in the context and stream of this worker's
    // device, and keeps them for as long as the frame lives.
    Some(unsafe { Surface::new(luma as u64, stride, (width, height), is_deep, full_range) })
}

/// What the pixels in the GPU's memory are.
fn stored_format(picture: &frame::Video) -> Option<Pixel> {
    if !is_on_device(picture) {
        return None;
    }
    // SAFETY: frames of this format hold a reference to the context that they were allocated of.
    unsafe {
        let frames = (*picture.as_ptr()).hw_frames_ctx;
        if frames.is_null() {
            return None;
        }
        Some(Pixel::from((*(*frames).data.cast::<ffi::AVHWFramesContext>()).sw_format))
    }
}
