//! What rank and worker say to each other over their socket.
//!
//! A frame is a header of 12 bytes (magic, version, kind, length of the body; little-endian) and a body in JSON. The
//! rank speaks first: [`Setup`], which the worker answers with [`Hello`]; then, for each sample, [`Task`] with two
//! descriptors (the media, an empty memfd for the outputs), answered with any number of log lines and one [`Reply`].

use std::io;

use bytes::{Buf, BytesMut};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::limits::Limits;
use super::worker::sandbox::SandboxLevel;
use crate::gpu::{DeviceInfo, Missing, Wish};
use crate::sample::{Failure, Status, Usage};

const MAGIC: [u8; 4] = *b"CMWK";
/// Raise it with every change of the frames or bodies.
pub(super) const VERSION: u16 = 3;
pub(super) const HEADER_BYTES: usize = 12;
/// Metadata of one sample with its outputs. Media never goes through the socket.
pub(super) const BODY_LIMIT: usize = 64 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Setup,
    Hello,
    Task,
    Log,
    Reply,
}

impl Kind {
    const ALL: [Kind; 5] = [Kind::Setup, Kind::Hello, Kind::Task, Kind::Log, Kind::Reply];

    fn code(self) -> u16 {
        match self {
            Kind::Setup => 1,
            Kind::Hello => 2,
            Kind::Task => 3,
            Kind::Log => 4,
            Kind::Reply => 5,
        }
    }
}

/// First frame to a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Setup {
    pub limits: Limits,
    /// What is wanted of a GPU; none: it is left alone.
    pub gpu: Option<Wish>,
}

/// First frame from a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    /// Of the program: recipes mean the same to the same version only.
    pub program: String,
    pub sandbox: SandboxLevel,
    /// The GPU, or why there is none; none where none was wanted.
    pub gpu: Option<Result<DeviceInfo, Missing>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Task {
    pub recipe: Value,
    pub meta: Map<String, Value>,
    pub media_bytes: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Reply {
    pub outputs: Vec<Region>,
    pub failure: Option<Failure>,
    /// On which processors it was made.
    pub usage: Usage,
}

/// One output: its members lie in the outputs' file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Region {
    pub meta: Map<String, Value>,
    pub status: Status,
    /// Extension, offset, length.
    pub members: Vec<(String, u64, u64)>,
    /// Extension under which the sample's own media is a member.
    pub media: Option<String>,
}

/// What is wrong with a frame.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WireError {
    #[error("bytes that are no message")]
    Magic,
    #[error("a message of protocol version {0}, and this is version {VERSION}")]
    Version(u16),
    #[error("a message of an unknown kind ({0})")]
    Kind(u16),
    #[error("a message of {0} bytes, over the limit of {BODY_LIMIT}")]
    Length(usize),
}

/// A frame's header and body.
pub(super) fn encode(kind: Kind, body: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; HEADER_BYTES];
    serde_json::to_writer(&mut frame, body)?;
    let len = frame.len() - HEADER_BYTES;
    if len > BODY_LIMIT {
        return Err(io::Error::new(io::ErrorKind::InvalidData, WireError::Length(len).to_string()));
    }
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend_from_slice(&MAGIC);
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&kind.code().to_le_bytes());
    header.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
    frame[..HEADER_BYTES].copy_from_slice(&header);
    Ok(frame)
}

/// Kind and body length that a header announces.
pub(super) fn header(bytes: [u8; HEADER_BYTES]) -> Result<(Kind, usize), WireError> {
    let [a, b, c, d, v0, v1, k0, k1, l0, l1, l2, l3] = bytes;
    if [a, b, c, d] != MAGIC {
        return Err(WireError::Magic);
    }
    let version = u16::from_le_bytes([v0, v1]);
    if version != VERSION {
        return Err(WireError::Version(version));
    }
    let code = u16::from_le_bytes([k0, k1]);
    let kind = Kind::ALL.into_iter().find(|kind| kind.code() == code).ok_or(WireError::Kind(code))?;
    let len = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if len > BODY_LIMIT { Err(WireError::Length(len)) } else { Ok((kind, len)) }
}

/// Takes a whole frame from the front of what has arrived; none where more has to come.
pub(super) fn take(arrived: &mut BytesMut) -> Result<Option<(Kind, BytesMut)>, WireError> {
    let Some(first) = arrived.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let (kind, len) = header(*first)?;
    if arrived.len() < HEADER_BYTES + len {
        return Ok(None);
    }
    arrived.advance(HEADER_BYTES);
    Ok(Some((kind, arrived.split_to(len))))
}

pub(super) fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_arrive_in_pieces_and_together() {
        let frames = [encode(Kind::Log, &"one").unwrap(), encode(Kind::Reply, &Reply::default()).unwrap()].concat();
        let mut arrived = BytesMut::new();
        let mut kinds = Vec::new();
        for byte in frames {
            arrived.extend_from_slice(&[byte]);
            while let Some((kind, _)) = take(&mut arrived).unwrap() {
                kinds.push(kind);
            }
        }
        assert_eq!(kinds, [Kind::Log, Kind::Reply]);
        assert!(arrived.is_empty());
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let good = encode(Kind::Log, &"x").unwrap();
        let broken = |at: usize, byte: u8| {
            let mut frame = BytesMut::from(&good[..]);
            frame[at] = byte;
            take(&mut frame).unwrap_err()
        };
        assert_eq!(broken(0, b'X'), WireError::Magic);
        assert_eq!(broken(4, 9), WireError::Version(9));
        assert_eq!(broken(6, 77), WireError::Kind(77));
        assert!(matches!(broken(11, 0xff), WireError::Length(_)));
    }
}
