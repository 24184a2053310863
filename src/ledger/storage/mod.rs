//! The few file operations that the ledger needs.
//!
//! Everything that the ledger promises rests on two of them being exclusive for all hosts that share the folder:
//! [`Storage::create_new`] and [`Storage::link`]. Paths are relative to the output folder, with `/` between parts.

mod error;
mod local;
pub mod testing;

use std::fmt::Debug;
use std::io::{Read, Seek, Write};

pub use error::{Op, StorageError};
pub use local::LocalStorage;

/// Result of a storage operation.
pub type Result<T> = std::result::Result<T, StorageError>;

/// A folder shared by all ranks.
pub trait Storage: Send + Sync + Debug {
    /// Reads a small file whole.
    fn read(&self, path: &str) -> Result<Vec<u8>>;

    /// Opens for reading.
    fn open(&self, path: &str) -> Result<Box<dyn StorageFile>>;

    /// Creates for reading and writing; fails ([`StorageError::is_exists`]) if the name is taken.
    fn create_new(&self, path: &str) -> Result<Box<dyn StorageFile>>;

    /// Opens an existing file for reading and writing.
    fn open_write(&self, path: &str) -> Result<Box<dyn StorageFile>>;

    /// Gives `from` the further name `to`; fails ([`StorageError::is_exists`]) if `to` is taken. Where a file system has
    /// no hard links, `from` may be gone afterwards.
    fn link(&self, from: &str, to: &str) -> Result<()>;

    /// Moves `from` over `to`.
    fn rename(&self, from: &str, to: &str) -> Result<()>;

    /// Removes a file.
    fn remove(&self, path: &str) -> Result<()>;

    /// The names in a folder, in no order.
    fn list(&self, dir: &str) -> Result<Vec<String>>;

    /// Bytes of a file.
    fn size(&self, path: &str) -> Result<u64>;

    /// Makes a folder and its parents; fine if it is there.
    fn create_dir(&self, dir: &str) -> Result<()>;

    /// Waits until the names in a folder are on disk.
    fn sync_dir(&self, dir: &str) -> Result<()>;

    /// Makes the next look-up in a folder ask the server: an NFS client remembers for up to a minute that a name was
    /// not there.
    fn refresh_dir(&self, dir: &str) -> Result<()>;
}

/// An open file.
pub trait StorageFile: Read + Write + Seek + Send + Debug {
    /// Cuts or grows the file.
    fn set_len(&mut self, len: u64) -> std::io::Result<()>;

    /// Waits until the bytes are on disk (and, on NFS, visible to other hosts).
    fn sync_data(&mut self) -> std::io::Result<()>;
}

/// `None` where the file is not there.
pub(super) fn found<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// `false` where the name was taken.
pub(super) fn made<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_exists() => Ok(None),
        Err(error) => Err(error),
    }
}
