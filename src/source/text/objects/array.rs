//! An array of objects, read one by one: the array itself is never in memory.

use std::cell::{Cell as Counter, RefCell};
use std::fmt;
use std::io::{self, Read};
use std::path::Path;

use serde::de::{Deserializer, SeqAccess, Visitor};

use crate::sample::FailureClass;

use super::super::super::cells::Place;
use super::super::super::{MAX_RECORD_BYTES, ReadError, SourceError};
use super::super::blocks::Blocks;
use super::Found;
use super::record::Wanted;

/// Hands over each item of the array.
pub fn read<E>(
    path: &Path,
    blocks: &mut Blocks,
    wanted: &[String],
    each: &mut dyn FnMut(Place, Found) -> Result<(), ReadError<E>>,
) -> Result<(), ReadError<E>> {
    let shared = Shared { bytes: Counter::new(0), failed: RefCell::new(None) };
    let mut halted = None;
    let mut from = serde_json::Deserializer::from_reader(Bytes { blocks, shared: &shared });
    let items = Items { wanted, shared: &shared, each, halted: &mut halted };
    let read = from.deserialize_seq(items).and_then(|()| from.end());
    if let Some(error) = halted {
        return Err(error);
    }
    if let Some(error) = shared.failed.take() {
        return Err(error.into());
    }
    read.map_err(|error| {
        let reason = if error.is_eof() {
            format!("the array is not closed ({error}): the file is cut short; write or copy it again")
        } else {
            error.to_string()
        };
        SourceError::Json { path: path.to_owned(), reason }.into()
    })
}

/// What the bytes and the items know of each other.
struct Shared {
    /// Bytes of the item that is being read.
    bytes: Counter<usize>,
    failed: RefCell<Option<SourceError>>,
}

/// The file's bytes for the parser, which takes them one by one.
struct Bytes<'b> {
    blocks: &'b mut Blocks,
    shared: &'b Shared,
}

impl Read for Bytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.shared.bytes.get();
        if bytes > MAX_RECORD_BYTES {
            return Err(io::Error::other(format!("a record is longer than {MAX_RECORD_BYTES} bytes")));
        }
        while self.blocks.data().is_empty() {
            match self.blocks.fill() {
                Ok(true) => {}
                Ok(false) => return Ok(0),
                Err(error) => {
                    *self.shared.failed.borrow_mut() = Some(error);
                    return Err(io::Error::other("the file"));
                }
            }
        }
        let count = self.blocks.data().read(buffer)?;
        self.blocks.advance(count);
        self.shared.bytes.set(bytes + count);
        Ok(count)
    }
}

struct Items<'i, E> {
    wanted: &'i [String],
    shared: &'i Shared,
    each: &'i mut dyn FnMut(Place, Found) -> Result<(), ReadError<E>>,
    halted: &'i mut Option<ReadError<E>>,
}

impl<'de, E> Visitor<'de> for Items<'_, E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut row = 0;
        let next = || Wanted { names: self.wanted, all_names: true };
        while let Some(record) = items.next_element_seed(next())? {
            row += 1;
            let bytes = self.shared.bytes.replace(0);
            let found = match record {
                Ok(mut record) => {
                    record.bytes = bytes;
                    Found::Record(record)
                }
                Err(found) => Found::Bad(FailureClass::BadRow, format!("{found} where an object is expected")),
            };
            if let Err(error) = (self.each)(Place::Row(row), found) {
                *self.halted = Some(error);
                return Err(serde::de::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}
