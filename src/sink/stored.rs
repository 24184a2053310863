//! The members of a shard's file, whatever its format: what is needed to look at one.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::reader::{MAX_JSON_BYTES, ReadTarError, TarReader};
use crate::config::OutputFormat;
use crate::hdf5;

/// One member of a stored sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMember {
    pub key: String,
    pub extension: String,
    /// Bytes, uncompressed.
    pub len: u64,
    /// Where they lie, where that is in one piece.
    pub offset: Option<u64>,
}

/// Why a shard's file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    #[error("cannot open {}: {source}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("{} is damaged: {reason}", path.display())]
    Damaged { path: PathBuf, reason: String },
}

/// An open shard.
#[derive(Debug)]
pub struct Stored {
    pub members: Vec<StoredMember>,
    file: File,
}

impl Stored {
    /// Reads what members a shard's file has; its extension tells the format.
    ///
    /// # Errors
    /// [`StoredError`].
    pub fn open(path: &Path) -> Result<Self, StoredError> {
        let file = File::open(path).map_err(|source| StoredError::Open { path: path.to_owned(), source })?;
        let extension = path.extension().and_then(|extension| extension.to_str());
        let members = if extension == OutputFormat::Hdf5.suffix() {
            of_hdf5(&file).map_err(|error| error.to_string())
        } else if extension == OutputFormat::Tfrecord.suffix() {
            super::tfrecord::members(&file).map_err(|error| error.to_string())
        } else {
            of_tar(&file).map_err(|error| error.to_string())
        };
        let members = members.map_err(|reason| StoredError::Damaged { path: path.to_owned(), reason })?;
        Ok(Self { members, file })
    }

    /// A member's bytes; for metadata, not media.
    ///
    /// # Errors
    /// Those of the file, or a member that is too large for that.
    pub fn read(&self, member: &StoredMember) -> io::Result<Vec<u8>> {
        let offset = member.offset.filter(|_| member.len <= MAX_JSON_BYTES);
        let Some(offset) = offset else {
            return Err(io::Error::other(format!("{} bytes are too many for metadata", member.len)));
        };
        let mut bytes = vec![0; member.len as usize];
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }
}

fn of_tar(file: &File) -> Result<Vec<StoredMember>, ReadTarError> {
    let mut reader = TarReader::new(file)?;
    let mut members = Vec::new();
    while let Some(member) = reader.next_member()? {
        let (key, extension) = (member.key, member.extension);
        members.push(StoredMember { key, extension, len: member.len, offset: Some(member.offset) });
    }
    Ok(members)
}

fn of_hdf5(file: &File) -> Result<Vec<StoredMember>, hdf5::ReadError> {
    let datasets = hdf5::Reader::new(file)?.datasets()?;
    let member = |found: hdf5::Found| {
        let len = found.bytes();
        StoredMember { key: found.path, extension: found.name, len, offset: found.at }
    };
    Ok(datasets.into_iter().map(member).collect())
}
