//! Outputs on their way to the rank.

use std::cell::Cell;
use std::fs::File;
use std::os::unix::fs::FileExt;

use serde_json::{Map, Value};

use crate::mill::limits::Limits;
use crate::mill::wire::Region;
use crate::sample::{Failure, FailureClass, Status};

/// Where a member's bytes lie once they were handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    offset: u64,
    len: u64,
}

impl Stored {
    /// Where they begin.
    #[cfg(test)]
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Room for one member among the outputs ([`Outlet::reserve`]).
#[derive(Debug)]
pub struct Room {
    offset: u64,
    len: u64,
}

/// One output sample, as a handler made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// Its JSON fields.
    pub meta: Map<String, Value>,
    /// [`Status::Success`], or [`Status::Filtered`]: wanted by nobody, but not lost from the books.
    pub status: Status,
    /// Extension without the dot (letters, digits, `.`, `_`, `-`), and bytes.
    pub members: Vec<(String, Stored)>,
    /// The sample's media is a member, too, unchanged, with this extension.
    pub media: Option<String>,
}

impl Made {
    pub fn new(meta: Map<String, Value>) -> Self {
        Self { meta, status: Status::Success, members: Vec::new(), media: None }
    }

    pub(super) fn into_region(self) -> Region {
        let members = self.members.into_iter().map(|(extension, stored)| (extension, stored.offset, stored.len));
        Region { meta: self.meta, status: self.status, members: members.collect(), media: self.media }
    }
}

/// Takes the bytes of one sample's outputs. They leave this process at once: what a sample makes of a long video does not
/// pile up here.
#[derive(Debug)]
pub struct Outlet<'a> {
    file: &'a File,
    limit: u64,
    at: Cell<u64>,
}

impl<'a> Outlet<'a> {
    pub(crate) fn new(file: &'a File, limits: &Limits) -> Self {
        Self { file, limit: limits.output_bytes, at: Cell::new(0) }
    }

    /// Forgets what was handed over: the sample is made anew.
    pub(crate) fn restart(&self) {
        self.at.set(0);
    }

    /// Hands over one member.
    ///
    /// # Errors
    /// `output_too_large`: over the limit for all outputs of a sample; `decoder_memory`: the machine has no room.
    pub fn store(&self, bytes: &[u8]) -> Result<Stored, Failure> {
        self.store_all(&[bytes])
    }

    /// Hands over one member that lies in pieces, which follow each other.
    ///
    /// # Errors
    /// As [`Outlet::store`].
    pub fn store_all(&self, pieces: &[&[u8]]) -> Result<Stored, Failure> {
        let len = pieces.iter().map(|piece| piece.len() as u64).sum();
        let stored = Stored { offset: self.at.get(), len };
        let end = stored.offset + len;
        if end > self.limit {
            return Err(self.too_large());
        }
        let mut at = stored.offset;
        for piece in pieces {
            self.write(piece, at)?;
            at += piece.len() as u64;
        }
        self.at.set(end);
        Ok(stored)
    }

    /// Room for a member whose bytes come in pieces, of at most `len` bytes. It costs no memory before it is written to.
    ///
    /// # Errors
    /// `output_too_large`: known before anything is made.
    pub fn reserve(&self, len: u64) -> Result<Room, Failure> {
        let offset = self.at.get();
        let end = offset.checked_add(len).filter(|end| *end <= self.limit).ok_or_else(|| self.too_large())?;
        self.at.set(end);
        Ok(Room { offset, len })
    }

    /// Writes bytes of such a member, `at` bytes behind its start.
    ///
    /// # Errors
    /// `internal`: they do not fit; `decoder_memory`: the machine has no room.
    pub fn fill(&self, room: &Room, at: u64, bytes: &[u8]) -> Result<(), Failure> {
        if at.checked_add(bytes.len() as u64).is_none_or(|end| end > room.len) {
            return Err(Failure::new(FailureClass::Internal, "a bug of clipmill: a member outgrew the room for it"));
        }
        self.write(bytes, room.offset + at)
    }

    /// The member is whole, with the first `len` bytes of its room. The rest is given back, where nothing lies behind.
    pub fn close(&self, room: Room, len: u64) -> Stored {
        let len = len.min(room.len);
        if self.at.get() == room.offset + room.len {
            self.at.set(room.offset + len);
        }
        Stored { offset: room.offset, len }
    }

    fn write(&self, bytes: &[u8], offset: u64) -> Result<(), Failure> {
        self.file
            .write_all_at(bytes, offset)
            .map_err(|error| Failure::new(FailureClass::DecoderMemory, format!("no room for the outputs: {error}")))
    }

    fn too_large(&self) -> Failure {
        let what = format!("the sample's outputs are over the limit of {} bytes (limits.output_bytes)", self.limit);
        Failure::new(FailureClass::OutputTooLarge, what)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn members_in_pieces_keep_their_room() {
        let file = crate::sample::memory_file(c"test").unwrap();
        let limits = Limits {
            wall: Duration::ZERO,
            cpu: Duration::ZERO,
            memory_bytes: 0,
            output_bytes: 20,
            max_pixels: 0,
            max_frames: 0,
            max_seconds: 0.0,
        };
        let outlet = Outlet::new(&file, &limits);
        let first = outlet.reserve(8).unwrap();
        outlet.fill(&first, 2, b"first").unwrap();
        let whole = outlet.store(b"whole").unwrap();
        // What lies behind it keeps its place.
        assert_eq!(outlet.close(first, 7), Stored { offset: 0, len: 7 });
        assert_eq!(whole, Stored { offset: 8, len: 5 });
        assert_eq!(outlet.reserve(8).unwrap_err().class, FailureClass::OutputTooLarge);
        assert_eq!(outlet.reserve(u64::MAX).unwrap_err().class, FailureClass::OutputTooLarge);
        let last = outlet.reserve(7).unwrap();
        assert_eq!(outlet.fill(&last, 6, b"xx").unwrap_err().class, FailureClass::Internal);
        outlet.fill(&last, 0, b"last").unwrap();
        assert_eq!(outlet.close(last, 4), Stored { offset: 13, len: 4 });
        // The rest of the last one's room is free again.
        assert_eq!(outlet.store(b"end").unwrap(), Stored { offset: 17, len: 3 });
        let mut bytes = [0; 20];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"\0\0first\0wholelastend");
    }
}
