//! A compressed array that grows along its first axis, and the index of its chunks.

use super::encode::{self, Attribute, Layout, Type};
use super::pack::{LEVEL, Packer};
use super::writer::{Target, Writer};
use super::{CHUNK_NODE, NOWHERE};

/// Bytes of a chunk before compression, about: readers take whole chunks, and keep 1 MiB of them by default.
const CHUNK: u64 = 256 << 10;

/// Compresses slices of an array, a chunk at a time. Memory: a chunk, a few
/// times over, and 16 bytes for each chunk that was written.
#[derive(Debug)]
pub struct Chunks {
    of: Type,
    /// Of a slice.
    shape: Vec<u64>,
    /// Of a chunk; its first side is in slices.
    chunk: Vec<u64>,
    /// Whole ones so far, and bytes of the one that is not.
    slices: u64,
    within: u64,
    pending: Vec<u8>,
    shuffled: Vec<u8>,
    packed: Vec<u8>,
    packer: Packer,
    index: Vec<Piece>,
}

/// A chunk as it lies in the file.
#[derive(Debug, Clone, Copy)]
struct Piece {
    at: u64,
    bytes: u32,
    /// Of the filters, those that were left out.
    skipped: u32,
}

impl Chunks {
    /// Slices of `shape`, about `expected` of them. `None`: of this shape nothing is chunked, as a slice is empty or a row
    /// of it larger than a chunk may be.
    pub fn new(of: Type, shape: &[u64], expected: u64) -> Option<Self> {
        let slice = product(shape, of)?;
        let mut chunk = Vec::with_capacity(shape.len() + 1);
        if slice == 0 || expected == 0 {
            return None;
        }
        if slice <= CHUNK {
            chunk.push((CHUNK / slice).clamp(1, expected));
            chunk.extend(shape);
        } else {
            let (rows, rest) = shape.split_first()?;
            // Parts of nearly one size: the last is filled up to that of the others.
            let most = (CHUNK / (slice / rows)).max(1);
            chunk.extend([1, rows.div_ceil(rows.div_ceil(most))]);
            chunk.extend(rest);
            // The format's sides have 32 bits; a chunk is held in memory.
            product(&chunk, of).filter(|bytes| *bytes <= 64 << 20)?;
        }
        Some(Self {
            of,
            shape: shape.to_vec(),
            chunk,
            slices: 0,
            within: 0,
            pending: Vec::new(),
            shuffled: Vec::new(),
            packed: Vec::new(),
            packer: Packer::default(),
            index: Vec::new(),
        })
    }

    /// Bytes that so many slices take with their index, at most: nothing becomes larger by compression.
    pub fn most_bytes(&self, slices: u64) -> u64 {
        let per_slice = self.chunks_per_slice();
        let per_chunk = self.chunk.first().copied().unwrap_or(1).max(1);
        let chunks = slices.div_ceil(per_chunk).saturating_mul(per_slice);
        let nodes = (chunks / CHUNK_NODE).saturating_add(8);
        let index = nodes.saturating_mul(self.node_bytes() as u64);
        chunks.saturating_mul(self.chunk_bytes() as u64 + 8).saturating_add(index).saturating_add(4096)
    }

    fn chunks_per_slice(&self) -> u64 {
        self.shape.first().zip(self.chunk.get(1)).map_or(1, |(rows, chunk)| rows.div_ceil(*chunk))
    }

    fn node_bytes(&self) -> usize {
        let most = 2 * CHUNK_NODE as usize;
        24 + most * 8 + (most + 1) * (8 + 8 * (self.chunk.len() + 1))
    }

    fn chunk_bytes(&self) -> usize {
        product(&self.chunk, self.of).map_or(0, |bytes| bytes as usize)
    }

    /// Appends bytes of slices in their order, cut anywhere. What comes of a slice that stays incomplete is lost.
    pub fn push<T: Target>(&mut self, writer: &mut Writer, target: &mut T, bytes: &[u8]) -> Result<(), T::Error> {
        let full = self.chunk_bytes().max(1);
        let slice = product(&self.shape, self.of).unwrap_or(1).max(1);
        let mut rest = bytes;
        while !rest.is_empty() {
            let left_in_slice = usize::try_from(slice - self.within).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at(rest.len().min(full - self.pending.len()).min(left_in_slice));
            self.pending.extend(now);
            self.within += now.len() as u64;
            rest = later;
            let ends_slice = self.within == slice;
            if ends_slice {
                self.within = 0;
                self.slices += 1;
            }
            // A chunk of several slices is full; one that is a part of a slice ends with it.
            if self.pending.len() == full || (ends_slice && self.chunk.first() == Some(&1)) {
                self.write(writer, target)?;
            }
        }
        Ok(())
    }

    fn write<T: Target>(&mut self, writer: &mut Writer, target: &mut T) -> Result<(), T::Error> {
        // Chunks at an array's edge are stored whole.
        self.pending.resize(self.chunk_bytes(), 0);
        let shuffles = self.shuffles();
        let plain = if shuffles {
            shuffle(&self.pending, self.of.bytes as usize, &mut self.shuffled);
            &self.shuffled
        } else {
            &self.pending
        };
        let packs = self.packer.pack(plain, self.of.bytes as usize, &mut self.packed);
        let (bytes, skipped) = if packs { (&self.packed, 0) } else { (plain, 1 << u32::from(shuffles)) };
        let at = writer.append(target, bytes)?;
        self.index.push(Piece { at, bytes: bytes.len() as u32, skipped });
        self.pending.clear();
        Ok(())
    }

    fn shuffles(&self) -> bool {
        self.of.bytes > 1
    }

    /// Writes what is left, the index and the dataset's header; returns its address.
    pub fn finish<T: Target>(
        mut self,
        writer: &mut Writer,
        target: &mut T,
        attributes: &[(&str, Attribute)],
    ) -> Result<u64, T::Error> {
        if !self.pending.is_empty() {
            self.write(writer, target)?;
        }
        let index = self.tree(writer, target)?;
        let mut shape = vec![self.slices];
        shape.extend(&self.shape);
        let layout = Layout::Chunked { index, chunk: &self.chunk, shuffle: self.shuffles(), level: LEVEL };
        writer.append(target, &encode::dataset(self.of, &shape, &layout, attributes))
    }

    /// Where a chunk begins: its first elements' indices, and 0 within an element.
    fn place(&self, n: usize) -> Vec<u64> {
        let per_slice = self.chunks_per_slice();
        let (slice, part) = (n as u64 / per_slice, n as u64 % per_slice);
        let mut place = vec![0; self.chunk.len() + 1];
        let sides = [slice, part].into_iter().zip(&self.chunk).map(|(at, side)| at * side);
        place.iter_mut().zip(sides).for_each(|(place, at)| *place = at);
        place
    }

    /// A node's key: a chunk's size, filters left out, and place.
    fn key(&self, n: usize) -> Vec<u8> {
        let piece = self.index.get(n).copied();
        let (bytes, skipped) = piece.map_or((0, 0), |piece| (piece.bytes, piece.skipped));
        let place = match piece {
            Some(_) => self.place(n),
            // Behind the last one: one chunk further along every axis.
            None => {
                let last = self.place(n.saturating_sub(1));
                let sides = self.chunk.iter().copied().chain([u64::from(self.of.bytes)]);
                last.into_iter().zip(sides).map(|(at, side)| at + side).collect()
            }
        };
        let mut key = [bytes, skipped].map(u32::to_le_bytes).concat();
        key.extend(place.into_iter().flat_map(u64::to_le_bytes));
        key
    }

    /// Levels of nodes over the chunks until one is left: its address.
    fn tree<T: Target>(&self, writer: &mut Writer, target: &mut T) -> Result<u64, T::Error> {
        let most = 2 * CHUNK_NODE as usize;
        let size = self.node_bytes();
        // Each with the number of the first chunk below it.
        let mut below: Vec<(u64, usize)> = self.index.iter().map(|piece| piece.at).zip(0..).collect();
        let mut level = 0u8;
        loop {
            let base = writer.end().next_multiple_of(8);
            let count = below.len().div_ceil(most).max(1);
            let mut nodes = Vec::with_capacity(count);
            for (n, children) in below.chunks(most).enumerate() {
                let sibling = |there: bool, n: usize| if there { base + (n * size) as u64 } else { NOWHERE };
                let mut node = [&b"TREE\x01"[..], &[level], &(children.len() as u16).to_le_bytes()].concat();
                node.extend(sibling(n > 0, n.wrapping_sub(1)).to_le_bytes());
                node.extend(sibling(n + 1 < count, n + 1).to_le_bytes());
                for (child, first) in children {
                    node.extend(self.key(*first));
                    node.extend(child.to_le_bytes());
                }
                let next = below.get((n + 1) * most).map_or(self.index.len(), |(_, first)| *first);
                node.extend(self.key(next));
                node.resize(size, 0);
                let first = children.first().map_or(0, |(_, first)| *first);
                nodes.push((writer.append(target, &node)?, first));
            }
            match nodes.as_slice() {
                [] => return Ok(NOWHERE),
                [(root, _)] => return Ok(*root),
                _ => below = nodes,
            }
            level = level.saturating_add(1);
        }
    }
}

/// First bytes of all elements, then second ones, and so on: alike bytes lie together.
fn shuffle(bytes: &[u8], size: usize, out: &mut Vec<u8>) {
    out.resize(bytes.len(), 0);
    let count = (bytes.len() / size.max(1)).max(1);
    for (at, plane) in out.chunks_exact_mut(count).enumerate() {
        match size {
            2 => pick_of_2(bytes, at as u32 * 8, plane),
            4 => pick_of_4(bytes, at as u32 * 8, plane),
            _ => plane.iter_mut().zip(bytes.iter().skip(at).step_by(size)).for_each(|(to, byte)| *to = *byte),
        }
    }
}

// As numbers that lose their other bits, and not as bytes with others between them, many are done at once.

#[multiversion::multiversion(targets("x86_64+avx2"))]
fn pick_of_2(bytes: &[u8], shift: u32, plane: &mut [u8]) {
    let elements = bytes.as_chunks::<2>().0;
    plane.iter_mut().zip(elements).for_each(|(to, element)| *to = (u16::from_le_bytes(*element) >> shift) as u8);
}

#[multiversion::multiversion(targets("x86_64+avx2"))]
fn pick_of_4(bytes: &[u8], shift: u32, plane: &mut [u8]) {
    let elements = bytes.as_chunks::<4>().0;
    plane.iter_mut().zip(elements).for_each(|(to, element)| *to = (u32::from_le_bytes(*element) >> shift) as u8);
}

/// Bytes of an array; `None` where they are too many to count.
fn product(shape: &[u64], of: Type) -> Option<u64> {
    shape.iter().try_fold(u64::from(of.bytes), |product, side| product.checked_mul(*side))
}
