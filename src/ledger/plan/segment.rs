//! Many shards' rows in one file.
//!
//! ```text
//! "CLMROWS1" | block | block | … | index | index offset u64 | entries u32 | CRC-32 of the index u32 | "CLMROWSX"
//! block = zstd frame of JSON lines            index entry = offset u64 | bytes u32 | raw bytes u32 | rows u32 | CRC-32 u32
//! ```
//!
//! Numbers are little-endian. The CRC of an entry is over the compressed block. One read of the tail and one of the
//! block give a shard's rows, whatever the size of the table.

use std::io::{Read, Seek, SeekFrom, Write};

use sha2::{Digest, Sha256};

use crate::ledger::error::{LedgerError, Result};
use crate::ledger::storage::{Op, Storage, StorageError, StorageFile};
use crate::sample::hex;

const MAGIC: &[u8; 8] = b"CLMROWS1";
const END: &[u8; 8] = b"CLMROWSX";
const TRAILER: usize = 24;
const ENTRY: usize = 24;

/// Where a shard's rows stand in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    offset: u64,
    bytes: u32,
    raw: u32,
    pub rows: u32,
    crc: u32,
}

/// Writes one segment.
#[derive(Debug)]
pub(super) struct SegmentWriter {
    path: String,
    file: Box<dyn StorageFile>,
    hash: Sha256,
    len: u64,
    entries: Vec<Entry>,
}

impl SegmentWriter {
    pub(super) fn create(storage: &dyn Storage, path: String) -> Result<Self> {
        let file = storage.create_new(&path)?;
        let mut writer = Self { path, file, hash: Sha256::new(), len: 0, entries: Vec::new() };
        writer.write(MAGIC)?;
        Ok(writer)
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Appends a shard: its compressed rows, the bytes that they unpack to, and their number.
    pub(super) fn push(&mut self, block: &[u8], raw: usize, rows: u32) -> Result<()> {
        let too_large = || LedgerError::Compress {
            path: self.path.clone(),
            source: std::io::Error::other("the rows of one shard exceed 4 GiB: lower storage.number_sample_per_shard"),
        };
        let bytes = u32::try_from(block.len()).map_err(|_| too_large())?;
        let raw = u32::try_from(raw).map_err(|_| too_large())?;
        self.entries.push(Entry { offset: self.len, bytes, raw, rows, crc: crc32fast::hash(block) });
        self.write(block)
    }

    /// Writes the index, syncs, and returns the number of shards and the SHA-256 of the file, hex.
    pub(super) fn finish(mut self) -> Result<(u64, String)> {
        let mut index = Vec::with_capacity(self.entries.len() * ENTRY);
        for entry in &self.entries {
            index.extend_from_slice(&entry.offset.to_le_bytes());
            for number in [entry.bytes, entry.raw, entry.rows, entry.crc] {
                index.extend_from_slice(&number.to_le_bytes());
            }
        }
        let mut trailer = Vec::with_capacity(TRAILER);
        trailer.extend_from_slice(&self.len.to_le_bytes());
        trailer.extend_from_slice(&(self.entries.len() as u32).to_le_bytes());
        trailer.extend_from_slice(&crc32fast::hash(&index).to_le_bytes());
        trailer.extend_from_slice(END);
        self.write(&index)?;
        self.write(&trailer)?;
        self.file.sync_data().map_err(|error| StorageError::new(Op::Sync, &self.path, error))?;
        Ok((self.entries.len() as u64, hex(&self.hash.finalize())))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| StorageError::new(Op::Write, &self.path, error))?;
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }
}

/// Reads a segment's index.
pub(super) fn read_index(storage: &dyn Storage, path: &str) -> Result<Vec<Entry>> {
    let mut file = storage.open(path)?;
    let fail = |error| StorageError::new(Op::Read, path, error);
    let len = file.seek(SeekFrom::End(0)).map_err(fail)?;
    let end = len.checked_sub(TRAILER as u64).ok_or_else(|| damaged(path, "too short"))?;
    let mut trailer = [0; TRAILER];
    file.seek(SeekFrom::Start(end)).and_then(|_| file.read_exact(&mut trailer)).map_err(fail)?;
    if &trailer[16..] != END {
        return Err(damaged(path, "no index at its end"));
    }
    let start = u64_at(&trailer, 0);
    let size = u64::from(u32_at(&trailer, 8)) * ENTRY as u64;
    if start.checked_add(size) != Some(end) {
        return Err(damaged(path, "its index has a wrong size"));
    }
    let mut index = vec![0; usize::try_from(size).unwrap_or(0)];
    file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(&mut index)).map_err(fail)?;
    if crc32fast::hash(&index) != u32_at(&trailer, 12) {
        return Err(damaged(path, "the checksum of its index is wrong"));
    }
    Ok(index.chunks_exact(ENTRY).map(entry).collect())
}

/// Reads the rows of one shard, unpacked.
pub(super) fn read_block(storage: &dyn Storage, path: &str, entry: Entry) -> Result<Vec<u8>> {
    let mut file = storage.open(path)?;
    let mut block = vec![0; entry.bytes as usize];
    file.seek(SeekFrom::Start(entry.offset))
        .and_then(|_| file.read_exact(&mut block))
        .map_err(|error| StorageError::new(Op::Read, path, error))?;
    if crc32fast::hash(&block) != entry.crc {
        return Err(damaged(path, "the checksum of a shard's rows is wrong"));
    }
    zstd::bulk::decompress(&block, entry.raw as usize)
        .map_err(|error| damaged(path, &format!("a shard's rows do not unpack: {error}")))
}

fn damaged(path: &str, what: &str) -> LedgerError {
    LedgerError::Damaged { path: path.to_owned(), what: what.to_owned() }
}

fn entry(bytes: &[u8]) -> Entry {
    Entry {
        offset: u64_at(bytes, 0),
        bytes: u32_at(bytes, 8),
        raw: u32_at(bytes, 12),
        rows: u32_at(bytes, 16),
        crc: u32_at(bytes, 20),
    }
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|part| part.try_into().ok()).map_or(0, u64::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|part| part.try_into().ok()).map_or(0, u32::from_le_bytes)
}
