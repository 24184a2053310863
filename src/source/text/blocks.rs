//! A file's bytes, read ahead, unpacked and hashed by a second thread.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use super::super::SourceError;
use super::packed::Unpacked;
use super::sniff;

const BLOCK_BYTES: usize = 1 << 20;
/// Blocks that wait between the two threads.
const READ_AHEAD: usize = 3;

struct Block {
    bytes: Vec<u8>,
    len: usize,
}

/// The bytes of a file, one block at a time.
pub struct Blocks {
    filled: Receiver<Result<Block, SourceError>>,
    empty: Sender<Vec<u8>>,
    current: Block,
    start: usize,
}

impl Blocks {
    /// Bytes at hand that are not used yet; empty before the first [`Blocks::fill`] and when all are used.
    pub fn data(&self) -> &[u8] {
        self.current.bytes.get(self.start..self.current.len).unwrap_or_default()
    }

    /// Marks `count` bytes as used.
    pub fn advance(&mut self, count: usize) {
        self.start = (self.start + count).min(self.current.len);
    }

    /// Bytes of the current block from `from`, an earlier [`Blocks::position`] within it, to here.
    pub fn since(&self, from: usize) -> &[u8] {
        self.current.bytes.get(from..self.start).unwrap_or_default()
    }

    /// Offset in the current block.
    pub fn position(&self) -> usize {
        self.start
    }

    /// Drops what is left of the current block and waits for the next; false at the end of the file.
    pub fn fill(&mut self) -> Result<bool, SourceError> {
        let next = match self.filled.recv() {
            Ok(next) => next?,
            // The reader is through.
            Err(_) => return Ok(false),
        };
        let used = std::mem::replace(&mut self.current, next);
        self.start = 0;
        if !used.bytes.is_empty() {
            // A reader that is through needs no blocks back.
            let _ = self.empty.send(used.bytes);
        }
        Ok(true)
    }
}

/// Runs `consume` on the bytes of `path` while another thread reads ahead. Also returns the SHA-256 of the whole file,
/// where `hash` asks for it.
pub fn stream<T, E: From<SourceError>>(
    path: &Path,
    hash: bool,
    consume: impl FnOnce(&mut Blocks) -> Result<T, E>,
) -> Result<(T, Option<String>), E> {
    let file = File::open(path).map_err(|error| SourceError::io(path, "open", error))?;
    let bytes = Unpacked::new(file, hash).map_err(|error| SourceError::io(path, "read", error))?;
    let (to_consumer, filled) = sync_channel(READ_AHEAD);
    let (empty, from_consumer) = channel();
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || read_ahead(bytes, path, &to_consumer, &from_consumer));
        // Moved into this closure, so that an early return closes the channels and the reader stops.
        let mut blocks = Blocks { filled, empty, current: Block { bytes: Vec::new(), len: 0 }, start: 0 };
        let value = consume(&mut blocks)?;
        drop(blocks);
        let digest = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((value, digest?))
    })
}

/// The second thread: sends the file's blocks until its end, an error, or nobody wants more. Returns the file's hash.
fn read_ahead(
    mut file: Unpacked,
    path: &Path,
    filled: &SyncSender<Result<Block, SourceError>>,
    empty: &Receiver<Vec<u8>>,
) -> Result<Option<String>, SourceError> {
    let mut offset = 0;
    loop {
        let mut bytes = empty.try_recv().unwrap_or_else(|_| vec![0; BLOCK_BYTES]);
        let len = match read_full(&mut file, &mut bytes) {
            Ok(0) => return file.finish().map_err(|error| SourceError::io(path, "read", error)),
            Ok(len) => len,
            Err(error) => {
                let _ = filled.send(Err(file.failed(path, error)));
                return Ok(None);
            }
        };
        let data = bytes.get(..len).unwrap_or_default();
        let checked = if offset == 0 { Ok(()) } else { sniff::refuse_hole(path, data) };
        offset += len;
        if filled.send(checked.map(|()| Block { bytes, len })).is_err() {
            return Ok(None);
        }
    }
}

/// Fills the buffer as far as the file goes.
fn read_full(file: &mut Unpacked, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut len = 0;
    while let Some(rest) = buffer.get_mut(len..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(count) => len += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}
