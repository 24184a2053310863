//! What a rank and its MPI helper say to each other over the helper's stdin and stdout.
//!
//! A frame is `b"CLMP"`, one byte for its kind, the payload's length (u32, little endian), the payload. The magic
//! makes whatever else ends up in the pipe (a library's banner, a wrong program) an error instead of a length.
//! This file is compiled into both programs, so that the helper links neither the library crate nor what it needs.

use std::io::{self, Read, Write};

const MAGIC: [u8; 4] = *b"CLMP";
/// Longest payload: MPI counts are 32-bit integers, and a plan is far smaller.
pub const MAX_PAYLOAD: usize = 256 << 20;

/// What a frame asks or answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Helper, before MPI_Init: the library's version, UTF-8.
    Library,
    /// Helper, after MPI_Init: rank and size, u32 each.
    Hello,
    /// Rank 0's bytes to all. The answer is the bytes.
    Broadcast,
    /// Everyone's bytes to rank 0. The answer there: per rank a u32 length and the bytes; elsewhere it is empty.
    Gather,
    /// All have come here.
    Barrier,
    /// MPI_Finalize; the helper exits after its answer.
    Finalize,
    /// Helper: what could not be done, UTF-8.
    Failed,
    /// Helper: a signal's number, one byte. It has crashed, and stopped itself to leave the end to the rank.
    Crashed,
}

const KINDS: [Kind; 8] = [
    Kind::Library,
    Kind::Hello,
    Kind::Broadcast,
    Kind::Gather,
    Kind::Barrier,
    Kind::Finalize,
    Kind::Failed,
    Kind::Crashed,
];

/// The frame of [`Kind::Crashed`], made without memory or locks, for a signal handler.
#[allow(dead_code, reason = "only the helper crashes")]
pub const fn crashed(signal: u8) -> [u8; 10] {
    let [a, b, c, d] = MAGIC;
    [a, b, c, d, Kind::Crashed as u8, 1, 0, 0, 0, signal]
}

/// Writes one frame and flushes it.
pub fn write(to: &mut impl Write, kind: Kind, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= MAX_PAYLOAD);
    let length = length.ok_or_else(|| invalid(format!("{} bytes are too many for one MPI message", payload.len())))?;
    to.write_all(&MAGIC)?;
    to.write_all(&[kind as u8])?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(payload)?;
    to.flush()
}

/// Reads one frame; none at the end of the stream.
pub fn read(from: &mut impl Read) -> io::Result<Option<(Kind, Vec<u8>)>> {
    let mut head = Vec::with_capacity(9);
    from.take(9).read_to_end(&mut head)?;
    let [m0, m1, m2, m3, kind, l0, l1, l2, l3] = head[..] else {
        return if head.is_empty() { Ok(None) } else { Err(foreign(&head)) };
    };
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    let kind = KINDS.into_iter().find(|known| *known as u8 == kind);
    let (Some(kind), true, true) = (kind, [m0, m1, m2, m3] == MAGIC, length <= MAX_PAYLOAD) else {
        return Err(foreign(&head));
    };
    let mut payload = Vec::new();
    from.take(length as u64).read_to_end(&mut payload)?;
    if payload.len() < length {
        return Err(invalid("the message was cut short".into()));
    }
    Ok(Some((kind, payload)))
}

fn foreign(head: &[u8]) -> io::Error {
    invalid(format!("not a message of the MPI helper: {:?}", String::from_utf8_lossy(head)))
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
