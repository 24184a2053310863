//! A sample's folder on node-local scratch, where yt-dlp writes.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{Mode, OFlags};

use super::super::local::HEAD;

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A folder that nobody else has, readable by this user only. The watching process removes it; dropping it does, too,
/// for when there is none.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes one. Blocks.
    ///
    /// # Errors
    /// Those of the scratch folder.
    pub(super) fn make(scratch: &Path) -> io::Result<Self> {
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = std::path::absolute(scratch)?.join(format!("clipmill-site-{}-{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path }),
                // Of another rank of the same number in another namespace, or left by one that lost its node.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of all files in it.
    pub(super) fn bytes(&self) -> u64 {
        let Ok(entries) = fs::read_dir(&self.path) else { return 0 };
        let size = |entry: fs::DirEntry| entry.metadata().ok().filter(fs::Metadata::is_file).map(|file| file.len());
        entries.flatten().filter_map(size).sum()
    }

    /// Opens a file that yt-dlp says it has written: a regular one, directly in the folder, whatever the path claims.
    ///
    /// # Errors
    /// There is no such file.
    pub(super) fn open(&self, said: &str) -> io::Result<(File, u64)> {
        let name = Path::new(said).file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(self.path.join(name), flags, Mode::empty())?);
        let metadata = file.metadata()?;
        if metadata.is_file() { Ok((file, metadata.len())) } else { Err(io::ErrorKind::InvalidInput.into()) }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// The first bytes of a file, for sniffing.
pub(super) fn head(file: &File) -> io::Result<Vec<u8>> {
    use std::os::unix::fs::FileExt;
    let mut head = vec![0; HEAD];
    let mut filled = 0;
    while filled < head.len() {
        match file.read_at(head.get_mut(filled..).unwrap_or_default(), filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    head.truncate(filled);
    Ok(head)
}

/// A file as text, of at most `limit` bytes.
pub(super) fn text(file: File, limit: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    if file.take(limit + 1).read_to_end(&mut bytes)? as u64 > limit {
        return Err(io::Error::other("larger than the limit"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_folder_are_opened() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = Folder::make(scratch.path()).unwrap();
        fs::write(folder.path().join("media.mp4"), "12345").unwrap();
        fs::write(scratch.path().join("outside"), "secret").unwrap();
        std::os::unix::fs::symlink(scratch.path().join("outside"), folder.path().join("link")).unwrap();
        let (file, len) = folder.open("/elsewhere/media.mp4").unwrap();
        assert_eq!((len, head(&file).unwrap().as_slice(), folder.bytes()), (5, &b"12345"[..], 5));
        assert_eq!(text(file, 5).unwrap(), "12345");
        for said in ["link", "../outside", "none", "..", "", "/"] {
            assert!(folder.open(said).is_err(), "{said}");
        }
        let path = folder.path().to_owned();
        drop(folder);
        assert!(!path.exists());
    }
}
