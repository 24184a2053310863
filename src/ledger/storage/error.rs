//! What went wrong with which file.

use std::fmt;
use std::io;

use rustix::io::Errno;

use crate::error::Class;

/// A storage operation, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Op {
    Read,
    Open,
    Create,
    Write,
    Sync,
    Truncate,
    Link,
    Rename,
    Remove,
    List,
    Size,
    CreateDir,
    SyncDir,
    RefreshDir,
}

impl Op {
    fn verb(self) -> &'static str {
        match self {
            Op::Read => "read",
            Op::Open => "open",
            Op::Create => "create",
            Op::Write => "write",
            Op::Sync => "sync",
            Op::Truncate => "truncate",
            Op::Link => "link",
            Op::Rename => "rename",
            Op::Remove => "remove",
            Op::List => "list",
            Op::Size => "look up",
            Op::CreateDir => "make the folder",
            Op::SyncDir => "sync the folder",
            Op::RefreshDir => "touch the folder",
        }
    }
}

/// A failed operation on a file of the output folder.
#[derive(Debug, thiserror::Error)]
pub struct StorageError {
    pub op: Op,
    /// As given, relative to the output folder, or its full path where the storage knows it.
    pub path: String,
    #[source]
    pub source: io::Error,
}

impl StorageError {
    pub fn new(op: Op, path: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self { op, path: path.into(), source: source.into() }
    }

    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }

    pub fn is_exists(&self) -> bool {
        self.source.kind() == io::ErrorKind::AlreadyExists
    }

    fn errno(&self) -> Option<Errno> {
        self.source.raw_os_error().map(Errno::from_raw_os_error)
    }

    /// How far it reaches: a full, read-only or forbidden folder ends the job; a hiccup of the network may be retried;
    /// the rest costs the attempt at the shard.
    pub fn class(&self) -> Class {
        match self.errno() {
            Some(
                Errno::NOSPC
                | Errno::DQUOT
                | Errno::ROFS
                | Errno::ACCESS
                | Errno::PERM
                | Errno::NOTDIR
                | Errno::ISDIR
                | Errno::NAMETOOLONG
                | Errno::OPNOTSUPP
                | Errno::FBIG,
            ) => Class::Job,
            Some(Errno::INTR | Errno::AGAIN | Errno::TIMEDOUT | Errno::STALE | Errno::BUSY | Errno::NFILE) => {
                Class::Retry
            }
            // EIO and anything unknown: this file is suspect, another may be fine.
            _ => Class::Shard,
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        Some(match self.errno()? {
            Errno::NOSPC => "the disk is full: free space there, then run the same command again",
            Errno::DQUOT => "the quota is used up: free space or ask for more, then run the same command again",
            Errno::ROFS => "the file system is read-only: choose another output_folder",
            Errno::ACCESS | Errno::PERM => "check the owner and the permissions of output_folder",
            Errno::NOTDIR | Errno::ISDIR => "a file stands where a folder is expected, or the other way round",
            Errno::OPNOTSUPP => {
                "this file system has neither hard links nor RENAME_NOREPLACE: choose another output_folder"
            }
            Errno::STALE => "another host replaced the file: run again",
            _ => return None,
        })
    }
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.op.verb(), self.path, self.source)?;
        match self.remedy() {
            Some(remedy) => write!(f, " ({remedy})"),
            None => Ok(()),
        }
    }
}
