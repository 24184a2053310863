//! Outputs on their way to the rank.

use std::cell::Cell;
use std::fs::File;
use std::io::Write;

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

    /// Hands over one member.
    ///
    /// # Errors
    /// `output_too_large`: over the limit for all outputs of a sample; `decoder_memory`: the machine has no room.
    pub fn store(&self, bytes: &[u8]) -> Result<Stored, Failure> {
        let stored = Stored { offset: self.at.get(), len: bytes.len() as u64 };
        let end = stored.offset + stored.len;
        if end > self.limit {
            let what = format!("the sample's outputs are over the limit of {} bytes (limits.output_bytes)", self.limit);
            return Err(Failure::new(FailureClass::OutputTooLarge, what));
        }
        let mut file = self.file;
        file.write_all(bytes)
            .map_err(|error| Failure::new(FailureClass::DecoderMemory, format!("no room for the outputs: {error}")))?;
        self.at.set(end);
        Ok(stored)
    }
}
