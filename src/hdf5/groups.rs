//! Groups: a heap of names, leaves of names in order (`SNOD`), and a tree over the leaves (`TREE`).

use std::collections::BTreeMap;

use super::writer::{Link, Target, Writer};
use super::{GROUP_LEAF, GROUP_NODE, NOWHERE, encode};

/// Writes a group and all that it holds; returns the address of its object header.
pub(super) fn write<T: Target>(
    writer: &mut Writer,
    target: &mut T,
    links: BTreeMap<String, Link>,
) -> Result<u64, T::Error> {
    // The first name is the empty one, which stands before all.
    let mut heap = vec![0; 8];
    let mut entries = Vec::with_capacity(links.len());
    for (name, link) in links {
        let object = match link {
            Link::Dataset(at) => at,
            Link::Group(links) => write(writer, target, links)?,
        };
        let at = heap.len() as u64;
        heap.extend(name.as_bytes());
        heap.push(0);
        heap.resize(heap.len().next_multiple_of(8), 0);
        entries.push((at, object));
    }
    let leaves = leaves(writer, target, &entries)?;
    let index = tree(writer, target, leaves)?;
    let names = write_heap(writer, target, &heap)?;
    writer.append(target, &encode::group(index, names))
}

/// A name's entry: its place in the heap, its object, and nothing cached.
pub(super) fn entry(name: u64, object: u64) -> [u8; 40] {
    let mut entry = [0; 40];
    let bytes = name.to_le_bytes().into_iter().chain(object.to_le_bytes());
    entry.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
    entry
}

/// A node's address, and the last name below it.
type Node = (u64, u64);

fn leaves<T: Target>(writer: &mut Writer, target: &mut T, entries: &[(u64, u64)]) -> Result<Vec<Node>, T::Error> {
    let most = 2 * GROUP_LEAF as usize;
    let mut leaves = Vec::with_capacity(entries.len().div_ceil(most));
    for names in entries.chunks(most) {
        let mut leaf = b"SNOD\x01\0".to_vec();
        leaf.extend((names.len() as u16).to_le_bytes());
        leaf.extend(names.iter().flat_map(|(name, object)| entry(*name, *object)));
        leaf.resize(8 + most * 40, 0);
        let last = names.last().map_or(0, |(name, _)| *name);
        leaves.push((writer.append(target, &leaf)?, last));
    }
    Ok(leaves)
}

/// Levels of nodes until one is left: its address.
fn tree<T: Target>(writer: &mut Writer, target: &mut T, mut below: Vec<Node>) -> Result<u64, T::Error> {
    let most = 2 * GROUP_NODE as usize;
    let size = 24 + most * 8 + (most + 1) * 8;
    let mut level = 0u8;
    loop {
        let base = writer.end().next_multiple_of(8);
        let count = below.len().div_ceil(most).max(1);
        let place = |n: usize| base + (n * size) as u64;
        let mut nodes = Vec::with_capacity(count);
        // Names up to this one lie further left.
        let mut before = 0u64;
        for n in 0..count {
            let children = below.get(n * most..).unwrap_or_default();
            let children = children.get(..children.len().min(most)).unwrap_or_default();
            let left = if n == 0 { NOWHERE } else { place(n - 1) };
            let right = if n + 1 == count { NOWHERE } else { place(n + 1) };
            let mut node = [&b"TREE\0"[..], &[level], &(children.len() as u16).to_le_bytes()].concat();
            node.extend([left, right, before].map(u64::to_le_bytes).concat());
            for (child, last) in children {
                node.extend([*child, *last].map(u64::to_le_bytes).concat());
                before = *last;
            }
            node.resize(size, 0);
            nodes.push((writer.append(target, &node)?, before));
        }
        match nodes.as_slice() {
            [(root, _)] => return Ok(*root),
            _ => below = nodes,
        }
        level = level.saturating_add(1);
    }
}

fn write_heap<T: Target>(writer: &mut Writer, target: &mut T, heap: &[u8]) -> Result<u64, T::Error> {
    let data = writer.append(target, heap)?;
    // Version 0; length; 1: nothing is free; where the names are.
    let head = [&b"HEAP\0\0\0\0"[..], &[heap.len() as u64, 1, data].map(u64::to_le_bytes).concat()].concat();
    writer.append(target, &head)
}
