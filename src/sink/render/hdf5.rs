//! HDF5: a group for each sample, a dataset for each of its members.

use std::io;

use super::super::{Member, SinkError};
use super::Render;
use super::npy::Header;
use super::output::Output;
use crate::hdf5::{Chunks, Kind, Target, Type, Writer};
use crate::ledger::{FileRecord, Lease};
use crate::sample::Payload;

const BYTE: Type = Type::new(Kind::Unsigned, 1);

pub(super) struct Hdf5 {
    writer: Writer,
    out: Output,
}

impl Hdf5 {
    pub fn create(lease: &Lease, suffix: &str) -> Result<Self, SinkError> {
        Ok(Self { writer: Writer::default(), out: Output::create(lease, suffix)? })
    }

    fn member(&mut self, member: &mut Member) -> io::Result<u64> {
        let Member { extension, payload } = member;
        match extension.as_str() {
            "json" | "txt" => self.text(payload),
            extension if extension == "npy" || extension.ends_with(".npy") => self.array(payload),
            _ => self.bytes(payload),
        }
    }

    /// As it is: media does not compress.
    fn bytes(&mut self, payload: &mut Payload) -> io::Result<u64> {
        let at = self.copy(payload, 0)?;
        self.writer.whole(&mut self.out, BYTE, &[payload.len()], at, &[])
    }

    /// One text. What is none stays bytes.
    fn text(&mut self, payload: &mut Payload) -> io::Result<u64> {
        let mut bytes = Vec::new();
        payload.for_each_block(|block| {
            bytes.extend_from_slice(block);
            Ok(())
        })?;
        // Readers take zeros at its end for padding.
        let is_text = std::str::from_utf8(&bytes).is_ok() && bytes.last() != Some(&0);
        match u32::try_from(bytes.len()) {
            // The format has no texts without bytes.
            Ok(0) => self.writer.small(&mut self.out, Type::new(Kind::Text, 1), &[], &[0], &[]),
            Ok(len) if is_text => self.writer.small(&mut self.out, Type::new(Kind::Text, len), &[], &bytes, &[]),
            _ => self.writer.small(&mut self.out, BYTE, &[bytes.len() as u64], &bytes, &[]),
        }
    }

    /// An array of NumPy's, compressed. What is none that HDF5 has stays bytes.
    fn array(&mut self, payload: &mut Payload) -> io::Result<u64> {
        let Some(header) = Header::read(payload) else { return self.bytes(payload) };
        let Some((slices, slice)) = header.shape.split_first() else {
            let at = self.copy(payload, header.bytes)?;
            return self.writer.whole(&mut self.out, header.of, &[], at, &[]);
        };
        let Some(mut chunks) = Chunks::new(header.of, slice, *slices) else {
            let at = self.copy(payload, header.bytes)?;
            return self.writer.whole(&mut self.out, header.of, &header.shape, at, &[]);
        };
        let mut skip = header.bytes;
        payload.for_each_block(|block| chunks.push(&mut self.writer, &mut self.out, behind(block, &mut skip)))?;
        chunks.finish(&mut self.writer, &mut self.out, &[])
    }

    /// Copies a member's bytes but for the first ones; returns where to.
    fn copy(&mut self, payload: &mut Payload, mut skip: u64) -> io::Result<u64> {
        let at = self.writer.reserve(payload.len().saturating_sub(skip));
        let mut to = at;
        payload.for_each_block(|block| {
            let block = behind(block, &mut skip);
            self.out.write_at(to, block)?;
            to += block.len() as u64;
            Ok(())
        })?;
        Ok(at)
    }
}

/// What of a block lies behind the bytes that are to be left out.
fn behind<'a>(block: &'a [u8], skip: &mut u64) -> &'a [u8] {
    let now = block.len().min(usize::try_from(*skip).unwrap_or(usize::MAX));
    *skip -= now as u64;
    block.get(now..).unwrap_or_default()
}

impl Render for Hdf5 {
    fn sample(&mut self, key: &str, members: Vec<Member>) -> Result<(), SinkError> {
        for mut member in members {
            let dataset = self.member(&mut member).map_err(|source| self.out.error(source))?;
            self.writer.link(key, &member.extension, dataset).map_err(|clash| SinkError::Render {
                path: self.out.path().to_owned(),
                reason: format!("{clash}: HDF5 has no room for both; rename one of them in the input"),
            })?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<FileRecord, SinkError> {
        let Self { writer, mut out } = *self;
        writer.finish(&mut out).map_err(|source| out.error(source))?;
        out.finish()
    }
}
