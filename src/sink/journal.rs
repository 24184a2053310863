//! The rows of a shard that is being written: their JSON, kept until the sidecar is made.
//!
//! The lines live in memory, compressed where they are many; a checkpoint appends the new ones to a file, so that a short
//! shard never creates it.

use std::io;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::SinkError;
use crate::ledger::storage::StorageFile;

/// Bytes of lines that are compressed together.
const BLOCK: usize = 1 << 20;
/// Fast: lines of one job are so alike that more would gain little.
const LEVEL: i32 = 1;

/// One output sample's line.
#[derive(Debug, Serialize, Deserialize)]
pub struct Line {
    /// The row that it came of.
    pub row: u32,
    /// Bytes received for the row; 0 on its further outputs.
    pub bytes: u64,
    pub meta: Map<String, Value>,
}

/// Lines in memory and, from the first checkpoint on, in a file.
#[derive(Debug, Default)]
pub struct Journal {
    blocks: Vec<Block>,
    /// Whole lines behind the blocks.
    tail: Vec<u8>,
    hasher: Sha256,
    /// Bytes of lines that the file has.
    saved: usize,
}

/// Compressed lines.
#[derive(Debug)]
struct Block {
    bytes: Vec<u8>,
    /// Bytes of the lines before and up to the end of this block.
    start: usize,
    end: usize,
}

impl Block {
    fn lines(&self) -> io::Result<Vec<u8>> {
        zstd::bulk::decompress(&self.bytes, self.end - self.start)
    }
}

impl Journal {
    pub fn push(&mut self, line: &Line) -> Result<(), SinkError> {
        serde_json::to_writer(&mut self.tail, line)?;
        self.tail.push(b'\n');
        self.seal().map_err(|error| SinkError::Json(serde_json::Error::io(error)))
    }

    /// Takes over what an earlier attempt saved.
    pub fn restore(lines: &[u8]) -> io::Result<Self> {
        let mut journal = Self { hasher: Sha256::new_with_prefix(lines), saved: lines.len(), ..Self::default() };
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            journal.tail.extend_from_slice(line);
            journal.seal()?;
        }
        Ok(journal)
    }

    /// Compresses the tail when it is large enough.
    fn seal(&mut self) -> io::Result<()> {
        if self.tail.len() < BLOCK {
            return Ok(());
        }
        let start = self.sealed();
        let bytes = zstd::bulk::compress(&self.tail, LEVEL)?;
        self.blocks.push(Block { bytes, start, end: start + self.tail.len() });
        self.tail.clear();
        // One sample's metadata may have been large.
        self.tail.shrink_to(2 * BLOCK);
        Ok(())
    }

    fn sealed(&self) -> usize {
        self.blocks.last().map_or(0, |block| block.end)
    }

    /// Appends what the file has not yet; returns the file's length and SHA-256.
    pub fn save(&mut self, file: &mut dyn StorageFile) -> io::Result<(u64, [u8; 32])> {
        let sealed = self.sealed();
        for block in self.blocks.iter().filter(|block| block.end > self.saved) {
            let lines = block.lines()?;
            let new = lines.get(self.saved.saturating_sub(block.start)..).unwrap_or_default();
            append(file, &mut self.hasher, new)?;
        }
        append(file, &mut self.hasher, self.tail.get(self.saved.saturating_sub(sealed)..).unwrap_or_default())?;
        self.saved = sealed + self.tail.len();
        Ok((self.saved as u64, self.hasher.clone().finalize().into()))
    }

    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty() && self.tail.is_empty()
    }

    /// Hands every line to `each`, in order, with the bytes of its text.
    pub fn for_each(
        &self,
        path: &str,
        mut each: impl FnMut(Line, usize) -> Result<(), SinkError>,
    ) -> Result<(), SinkError> {
        let broken = |reason: String| SinkError::Journal { path: path.to_owned(), reason };
        let mut all = |lines: &[u8]| {
            for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let parsed = serde_json::from_slice(line).map_err(|error| broken(error.to_string()))?;
                each(parsed, line.len())?;
            }
            Ok(())
        };
        for block in &self.blocks {
            all(&block.lines().map_err(|error| broken(error.to_string()))?)?;
        }
        all(&self.tail)
    }
}

fn append(file: &mut dyn StorageFile, hasher: &mut Sha256, new: &[u8]) -> io::Result<()> {
    file.write_all(new)?;
    hasher.update(new);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ledger::storage::{LocalStorage, Storage};

    fn line(row: u32, text: &str) -> Line {
        Line { row, bytes: 7, meta: Map::from_iter([("text".to_owned(), json!(text))]) }
    }

    fn rows(journal: &Journal) -> Vec<(u32, usize)> {
        let mut rows = Vec::new();
        let each = |line: Line, _| {
            rows.push((line.row, line.meta["text"].as_str().unwrap().len()));
            Ok(())
        };
        journal.for_each("x", each).unwrap();
        rows
    }

    #[test]
    fn lines_come_back_from_blocks_and_files() {
        let folder = tempfile::tempdir().unwrap();
        let storage = LocalStorage::new(folder.path());
        let mut file = storage.create_new("j").unwrap();
        let (mut journal, mut want) = (Journal::default(), Vec::new());
        let mut saved = None;
        for row in 0..300 {
            // Saved within a block, at its end, and not at all for some blocks.
            let text = "long ".repeat(if row == 120 { 600_000 } else { 5_000 });
            journal.push(&line(row, &text)).unwrap();
            want.push((row, text.len()));
            if [3, 60, 61, 250, 299].contains(&row) {
                saved = Some(journal.save(file.as_mut()).unwrap());
            }
        }
        assert!(journal.blocks.len() > 3, "{}", journal.blocks.len());
        assert!(journal.blocks.iter().map(|block| block.bytes.len()).sum::<usize>() < 1 << 20);
        assert_eq!(rows(&journal), want);
        let lines = std::fs::read(folder.path().join("j")).unwrap();
        assert_eq!(saved.unwrap(), (lines.len() as u64, Sha256::digest(&lines).into()));

        let mut restored = Journal::restore(&lines).unwrap();
        restored.push(&line(300, "last")).unwrap();
        want.push((300, 4));
        assert_eq!(rows(&restored), want);
        restored.save(file.as_mut()).unwrap();
        journal.push(&line(300, "last")).unwrap();
        let whole = std::fs::read(folder.path().join("j")).unwrap();
        assert_eq!(journal.save(file.as_mut()).unwrap(), (whole.len() as u64, Sha256::digest(&whole).into()));
    }
}
