//! A file of a shard in the making.

use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

use sha2::{Digest, Sha256};

use super::super::SinkError;
use crate::hdf5::Target;
use crate::ledger::storage::StorageFile;
use crate::ledger::{FileRecord, Lease};
use crate::sample::hex;

const BUFFER: usize = 256 << 10;

/// Takes bytes mostly in order; hashes them when they are whole.
pub(super) struct Output {
    file: BufWriter<Box<dyn StorageFile>>,
    at: u64,
    path: String,
}

impl Output {
    pub fn create(lease: &Lease, suffix: &str) -> Result<Self, SinkError> {
        let file = BufWriter::with_capacity(BUFFER, lease.create(suffix)?);
        Ok(Self { file, at: 0, path: lease.partial(suffix) })
    }

    pub fn error(&self, source: io::Error) -> SinkError {
        SinkError::Write { path: self.path.clone(), source }
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    /// Reads the file once more, most often from the page cache.
    pub fn finish(mut self) -> Result<FileRecord, SinkError> {
        let mut hashed = || -> io::Result<FileRecord> {
            self.file.flush()?;
            let file = self.file.get_mut();
            file.seek(SeekFrom::Start(0))?;
            let (mut hasher, mut bytes, mut block) = (Sha256::new(), 0, vec![0; 1 << 20]);
            loop {
                let n = match file.read(&mut block) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    n => n?,
                };
                let Some(read) = block.get(..n).filter(|read| !read.is_empty()) else { break };
                hasher.update(read);
                bytes += n as u64;
            }
            Ok(FileRecord { bytes, sha256: hex(&hasher.finalize()) })
        };
        let record = hashed();
        record.map_err(|source| self.error(source))
    }
}

impl Target for Output {
    type Error = io::Error;

    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        match at.checked_sub(self.at) {
            Some(gap @ 0..8) => self.file.write_all([0; 8].get(..gap as usize).unwrap_or_default())?,
            _ => {
                self.file.seek(SeekFrom::Start(at))?;
            }
        }
        self.file.write_all(bytes)?;
        self.at = at + bytes.len() as u64;
        Ok(())
    }
}
