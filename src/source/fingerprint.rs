//! How a plan recognises its input tables again.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::SourceError;
use crate::sample::hex;

const BLOCK_BYTES: usize = 1 << 20;

/// What a table file was when it was planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// Modification time, nanoseconds since 1970.
    pub mtime_ns: i64,
    /// SHA-256 of the content, hex; none where only the file's metadata was looked at.
    pub sha256: Option<String>,
}

/// Size and modification time alone: one `stat`.
pub fn fingerprint_quick(path: &Path) -> Result<Fingerprint, SourceError> {
    let meta = std::fs::metadata(path).map_err(|error| SourceError::io(path, "read", error))?;
    if !meta.is_file() {
        return Err(SourceError::NotAFile { path: path.to_owned(), what: what_is(&meta) });
    }
    let mtime_ns = meta.mtime().saturating_mul(1_000_000_000).saturating_add(meta.mtime_nsec());
    Ok(Fingerprint { path: path.to_owned(), size: meta.len(), mtime_ns, sha256: None })
}

/// SHA-256 of the whole file, hex.
pub fn hash_file(path: &Path) -> Result<String, SourceError> {
    hash_file_until(path, &AtomicBool::new(false))
}

/// As [`hash_file`]; gives up early, with a hash of no meaning, once `stop` is set.
pub(super) fn hash_file_until(path: &Path, stop: &AtomicBool) -> Result<String, SourceError> {
    let mut hasher = Sha256::new();
    hash_into(&mut hasher, path, u64::MAX, stop)?;
    Ok(hex(&hasher.finalize()))
}

/// SHA-256 of the first `len` bytes, hex: tells whether a table that grew still begins with what was planned.
///
/// # Errors
/// [`SourceError::Shrank`] where the file has fewer bytes.
pub fn hash_prefix(path: &Path, len: u64) -> Result<String, SourceError> {
    let mut hasher = Sha256::new();
    let hashed = hash_into(&mut hasher, path, len, &AtomicBool::new(false))?;
    if hashed < len {
        return Err(SourceError::Shrank { path: path.to_owned(), size: hashed, wanted: len });
    }
    Ok(hex(&hasher.finalize()))
}

/// Whether the first `len` bytes of a text table end where a line ends.
///
/// A table that grew may have had no line end after its last row: if what was appended goes on in that line, the row
/// that was planned is no longer the row that the table has.
pub fn ends_at_line(path: &Path, len: u64) -> Result<bool, SourceError> {
    let failed = |error| SourceError::io(path, "read", error);
    let mut file = File::open(path).map_err(failed)?;
    let start = len.saturating_sub(1);
    file.seek(SeekFrom::Start(start)).map_err(failed)?;
    let mut around = Vec::with_capacity(2);
    file.take(len - start + 1).read_to_end(&mut around).map_err(failed)?;
    // At the very start and at the very end there is no line to go on with.
    Ok(len == 0 || around.len() < 2 || around.iter().any(|byte| matches!(byte, b'\n' | b'\r')))
}

fn hash_into(hasher: &mut Sha256, path: &Path, limit: u64, stop: &AtomicBool) -> Result<u64, SourceError> {
    let failed = |error| SourceError::io(path, "read", error);
    let mut file = File::open(path).map_err(failed)?.take(limit);
    let mut block = vec![0; BLOCK_BYTES];
    let mut total = 0;
    while !stop.load(Ordering::Relaxed) {
        match file.read(&mut block) {
            Ok(0) => return Ok(total),
            Ok(count) => {
                hasher.update(block.get(..count).unwrap_or_default());
                total += count as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(total)
}

/// What a path is, for people.
pub(super) fn what_is(meta: &std::fs::Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = meta.file_type();
    if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() || kind.is_socket() {
        // A plan reads its tables more than once, and so does every later run.
        "a pipe, which can be read only once"
    } else {
        "a device"
    }
}
