//! What can be wrong with a sample's media.

use std::io;

use super::NotSmart;
use crate::error::Class;
use crate::sample::{Failure, FailureClass};

/// Why media cannot be used. Messages hold nothing that varies from run to run.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    #[error("the sample's bytes cannot be read by the worker: {0}")]
    Input(#[source] io::Error),
    #[error("the media is empty: 0 bytes")]
    Empty,
    /// No demuxer that is allowed for these bytes recognises them.
    #[error("not a media file that is known here ({detail})")]
    NotMedia { detail: String },
    /// The container is broken: no header, cut off before it, or nonsense in it.
    #[error("the container cannot be read, it is cut off or damaged ({detail})")]
    Container { detail: String },
    #[error("the media has no video stream")]
    NoVideo,
    #[error("the media has no audio stream")]
    NoAudio,
    #[error("no decoder for {codec} on this machine")]
    UnsupportedCodec { codec: String },
    #[error("the picture of {width}x{height} is over the limit of {limit} pixels")]
    TooManyPixels { width: i64, height: i64, limit: u64 },
    #[error("{seconds:.1} s of media are over the limit of {limit:.1} s")]
    TooLong { seconds: f64, limit: f64 },
    #[error("the video has more than {limit} frames")]
    TooManyFrames { limit: u64 },
    #[error("{count} streams are over the limit of {limit}")]
    TooManyStreams { count: u64, limit: u64 },
    #[error("{count} packets are over the limit of {limit}")]
    TooManyPackets { count: u64, limit: u64 },
    /// More broken packets than allowed.
    #[error("{count} packets are broken, over the limit of {limit} ({detail})")]
    TooCorrupt { count: u64, limit: u64, detail: String },
    #[error("not one frame could be decoded ({detail})")]
    NoFrames { detail: String },
    #[error("the decoder failed ({detail})")]
    Decoder { detail: String },
    #[error(
        "no file of the kind `.{extension}` can be made; known are mp4, mov, mkv, webm, avi, ts, m4a, mp3, wav, flac, ogg, opus, aac"
    )]
    NoContainer { extension: String },
    #[error("FFmpeg on this machine has no encoder `{encoder}`")]
    NoEncoder { encoder: String },
    /// An option of an encoder that cannot be used.
    #[error(
        "the encoder `{encoder}` cannot take the option `{option}`: {why}; `ffmpeg -h encoder={encoder}` lists what it has, correct the section `encoding`"
    )]
    Option { encoder: String, option: String, why: String },
    /// The codec and the container do not go together.
    #[error("a `.{extension}` file cannot hold this ({detail}); choose another extension in encode_formats")]
    DoesNotFit { extension: String, detail: String },
    #[error("the encoder failed ({detail})")]
    Encoder { detail: String },
    /// Frames are reordered, and nothing tells how.
    #[error(
        "the container keeps no presentation times, and they cannot be told from the video: clips cannot be copied; set `precision: exact` in ClippingSubsampler"
    )]
    NoTimes,
    /// Copied and encoded parts do not make one clip after all: it is to be encoded from end to end.
    #[error("the clip cannot be put together of copied and encoded parts: {0}")]
    NoSeam(NotSmart),
    /// Nothing of the media lies within the span.
    #[error("nothing of the media lies within the clip")]
    NothingInside,
}

impl MediaError {
    /// How far it reaches: bytes that cannot be read are the machine's fault, all else is the sample's.
    pub fn class(&self) -> Class {
        match self {
            MediaError::Input(_) => Class::Shard,
            _ => Class::Sample,
        }
    }

    /// The class for tables.
    pub fn failure_class(&self) -> FailureClass {
        match self {
            MediaError::Input(_) => FailureClass::LocalFile,
            MediaError::Empty => FailureClass::Empty,
            MediaError::NotMedia { .. } => FailureClass::NotMedia,
            MediaError::NoVideo => FailureClass::NoVideo,
            MediaError::NoAudio => FailureClass::NoAudio,
            MediaError::UnsupportedCodec { .. }
            | MediaError::NoContainer { .. }
            | MediaError::NoEncoder { .. }
            | MediaError::Option { .. }
            | MediaError::DoesNotFit { .. } => FailureClass::UnsupportedCodec,
            MediaError::Encoder { .. } | MediaError::NoSeam(_) => FailureClass::NotEncodable,
            MediaError::NoTimes => FailureClass::NotDecodable,
            MediaError::NothingInside => FailureClass::NoClips,
            MediaError::TooManyPixels { .. }
            | MediaError::TooLong { .. }
            | MediaError::TooManyFrames { .. }
            | MediaError::TooManyStreams { .. }
            | MediaError::TooManyPackets { .. } => FailureClass::MediaLimit,
            MediaError::Container { .. }
            | MediaError::TooCorrupt { .. }
            | MediaError::NoFrames { .. }
            | MediaError::Decoder { .. } => FailureClass::NotDecodable,
        }
    }
}

impl From<MediaError> for Failure {
    fn from(error: MediaError) -> Self {
        Failure::new(error.failure_class(), error.to_string())
    }
}
