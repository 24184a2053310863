//! All FFmpeg: demux, decode, filter, encode, remux, audio. Used by the worker program alone.
//!
//! ```text
//! Media ──► demux    the container, from the sample's bytes alone ──► source, limits
//!   ├─────► probe    what `ffprobe` prints (probe/stream, probe/side_data, probe/json)
//!   ├─────► packets  the packet index, keyframes
//!   ├─────► decode   frames in presentation order ──► picture (planar YUV) ──► frame; shrink
//!   └─────► pass     packets and frames together, and only those that are needed
//! hw: decoding on NVIDIA's GPUs
//! output: frames and packets to whole files in memory
//! smart: which packets of a clip can be copied between edges that are encoded
//! log: FFmpeg's messages, caught per sample
//! ```

mod check;
mod decode;
mod demux;
mod error;
mod frame;
mod hw;
mod input;
mod kept;
mod limits;
mod log;
mod order;
mod output;
mod packets;
mod pass;
mod picture;
mod probe;
mod shrink;
mod smart;
mod source;
mod told;

pub use check::Checked;
pub use decode::{DecodeOptions, DecodeReport, DecodedFrame, Decoder};
pub use error::MediaError;
pub use frame::{Matrix, YuvFrame};
pub use hw::{HwDevice, codecs as nvdec_codecs};
pub use input::{Decoded, Media, VideoInfo};
pub use limits::Limits;
pub use log::{LogCapture, LogLines};
pub use output::{
    AudioCodec, ClipFile, ClipSpec, ClipWriter, ImageFormat, SmartSpec, SoundSpec, StreamSummary, Streams, VideoCodec,
    VideoSpec, WARM_UP, encode_image, keep, share,
};
pub use packets::PacketInfo;
pub use pass::{Action, Event, Pass, PassOptions, Stretch, select};
pub use shrink::{Shrinker, SmallFormat, SmallPicture};
pub use smart::{Groups, NotSmart, Seams};
