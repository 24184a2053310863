//! The bytes of one media member: in memory while the budget lasts, else in an unnamed file on node-local scratch.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::{Budget, Permit};

/// Bytes of a spilled payload that are read at a time.
const COPY_BLOCK: usize = 1 << 20;

/// Anything that bytes can be read from at an offset.
pub trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

/// A file that several payloads lie in.
pub type SharedFile = Arc<Mutex<Box<dyn ReadSeek>>>;

/// The whole bytes of one media member.
#[derive(Debug)]
pub struct Payload {
    len: u64,
    store: Store,
}

enum Store {
    Memory { chunks: Vec<Bytes>, _permit: Option<Permit> },
    Spilled(File),
    Region { file: SharedFile, offset: u64 },
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Store::Memory { .. } => "Memory",
            Store::Spilled(_) => "Spilled",
            Store::Region { .. } => "Region",
        })
    }
}

impl Payload {
    /// A payload that is counted against no budget.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { len: bytes.len() as u64, store: Store::Memory { chunks: vec![bytes], _permit: None } }
    }

    /// `len` bytes at `offset` of a file, read when they are written on.
    pub fn region(file: SharedFile, offset: u64, len: u64) -> Self {
        Self { len, store: Store::Region { file, offset } }
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Hands all bytes, in order, to `write`.
    pub fn for_each_block(&mut self, mut write: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        match &mut self.store {
            Store::Memory { chunks, .. } => chunks.iter().try_for_each(|chunk| write(chunk)),
            Store::Spilled(file) => copy_region(file, 0, self.len, write),
            Store::Region { file, offset } => {
                let mut file = file.lock().map_err(|_| io::Error::other("a reader of the same file panicked"))?;
                copy_region(file.as_mut(), *offset, self.len, write)
            }
        }
    }
}

fn copy_region(
    file: &mut (impl Read + Seek + ?Sized),
    offset: u64,
    len: u64,
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    let mut left = len;
    let mut block = vec![0; COPY_BLOCK.min(usize::try_from(len).unwrap_or(COPY_BLOCK))];
    while left > 0 {
        let want = block.len().min(usize::try_from(left).unwrap_or(block.len()));
        file.read_exact(&mut block[..want])?;
        write(&block[..want])?;
        left -= want as u64;
    }
    Ok(())
}

/// Collects a payload chunk by chunk.
#[derive(Debug)]
pub struct PayloadBuilder {
    len: u64,
    scratch: Arc<PathBuf>,
    head: Vec<u8>,
    store: Building,
}

#[derive(Debug)]
enum Building {
    Memory { chunks: Vec<Bytes>, permit: Permit },
    Spilled(File),
}

/// Bytes from the start that are kept for sniffing, also when the rest is spilled.
const HEAD_BYTES: usize = 512;

impl PayloadBuilder {
    /// Collects into memory while `budget` lasts, then into an unnamed file in the folder `scratch`.
    pub fn new(budget: &Budget, scratch: Arc<PathBuf>) -> Self {
        let store = Building::Memory { chunks: Vec::new(), permit: budget.permit() };
        Self { len: 0, scratch, head: Vec::new(), store }
    }

    /// Bytes collected so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first bytes (up to 512), for sniffing.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Appends a chunk. Errors are those of the scratch folder.
    pub fn push(&mut self, chunk: Bytes) -> io::Result<()> {
        keep_head(&mut self.head, &chunk);
        self.len += chunk.len() as u64;
        match &mut self.store {
            Building::Spilled(file) => file.write_all(&chunk),
            Building::Memory { chunks, permit } => {
                if permit.try_grow(chunk.len() as u64) {
                    chunks.push(chunk);
                    return Ok(());
                }
                let mut file = unnamed_file(&self.scratch)?;
                for held in chunks.iter() {
                    file.write_all(held)?;
                }
                file.write_all(&chunk)?;
                self.store = Building::Spilled(file);
                Ok(())
            }
        }
    }

    /// Appends a chunk if that needs no scratch; gives it back if it does, for [`PayloadBuilder::push`] on a thread that
    /// may block.
    pub fn push_in_memory(&mut self, chunk: Bytes) -> Result<(), Bytes> {
        let Building::Memory { chunks, permit } = &mut self.store else { return Err(chunk) };
        if !permit.try_grow(chunk.len() as u64) {
            return Err(chunk);
        }
        keep_head(&mut self.head, &chunk);
        self.len += chunk.len() as u64;
        chunks.push(chunk);
        Ok(())
    }

    /// Drops everything collected, for a transfer that has to start over.
    pub fn clear(&mut self) -> io::Result<()> {
        self.len = 0;
        self.head.clear();
        match &mut self.store {
            Building::Memory { chunks, permit } => {
                chunks.clear();
                permit.release();
            }
            Building::Spilled(file) => {
                file.set_len(0)?;
                file.seek(SeekFrom::Start(0))?;
            }
        }
        Ok(())
    }

    pub fn finish(self) -> Payload {
        let store = match self.store {
            Building::Memory { chunks, permit } => Store::Memory { chunks, _permit: Some(permit) },
            Building::Spilled(file) => Store::Spilled(file),
        };
        Payload { len: self.len, store }
    }
}

fn keep_head(head: &mut Vec<u8>, chunk: &[u8]) {
    let take = chunk.len().min(HEAD_BYTES.saturating_sub(head.len()));
    head.extend_from_slice(&chunk[..take]);
}

/// A file that no name leads to: it vanishes with its last descriptor, also when the process is killed.
fn unnamed_file(folder: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    match rustix::fs::open(folder, flags, Mode::RUSR | Mode::WUSR) {
        Ok(fd) => Ok(File::from(fd)),
        // Not every file system has O_TMPFILE (NFS, overlayfs before 6.2).
        Err(_) => named_then_unlinked(folder),
    }
}

fn named_then_unlinked(folder: &Path) -> io::Result<File> {
    let path = folder.join(format!("clipmill-spill-{}-{:016x}", std::process::id(), fastrand::u64(..)));
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payload: &mut Payload) -> Vec<u8> {
        let mut all = Vec::new();
        payload
            .for_each_block(|block| {
                all.extend_from_slice(block);
                Ok(())
            })
            .unwrap();
        all
    }

    #[test]
    fn spills_when_the_budget_is_spent_and_keeps_every_byte() {
        let scratch = tempfile::tempdir().unwrap();
        let budget = Budget::new(1000);
        let mut builder = PayloadBuilder::new(&budget, Arc::new(scratch.path().to_owned()));
        let mut want = Vec::new();
        for n in 0..50u8 {
            let chunk = vec![n; 100];
            want.extend_from_slice(&chunk);
            builder.push(chunk.into()).unwrap();
        }
        assert_eq!(budget.used(), 0, "a spilled payload holds no budget");
        assert_eq!(builder.head(), &want[..512]);
        let mut payload = builder.finish();
        assert!(matches!(payload.store, Store::Spilled(_)));
        assert_eq!(read(&mut payload), want);
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_cleared_builder_starts_over() {
        let scratch = tempfile::tempdir().unwrap();
        for limit in [0, 1000] {
            let budget = Budget::new(limit);
            let mut builder = PayloadBuilder::new(&budget, Arc::new(scratch.path().to_owned()));
            builder.push(Bytes::from_static(b"half of a")).unwrap();
            builder.clear().unwrap();
            builder.push(Bytes::from_static(b"whole")).unwrap();
            assert_eq!(builder.head(), b"whole");
            let mut payload = builder.finish();
            assert_eq!(payload.len(), 5);
            assert_eq!(read(&mut payload), b"whole");
        }
    }
}
