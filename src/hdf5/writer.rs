//! Where things lie in a file; datasets; the superblock.

use std::collections::BTreeMap;

use super::encode::{self, Attribute, Layout, Type};
use super::{GROUP_LEAF, GROUP_NODE, NOWHERE, SIGNATURE, SUPERBLOCK, groups};

/// Takes the bytes of a file. Nearly all come in order; only the first [`SUPERBLOCK`] come last.
pub trait Target {
    type Error;

    fn write_at(&mut self, at: u64, bytes: &[u8]) -> Result<(), Self::Error>;
}

/// Two things of one name, of which one is a group: `a/b` beside a dataset `b` in `a`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is the name of a sample and of something else")]
pub struct Clash(pub String);

/// A file in the making. Holds names and addresses, no content.
#[derive(Debug)]
pub struct Writer {
    end: u64,
    root: BTreeMap<String, Link>,
}

/// What a name leads to.
#[derive(Debug)]
pub(super) enum Link {
    /// The address of its object header.
    Dataset(u64),
    Group(BTreeMap<String, Link>),
}

impl Default for Writer {
    fn default() -> Self {
        Self { end: SUPERBLOCK, root: BTreeMap::new() }
    }
}

impl Writer {
    /// Bytes of the file so far.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Room for `len` bytes, which the caller writes to the target.
    pub fn reserve(&mut self, len: u64) -> u64 {
        let at = self.end.next_multiple_of(8);
        self.end = at + len;
        at
    }

    /// Writes bytes behind what is there; returns where.
    pub(super) fn append<T: Target>(&mut self, target: &mut T, bytes: &[u8]) -> Result<u64, T::Error> {
        let at = self.reserve(bytes.len() as u64);
        target.write_at(at, bytes)?;
        Ok(at)
    }

    /// A dataset whose elements were written to room at `at`. No axes: one element.
    pub fn whole<T: Target>(
        &mut self,
        target: &mut T,
        of: Type,
        shape: &[u64],
        at: u64,
        attributes: &[(&str, Attribute)],
    ) -> Result<u64, T::Error> {
        let len = shape.iter().product::<u64>() * u64::from(of.bytes);
        let at = if len == 0 { NOWHERE } else { at };
        self.append(target, &encode::dataset(of, shape, &Layout::Whole { at, len }, attributes))
    }

    /// A small dataset.
    pub fn small<T: Target>(
        &mut self,
        target: &mut T,
        of: Type,
        shape: &[u64],
        bytes: &[u8],
        attributes: &[(&str, Attribute)],
    ) -> Result<u64, T::Error> {
        let at = self.append(target, bytes)?;
        self.whole(target, of, shape, at, attributes)
    }

    /// Gives a dataset a name in the group `path`, `/` between its parts; an empty path is the root.
    ///
    /// # Errors
    /// [`Clash`].
    pub fn link(&mut self, path: &str, name: &str, dataset: u64) -> Result<(), Clash> {
        let mut group = &mut self.root;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let next = group.entry(part.to_owned()).or_insert_with(|| Link::Group(BTreeMap::new()));
            let Link::Group(inner) = next else { return Err(Clash(path.to_owned())) };
            group = inner;
        }
        match group.insert(name.to_owned(), Link::Dataset(dataset)) {
            None => Ok(()),
            Some(_) => Err(Clash(format!("{path}/{name}"))),
        }
    }

    /// Writes the groups and the superblock: the file is whole. Returns its length.
    pub fn finish<T: Target>(mut self, target: &mut T) -> Result<u64, T::Error> {
        let root = std::mem::take(&mut self.root);
        let root = groups::write(&mut self, target, root)?;
        target.write_at(0, &superblock(root, self.end))?;
        Ok(self.end)
    }
}

/// Version 0.
fn superblock(root: u64, end: u64) -> Vec<u8> {
    let mut bytes = SIGNATURE.to_vec();
    // Versions of superblock, free space, root group; of shared headers; bytes of an address and of a length.
    bytes.extend([0, 0, 0, 0, 0, 8, 8, 0]);
    bytes.extend([GROUP_LEAF as u16, GROUP_NODE as u16].map(u16::to_le_bytes).concat());
    bytes.extend([0; 4]);
    // The file's base, its free space, its end, its driver.
    bytes.extend([0, NOWHERE, end, NOWHERE].map(u64::to_le_bytes).concat());
    bytes.extend(groups::entry(0, root));
    bytes
}
