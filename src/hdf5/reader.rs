//! What lies in a file that was written here. Trusts nothing: every address and length is held against the file's.

use std::io::{self, Read, Seek, SeekFrom};

use super::{GROUP_LEAF, GROUP_NODE, Kind, NOWHERE, SIGNATURE, SUPERBLOCK, Type};

/// Groups within groups, and levels of an index, at most.
const DEPTH: usize = 64;
/// Bytes of one thing that is read whole: headers, names, texts.
const WHOLE: u64 = 64 << 20;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("at byte {at}: {what}")]
    Damaged { at: u64, what: String },
}

/// A dataset and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its group, without a leading `/`.
    pub path: String,
    pub name: String,
    pub of: Type,
    pub shape: Vec<u64>,
    /// Where its elements lie, where that is in one piece.
    pub at: Option<u64>,
}

impl Found {
    /// Bytes of its elements, uncompressed.
    pub fn bytes(&self) -> u64 {
        self.shape.iter().fold(u64::from(self.of.bytes), |product, side| product.saturating_mul(*side))
    }
}

/// An open file.
#[derive(Debug)]
pub struct Reader<R> {
    file: R,
    end: u64,
    /// Names that may still be read: a file whose index leads in circles has more than it has room for.
    names_left: u64,
}

type Result<T> = std::result::Result<T, ReadError>;

fn damaged<T>(at: u64, what: impl Into<String>) -> Result<T> {
    Err(ReadError::Damaged { at, what: what.into() })
}

impl<R: Read + Seek> Reader<R> {
    /// # Errors
    /// A file that is none of this kind, or shorter than it says.
    pub fn new(mut file: R) -> Result<Self> {
        let end = file.seek(SeekFrom::End(0))?;
        let mut reader = Self { file, end, names_left: end / 40 };
        let head = reader.bytes(0, SUPERBLOCK)?;
        let versions = [0, 0, 0, 0, 0, 8, 8, 0];
        if head.get(..8) != Some(&SIGNATURE[..]) || head.get(8..16) != Some(&versions[..]) {
            return damaged(0, "this is no HDF5 file that clipmill has written");
        }
        if word(&head, 40) != end {
            return damaged(40, format!("the file should have {} bytes and has {end}", word(&head, 40)));
        }
        Ok(reader)
    }

    /// Every dataset, in the order of names.
    pub fn datasets(&mut self) -> Result<Vec<Found>> {
        let root = word(&self.bytes(0, SUPERBLOCK)?, 64);
        let mut found = Vec::new();
        self.object(root, "", "", DEPTH, &mut found)?;
        Ok(found)
    }

    /// A dataset's bytes; for texts.
    pub fn read(&mut self, found: &Found) -> Result<Vec<u8>> {
        match found.at {
            Some(at) => self.bytes(at, found.bytes()),
            None => Ok(Vec::new()),
        }
    }

    fn bytes(&mut self, at: u64, len: u64) -> Result<Vec<u8>> {
        if len > WHOLE || at.checked_add(len).is_none_or(|end| end > self.end) {
            return damaged(at, format!("{len} bytes are not there, or too many"));
        }
        let mut bytes = vec![0; len as usize];
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn object(&mut self, at: u64, path: &str, name: &str, depth: usize, found: &mut Vec<Found>) -> Result<()> {
        let head = self.bytes(at, 16)?;
        let messages = self.bytes(at + 16, u64::from(half(&head, 8)))?;
        let mut dataset = Found {
            path: path.into(),
            name: name.into(),
            of: Type::new(Kind::Unsigned, 1),
            shape: Vec::new(),
            at: None,
        };
        let (mut rest, mut is_dataset) = (&messages[..], false);
        while let Some((start, after)) = rest.split_at_checked(8) {
            let (kind, len) = (quarter(start, 0), usize::from(quarter(start, 2)));
            let Some((data, after)) = after.split_at_checked(len) else { return damaged(at, "a message is cut") };
            rest = after;
            match kind {
                0x11 => {
                    let path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
                    return self.group(word(data, 0), word(data, 8), &path, depth, found);
                }
                0x01 => {
                    let axes = usize::from(data.get(1).copied().unwrap_or_default());
                    dataset.shape = (0..axes).map(|axis| word(data, 8 + axis * 8)).collect();
                }
                0x03 => dataset.of = element(data),
                0x08 => {
                    is_dataset = true;
                    let is_whole = data.get(1) == Some(&1);
                    dataset.at = Some(word(data, 2)).filter(|at| is_whole && *at != NOWHERE);
                }
                _ => {}
            }
        }
        if !is_dataset {
            return damaged(at, "an object that is neither a group nor a dataset");
        }
        if dataset.at.is_some_and(|start| start.checked_add(dataset.bytes()).is_none_or(|end| end > self.end)) {
            return damaged(at, format!("`{name}` says {} bytes, more than the file holds", dataset.bytes()));
        }
        found.push(dataset);
        Ok(())
    }

    fn group(&mut self, index: u64, names: u64, path: &str, depth: usize, found: &mut Vec<Found>) -> Result<()> {
        let Some(depth) = depth.checked_sub(1) else { return damaged(index, "groups lie too deep") };
        let head = self.bytes(names, 32)?;
        if head.get(..4) != Some(&b"HEAP"[..]) {
            return damaged(names, "a group without names");
        }
        let heap = self.bytes(word(&head, 24), word(&head, 8))?;
        let mut entries = Vec::new();
        self.node(index, DEPTH, &mut entries)?;
        for (at, object) in entries {
            let name = usize::try_from(at).ok().and_then(|at| heap.get(at..)).unwrap_or_default();
            let name = name.split(|byte| *byte == 0).next().and_then(|name| std::str::from_utf8(name).ok());
            let Some(name) = name.filter(|name| !name.is_empty()) else {
                return damaged(index, "an object without a name");
            };
            self.object(object, path, name, depth, found)?;
        }
        Ok(())
    }

    /// Names and objects below a node of a group's index.
    fn node(&mut self, at: u64, depth: usize, entries: &mut Vec<(u64, u64)>) -> Result<()> {
        let Some(depth) = depth.checked_sub(1) else { return damaged(at, "an index is too deep") };
        let head = self.bytes(at, 24)?;
        let (is_leaf, is_node) = (head.get(..4) == Some(&b"SNOD"[..]), head.get(..5) == Some(&b"TREE\0"[..]));
        let count = u64::from(quarter(&head, 6));
        if is_leaf && count <= 2 * GROUP_LEAF {
            let Some(left) = self.names_left.checked_sub(count) else {
                return damaged(at, "an index leads in circles");
            };
            self.names_left = left;
            let names = self.bytes(at + 8, count * 40)?;
            entries.extend(names.as_chunks::<40>().0.iter().map(|entry| (word(entry, 0), word(entry, 8))));
            return Ok(());
        }
        if !is_node || count > 2 * GROUP_NODE {
            return damaged(at, "this is no part of an index");
        }
        let Some(left) = self.names_left.checked_sub(1) else { return damaged(at, "an index leads in circles") };
        self.names_left = left;
        let children = self.bytes(at + 24, count * 16 + 8)?;
        children.as_chunks::<16>().0.iter().try_for_each(|child| self.node(word(child, 8), depth, entries))
    }
}

fn element(data: &[u8]) -> Type {
    let signed = data.get(1).is_some_and(|flags| flags & 8 != 0);
    let kind = match data.first().map(|class| class & 15) {
        Some(0) if signed => Kind::Signed,
        Some(1) => Kind::Float,
        Some(3) => Kind::Text,
        _ => Kind::Unsigned,
    };
    Type::new(kind, half(data, 4))
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}

fn half(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

fn quarter(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(bytes, at))
}

/// Zeros where there is nothing.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or([0; N])
}
