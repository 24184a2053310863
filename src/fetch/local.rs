//! Files of this machine, where the config allows them.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::fs::{Mode, OFlags};

use super::FetchError;
use super::body::Collector;
use super::classify::is_out_of_files;
use crate::sample::{Failure, FailureClass};

/// Bytes that are read at a time; between two blocks a dropped future ends the reading.
const BLOCK: usize = 1 << 20;
/// Bytes that tell what a file is.
pub(super) const HEAD: usize = 512;

/// Reads the regular file `path` into `collector`; symbolic links to regular files are followed.
pub(super) async fn read(path: PathBuf, max_bytes: u64, collector: &mut Collector) -> Result<(), FetchError> {
    let shown = path.display().to_string();
    let (mut file, length) = blocking(move || open(&path)).await?.map_err(|error| unreadable(&shown, &error))?;
    if length > max_bytes {
        return Err(too_large(&shown, max_bytes));
    }
    loop {
        let (back, block) = blocking(move || read_block(file)).await?.map_err(|error| unreadable(&shown, &error))?;
        if block.is_empty() {
            return Ok(());
        }
        file = back;
        // The file may grow while it is read.
        if collector.len() + block.len() as u64 > max_bytes {
            return Err(too_large(&shown, max_bytes));
        }
        collector.push(block, None).await.map_err(FetchError::Scratch)?;
    }
}

/// A file to be read in place.
pub(super) struct Opened {
    pub file: File,
    pub len: u64,
    /// Its first bytes, for sniffing.
    pub head: Vec<u8>,
}

/// Opens the regular file `path`, as [`read`] would, and looks at its first bytes only.
pub(super) async fn open_in_place(path: PathBuf, max_bytes: u64) -> Result<Opened, FetchError> {
    let shown = path.display().to_string();
    let opened = blocking(move || {
        let (file, len) = open(&path)?;
        let mut head = Vec::with_capacity(HEAD);
        (&file).take(HEAD as u64).read_to_end(&mut head)?;
        Ok(Opened { file, len, head })
    });
    let opened = opened.await?.map_err(|error| unreadable(&shown, &error))?;
    if opened.len > max_bytes {
        return Err(too_large(&shown, max_bytes));
    }
    Ok(opened)
}

fn too_large(shown: &str, max_bytes: u64) -> FetchError {
    let message = format!("the file {shown} is larger than reading.max_bytes ({max_bytes} bytes)");
    Failure::new(FailureClass::TooLarge, message).into()
}

/// Opens without waiting for anything: a FIFO has nobody at its other end, and a device may act when it is opened.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let not_regular = || io::Error::other("not a regular file");
    if !std::fs::metadata(path)?.is_file() {
        return Err(not_regular());
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    // Another file may have taken the name meanwhile.
    let metadata = file.metadata()?;
    if metadata.is_file() { Ok((file, metadata.len())) } else { Err(not_regular()) }
}

fn read_block(mut file: File) -> io::Result<(File, Bytes)> {
    let mut block = Vec::with_capacity(BLOCK);
    Read::by_ref(&mut file).take(BLOCK as u64).read_to_end(&mut block)?;
    Ok((file, block.into()))
}

fn unreadable(path: &str, error: &io::Error) -> FetchError {
    if is_out_of_files(error) {
        return FetchError::OpenFiles;
    }
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    Failure::new(FailureClass::LocalFile, format!("cannot read the file {path}: {reason}")).into()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, FetchError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| FetchError::Scratch(io::Error::other(error)))
}
