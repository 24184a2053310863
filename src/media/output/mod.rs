//! Media that is made: frames and packets to whole files in memory.
//!
//! ```text
//! frames ──► filter ──► encoder ─┐
//! packets ──► sound ─────────────┴─► muxer ──► bytes          (clip: one file of one clip)
//! packets, frames ──► smart ─────┘
//! frame ───► image
//! ```

mod clip;
mod encoder;
mod faststart;
mod filter;
mod image;
mod lane;
mod muxer;
mod options;
mod own;
mod pictures;
mod smart;
mod sound;
mod source;
mod turn;

pub use clip::{ClipFile, ClipSpec, ClipWriter, SoundSpec, StreamSummary, VideoSpec};
pub use encoder::VideoCodec;
pub use filter::share;
pub use image::{ImageFormat, encode_image};
pub use muxer::keep;
pub use own::WARM_UP;
pub use smart::SmartSpec;
pub use sound::AudioCodec;
pub use source::Streams;
