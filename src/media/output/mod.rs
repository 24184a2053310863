//! Media that is made: frames and packets to whole files in memory.
//!
//! ```text
//! frames ──► filter ──► encoder ─┐
//! packets ──► sound ─────────────┴─► muxer ──► bytes          (clip: one file of one clip)
//! frame ───► image
//! ```

mod clip;
mod encoder;
mod filter;
mod image;
mod muxer;
mod sound;
mod source;

pub use clip::{ClipFile, ClipSpec, ClipWriter, SoundSpec, StreamSummary, VideoSpec};
pub use encoder::VideoCodec;
pub use image::{ImageFormat, encode_image};
pub use sound::AudioCodec;
pub use source::Streams;
