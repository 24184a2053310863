//! TFRecord: a record for each sample, a `tf.train.Example` with a feature for each of its members.
//!
//! Framing: <https://www.tensorflow.org/tutorials/load_data/tfrecord>; messages: `example.proto` and `feature.proto` of
//! TensorFlow. Media passes through in blocks, whatever its size.

use std::io;

use super::super::{Member, SinkError};
use super::Render;
use super::output::Output;
use crate::hdf5::Target;
use crate::ledger::{FileRecord, Lease};
use crate::sample::Payload;

/// Messages of protobuf have less than this many bytes, for every reader.
const LARGEST: u64 = i32::MAX as u64;

/// What is added to a CRC-32C once it is turned, so that a sum over data that holds sums is none of theirs.
const MASK: u32 = 0xa282_ead8;

pub(super) struct Tfrecord {
    out: Output,
    at: u64,
}

/// A feature's value.
enum Part {
    Bytes(Vec<u8>),
    Member(Payload),
}

impl Part {
    fn len(&self) -> u64 {
        match self {
            Part::Bytes(bytes) => bytes.len() as u64,
            Part::Member(payload) => payload.len(),
        }
    }
}

impl Tfrecord {
    pub fn create(lease: &Lease, suffix: &str) -> Result<Self, SinkError> {
        Ok(Self { out: Output::create(lease, suffix)?, at: 0 })
    }

    fn record(&mut self, parts: Vec<(String, Part)>) -> io::Result<()> {
        let features: u64 = parts.iter().map(|(name, part)| length(entry_len(name, part.len()))).sum();
        let mut sum = 0;
        let head = length(features).to_le_bytes();
        self.plain(&head)?;
        self.plain(&masked(crc32c::crc32c(&head)).to_le_bytes())?;
        self.summed(&[&[0x0a], &varint(features)[..]].concat(), &mut sum)?;
        for (name, part) in parts {
            self.summed(&head_of(&name, part.len()), &mut sum)?;
            match part {
                Part::Bytes(bytes) => self.summed(&bytes, &mut sum)?,
                Part::Member(mut payload) => payload.for_each_block(|block| self.summed(block, &mut sum))?,
            }
        }
        self.plain(&masked(sum).to_le_bytes())
    }

    fn summed(&mut self, bytes: &[u8], sum: &mut u32) -> io::Result<()> {
        *sum = crc32c::crc32c_append(*sum, bytes);
        self.plain(bytes)
    }

    fn plain(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_at(self.at, bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}

fn masked(sum: u32) -> u32 {
    sum.rotate_right(15).wrapping_add(MASK)
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// Bytes of a field of `len` bytes: its tag and length with it.
fn length(len: u64) -> u64 {
    1 + varint(len).len() as u64 + len
}

/// Bytes of an entry of the map from names to features.
fn entry_len(name: &str, value: u64) -> u64 {
    length(name.len() as u64) + length(length(length(value)))
}

/// All of an entry, as a field of `Features`, that stands before its value: the name, `Feature`, `BytesList`.
fn head_of(name: &str, value: u64) -> Vec<u8> {
    let mut head = vec![0x0a];
    head.extend(varint(entry_len(name, value)));
    head.push(0x0a);
    head.extend(varint(name.len() as u64));
    head.extend(name.as_bytes());
    for (tag, len) in [(0x12, length(length(value))), (0x0a, length(value)), (0x0a, value)] {
        head.push(tag);
        head.extend(varint(len));
    }
    head
}

impl Render for Tfrecord {
    fn sample(&mut self, key: &str, members: Vec<Member>) -> Result<(), SinkError> {
        let mut parts = vec![("key".to_owned(), Part::Bytes(key.as_bytes().to_vec()))];
        // A member of that name would take the key's place.
        let members = members.into_iter().filter(|member| member.extension != "key");
        parts.extend(members.map(|member| (member.extension, Part::Member(member.payload))));
        let size: u64 = parts.iter().map(|(name, part)| length(entry_len(name, part.len()))).sum();
        if length(size) > LARGEST {
            return Err(SinkError::Render {
                path: self.out.path().to_owned(),
                reason: format!(
                    "sample {key} has over 2 GiB, more than a record of TFRecord can have; choose another output_format"
                ),
            });
        }
        self.record(parts).map_err(|source| self.out.error(source))
    }

    fn finish(self: Box<Self>) -> Result<FileRecord, SinkError> {
        self.out.finish()
    }
}
