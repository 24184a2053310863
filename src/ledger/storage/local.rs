//! A folder of a mounted file system: local, NFS, Lustre, GPFS.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, RenameFlags, Timespec, Timestamps, UTIME_NOW};
use rustix::io::Errno;

use super::{Op, Result, Storage, StorageError, StorageFile};

/// Files larger than this are never read whole.
const SMALL_FILE_LIMIT: u64 = 1 << 30;

/// Storage in a folder of this host's file tree.
#[derive(Debug, Clone)]
pub struct LocalStorage {
    root: PathBuf,
}

impl LocalStorage {
    /// Storage under `root`, which is made when the first folder in it is.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    fn at(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path) }
    }

    fn fail<E: Into<io::Error>>(&self, op: Op, path: &str) -> impl FnOnce(E) -> StorageError {
        let path = self.at(path).display().to_string();
        move |error| StorageError::new(op, path, error)
    }
}

impl Storage for LocalStorage {
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        let read = || -> io::Result<Vec<u8>> {
            let file = File::open(self.at(path))?;
            let mut bytes = Vec::new();
            file.take(SMALL_FILE_LIMIT).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(self.fail(Op::Read, path))
    }

    fn open(&self, path: &str) -> Result<Box<dyn StorageFile>> {
        let file = File::open(self.at(path)).map_err(self.fail(Op::Open, path))?;
        Ok(Box::new(LocalFile(file)))
    }

    fn create_new(&self, path: &str) -> Result<Box<dyn StorageFile>> {
        let mut options = File::options();
        options.read(true).write(true).create_new(true);
        let file = options.open(self.at(path)).map_err(self.fail(Op::Create, path))?;
        Ok(Box::new(LocalFile(file)))
    }

    fn open_write(&self, path: &str) -> Result<Box<dyn StorageFile>> {
        let mut options = File::options();
        options.read(true).write(true);
        let file = options.open(self.at(path)).map_err(self.fail(Op::Open, path))?;
        Ok(Box::new(LocalFile(file)))
    }

    fn link(&self, from: &str, to: &str) -> Result<()> {
        let (source, target) = (self.at(from), self.at(to));
        let linked = match rustix::fs::linkat(CWD, &source, CWD, &target, AtFlags::empty()) {
            // vfat, exFAT and some FUSE mounts have no hard links. A rename that refuses to replace decides as well:
            // a file system that cannot do it says EINVAL, and none quietly replaces.
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => {
                let moved = rustix::fs::renameat_with(CWD, &source, CWD, &target, RenameFlags::NOREPLACE);
                moved.map_err(|error| match error {
                    Errno::INVAL | Errno::NOSYS => Errno::OPNOTSUPP,
                    other => other,
                })
            }
            other => other,
        };
        linked.map_err(self.fail(Op::Link, to))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        fs::rename(self.at(from), self.at(to)).map_err(self.fail(Op::Rename, from))
    }

    fn remove(&self, path: &str) -> Result<()> {
        fs::remove_file(self.at(path)).map_err(self.fail(Op::Remove, path))
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        let list = || -> io::Result<Vec<String>> {
            let mut names = Vec::new();
            for entry in fs::read_dir(self.at(dir))? {
                // A name that is not UTF-8 is none of ours.
                if let Ok(name) = entry?.file_name().into_string() {
                    names.push(name);
                }
            }
            Ok(names)
        };
        list().map_err(self.fail(Op::List, dir))
    }

    fn size(&self, path: &str) -> Result<u64> {
        fs::metadata(self.at(path)).map(|metadata| metadata.len()).map_err(self.fail(Op::Size, path))
    }

    fn create_dir(&self, dir: &str) -> Result<()> {
        fs::create_dir_all(self.at(dir)).map_err(self.fail(Op::CreateDir, dir))
    }

    fn sync_dir(&self, dir: &str) -> Result<()> {
        match File::open(self.at(dir)).and_then(|file| file.sync_all()) {
            // Some network and FUSE file systems cannot sync a folder; they have no volatile folder cache either.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOTSUP | libc::EBADF)) => Ok(()),
            other => other.map_err(self.fail(Op::SyncDir, dir)),
        }
    }

    fn refresh_dir(&self, dir: &str) -> Result<()> {
        // The server answers a SETATTR with the folder's fresh attributes, and the client drops what it remembered
        // about names if the folder changed since.
        // Both times, because setting one of them takes the owner, and the folder may belong to a colleague.
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let times = Timestamps { last_access: now, last_modification: now };
        rustix::fs::utimensat(CWD, self.at(dir), &times, AtFlags::empty()).map_err(self.fail(Op::RefreshDir, dir))
    }
}

#[derive(Debug)]
struct LocalFile(File);

impl Read for LocalFile {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for LocalFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Seek for LocalFile {
    fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
        self.0.seek(pos)
    }
}

impl StorageFile for LocalFile {
    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}
