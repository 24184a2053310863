//! Going on with an earlier attempt's files.

use std::io::{Seek, SeekFrom, Write};

use sha2::{Digest, Sha256};

use super::error::Result;
use super::names::{self, AttemptId};
use super::storage::{Op, StorageError, StorageFile, found};
use super::{Lease, Prefix};

const BLOCK: usize = 1 << 20;

/// See [`Lease::restore`].
pub(super) fn restore(
    lease: &Lease,
    prefix: &Prefix,
    on_block: &mut dyn FnMut(&[u8]),
) -> Result<Option<Box<dyn StorageFile>>> {
    let candidates = candidates(lease, prefix)?;
    for (id, source) in &candidates {
        // The caller cannot take bytes back out of its hash, so with a choice of files each is read before it is used.
        if candidates.len() > 1 && !verify(lease, source, prefix)? {
            continue;
        }
        return if lease.previous.movable == Some(*id) {
            move_file(lease, source, prefix, on_block)
        } else {
            copy_file(lease, source, prefix, on_block)
        };
    }
    Ok(None)
}

/// Files of earlier attempts with this suffix, latest attempt first: a successor may have moved its predecessor's file
/// to its own name and ended before it said so.
fn candidates(lease: &Lease, prefix: &Prefix) -> Result<Vec<(AttemptId, String)>> {
    let mut files = Vec::new();
    for file in lease.shared.storage.list(names::PARTIAL_DIR)? {
        let Some((name, id, suffix)) = names::parse_partial(&file) else { continue };
        let earlier = id.generation == lease.id.generation && id.attempt < lease.id.attempt;
        if name != lease.name || suffix != prefix.suffix || !earlier {
            continue;
        }
        let path = format!("{}/{file}", names::PARTIAL_DIR);
        if found(lease.shared.storage.size(&path))?.is_some_and(|size| size >= prefix.len) {
            files.push((id, path));
        }
    }
    files.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
    Ok(files)
}

/// Whether a file starts with the prefix.
fn verify(lease: &Lease, source: &str, prefix: &Prefix) -> Result<bool> {
    let Some(mut file) = found(lease.shared.storage.open(source))? else { return Ok(false) };
    read_prefix(&mut *file, source, prefix, &mut |_| Ok(()))
}

/// Passes the prefix through `sink`; whether it is all there and the right one.
fn read_prefix(
    file: &mut dyn StorageFile,
    path: &str,
    prefix: &Prefix,
    sink: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<bool> {
    let mut hash = Sha256::new();
    let mut block = vec![0; BLOCK];
    let mut left = prefix.len;
    while left > 0 {
        let want = block.len().min(usize::try_from(left).unwrap_or(BLOCK));
        let got = match file.read(&mut block[..want]) {
            Ok(0) => return Ok(false),
            Ok(got) => got,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(StorageError::new(Op::Read, path, error).into()),
        };
        hash.update(&block[..got]);
        sink(&block[..got])?;
        left -= got as u64;
    }
    Ok(<[u8; 32]>::from(hash.finalize()) == prefix.sha256)
}

/// The old owner has closed the file for good: it changes its name, and loses what came after the checkpoint.
fn move_file(
    lease: &Lease,
    source: &str,
    prefix: &Prefix,
    on_block: &mut dyn FnMut(&[u8]),
) -> Result<Option<Box<dyn StorageFile>>> {
    let path = lease.partial(&prefix.suffix);
    if found(lease.shared.storage.rename(source, &path))?.is_none() {
        return Ok(None);
    }
    let mut file = lease.shared.storage.open_write(&path)?;
    let whole = read_prefix(&mut *file, &path, prefix, &mut |block| {
        on_block(block);
        Ok(())
    })?;
    if !whole {
        return Ok(None);
    }
    file.set_len(prefix.len).map_err(|error| StorageError::new(Op::Truncate, &path, error))?;
    file.seek(SeekFrom::Start(prefix.len)).map_err(|error| StorageError::new(Op::Open, &path, error))?;
    Ok(Some(file))
}

/// The old owner may wake up and write: its file is left alone.
fn copy_file(
    lease: &Lease,
    source: &str,
    prefix: &Prefix,
    on_block: &mut dyn FnMut(&[u8]),
) -> Result<Option<Box<dyn StorageFile>>> {
    let Some(mut from) = found(lease.shared.storage.open(source))? else { return Ok(None) };
    let path = lease.partial(&prefix.suffix);
    let mut file = lease.create(&prefix.suffix)?;
    let whole = read_prefix(&mut *from, source, prefix, &mut |block| {
        on_block(block);
        Ok(file.write_all(block).map_err(|error| StorageError::new(Op::Write, &path, error))?)
    })?;
    if !whole {
        drop(file);
        found(lease.shared.storage.remove(&path))?;
        return Ok(None);
    }
    Ok(Some(file))
}
