//! The bytes of one media member: in memory while the budget lasts, else in an unnamed file on node-local scratch.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::{Budget, Permit};

/// Bytes that are read at a time: as many as stay in a processor's own cache until they are hashed and written.
const COPY_BLOCK: usize = 256 << 10;

/// Anything that bytes can be read from at an offset.
pub trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

/// A file that several payloads lie in.
pub type SharedFile = Arc<Mutex<Box<dyn ReadSeek>>>;

/// A file that several payloads lie in and that nobody writes to any more: in memory (a memfd) while the budget lasts,
/// else without a name on scratch.
#[derive(Debug)]
pub struct SealedFile {
    file: File,
    _permit: Option<Permit>,
}

/// Copies up to this many bytes of a region into memory to make a file of its own; larger ones go to scratch.
const REGION_IN_MEMORY: u64 = 16 << 20;

impl SealedFile {
    /// A file that cannot be written any more; `permit` counts it while it lives.
    pub fn new(file: File, permit: Option<Permit>) -> Self {
        Self { file, _permit: permit }
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    /// Takes over a memfd of `len` bytes that is sealed against writing: counted against `budget`, or moved to an
    /// unnamed file in `scratch` where that has not enough left. Blocks.
    ///
    /// # Errors
    /// Those of the scratch folder.
    pub fn adopt(memory: File, len: u64, budget: &Budget, scratch: &Path) -> io::Result<Self> {
        let mut permit = budget.permit();
        if permit.try_grow(len) {
            return Ok(Self { file: memory, _permit: Some(permit) });
        }
        let mut file = unnamed_file(scratch)?;
        read_region(&memory, 0, len, |block| file.write_all(block))?;
        Ok(Self { file, _permit: None })
    }
}

/// The whole bytes of one media member.
#[derive(Debug)]
pub struct Payload {
    len: u64,
    store: Store,
}

enum Store {
    Memory { chunks: Vec<Bytes>, permit: Option<Permit> },
    Spilled(File),
    Region { file: SharedFile, offset: u64 },
    Sealed { file: Arc<SealedFile>, offset: u64 },
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Store::Memory { .. } => "Memory",
            Store::Spilled(_) => "Spilled",
            Store::Region { .. } => "Region",
            Store::Sealed { .. } => "Sealed",
        })
    }
}

impl Payload {
    /// A payload that is counted against no budget.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { len: bytes.len() as u64, store: Store::Memory { chunks: vec![bytes], permit: None } }
    }

    /// A file of `len` bytes, read where it lies when it is needed. Whoever wants bytes that cannot change or fail any more
    /// reads them into a payload first.
    pub fn file(file: File, len: u64) -> Self {
        Self { len, store: Store::Spilled(file) }
    }

    /// `len` bytes at `offset` of a file, read when they are written on.
    pub fn region(file: SharedFile, offset: u64, len: u64) -> Self {
        Self { len, store: Store::Region { file, offset } }
    }

    /// `len` bytes at `offset` of a sealed file.
    pub fn sealed(file: Arc<SealedFile>, offset: u64, len: u64) -> Self {
        Self { len, store: Store::Sealed { file, offset } }
    }

    /// The same bytes once more, where they lie in a file that several payloads share.
    pub fn again(&self) -> Option<Self> {
        match &self.store {
            Store::Region { file, offset } => Some(Self::region(Arc::clone(file), *offset, self.len)),
            Store::Sealed { file, offset } => Some(Self::sealed(Arc::clone(file), *offset, self.len)),
            Store::Memory { .. } | Store::Spilled(_) => None,
        }
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes as a file of their own that starts with them and can only be read, to be handed to another process.
    /// A spilled payload's file as it is; bytes in memory are written once into a sealed memfd, which the returned permit
    /// keeps counted against the budget. Blocks.
    ///
    /// # Errors
    /// No memory or no descriptor left, or those of the file that the payload lies in and of the folder `scratch`.
    pub fn into_file(mut self, scratch: &Path) -> io::Result<(File, Option<Permit>)> {
        match self.store {
            Store::Spilled(file) => Ok((read_only(&file)?, None)),
            Store::Region { .. } | Store::Sealed { .. } if self.len > REGION_IN_MEMORY => {
                let mut file = unnamed_file(scratch)?;
                self.for_each_block(|block| file.write_all(block))?;
                Ok((read_only(&file)?, None))
            }
            _ => {
                let memory = memory_file(c"clipmill-media")?;
                let mut writer = &memory;
                self.for_each_block(|block| writer.write_all(block))?;
                seal(&memory)?;
                let permit = match self.store {
                    Store::Memory { permit, .. } => permit,
                    _ => None,
                };
                Ok((read_only(&memory)?, permit))
            }
        }
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
            Store::Sealed { file, offset } => read_region(&file.file, *offset, self.len, write),
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

/// Like [`copy_region`], for a file that others read at the same time.
fn read_region(file: &File, offset: u64, len: u64, mut write: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut block = vec![0; COPY_BLOCK.min(usize::try_from(len).unwrap_or(COPY_BLOCK))];
    let mut done = 0;
    while done < len {
        let want = block.len().min(usize::try_from(len - done).unwrap_or(block.len()));
        file.read_exact_at(&mut block[..want], offset + done)?;
        write(&block[..want])?;
        done += want as u64;
    }
    Ok(())
}

/// An empty file in memory that can be sealed.
pub(crate) fn memory_file(name: &std::ffi::CStr) -> io::Result<File> {
    use rustix::fs::MemfdFlags;
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    Ok(File::from(rustix::fs::memfd_create(name, flags)?))
}

/// Nobody, not even another process that holds it, can change the memfd any more. Fails while one has it mapped for
/// writing.
pub(crate) fn seal(memory: &File) -> io::Result<()> {
    use rustix::fs::SealFlags;
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
    Ok(rustix::fs::fcntl_add_seals(memory, seals)?)
}

/// The same file through a descriptor that cannot write, at offset 0.
fn read_only(file: &File) -> io::Result<File> {
    use std::os::fd::AsRawFd;
    File::open(format!("/proc/self/fd/{}", file.as_fd().as_raw_fd()))
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
            Building::Memory { chunks, permit } => Store::Memory { chunks, permit: Some(permit) },
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
    fn a_file_of_its_own_from_every_kind_and_none_can_be_written() {
        let scratch = tempfile::tempdir().unwrap();
        let (small, large) = (vec![7u8; 1000], vec![9u8; REGION_IN_MEMORY as usize + 5]);
        let budget = Budget::new(1000);
        let in_memory = |bytes: &[u8]| {
            let mut builder = PayloadBuilder::new(&budget, Arc::new(scratch.path().to_owned()));
            builder.push(bytes.to_vec().into()).unwrap();
            builder.finish()
        };
        let region = |bytes: &[u8]| {
            let file = [b"before", bytes, b"after"].concat();
            let file: Box<dyn ReadSeek> = Box::new(std::io::Cursor::new(file));
            Payload::region(Arc::new(Mutex::new(file)), 6, bytes.len() as u64)
        };
        for (payload, want) in [
            (in_memory(&small), &small),
            (in_memory(&large), &large),
            (region(&small), &small),
            (region(&large), &large),
        ] {
            let kind = format!("{payload:?}");
            let (mut file, permit) = payload.into_file(scratch.path()).unwrap();
            let mut all = Vec::new();
            file.read_to_end(&mut all).unwrap();
            assert!(&all == want, "{kind}");
            assert!(file.write_all(b"x").is_err(), "{kind}");
            assert_eq!(budget.used(), permit.as_ref().map_or(0, |_| 1000), "{kind}");
        }
        assert_eq!(budget.used(), 0);
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_sealed_file_is_counted_or_moved_to_scratch() {
        let scratch = tempfile::tempdir().unwrap();
        for limit in [0, 1000] {
            let budget = Budget::new(limit);
            let memory = memory_file(c"test").unwrap();
            (&memory).write_all(b"onetwo").unwrap();
            seal(&memory).unwrap();
            assert!((&memory).write_all(b"x").is_err());
            let file = Arc::new(SealedFile::adopt(memory, 6, &budget, scratch.path()).unwrap());
            assert_eq!(budget.used(), if limit == 0 { 0 } else { 6 });
            let (mut one, mut two) = (Payload::sealed(Arc::clone(&file), 0, 3), Payload::sealed(file, 3, 3));
            assert_eq!((read(&mut two), read(&mut one)), (b"two".to_vec(), b"one".to_vec()));
            drop(one);
            drop(two);
            assert_eq!(budget.used(), 0);
        }
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
