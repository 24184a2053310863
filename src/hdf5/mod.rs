//! HDF5 files: the few parts of the format that datasets of samples need, written as a stream and read back.
//!
//! Written here and not through libhdf5, for three reasons. A flow is written in a media worker, whose sandbox can open no
//! file, within memory that must not grow with the video: libhdf5 holds such a file in memory whole. The rank's program
//! must start on nodes that have no libhdf5, or another one. And a damaged file must not reach a C library from
//! `inspect` or `verify`. The format is old, stable and documented:
//! <https://docs.hdfgroup.org/hdf5/v1_14/_f_m_t3.html>; what is written is its version 0, which every release of libhdf5
//! since 1.0 reads. There are no timestamps in it: the same content is the same bytes.
//!
//! ```text
//! encode   object headers and their messages
//! chunks   a compressed array that grows along its first axis
//! writer   where things lie; datasets; the superblock
//! pack     how its chunks are compressed
//! huffman  a block of codes for bytes, fast
//! groups   the index of each group's names
//! reader   what lies in a file that was written here
//! ```

mod chunks;
mod encode;
mod groups;
mod huffman;
mod pack;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use chunks::Chunks;
pub use encode::{Attribute, Kind, Type};
pub use reader::{Found, ReadError, Reader};
pub use writer::{Clash, Target, Writer};

/// "No address".
const NOWHERE: u64 = u64::MAX;

/// Bytes of the superblock, at the file's start.
const SUPERBLOCK: u64 = 96;
const SIGNATURE: [u8; 8] = *b"\x89HDF\r\n\x1a\n";

/// Half of the names that a leaf of a group's index has room for, and of the children that a node has: the format's own
/// values, where nobody chooses others.
const GROUP_LEAF: u64 = 4;
const GROUP_NODE: u64 = 16;
/// The same of an index of chunks, where it cannot be chosen in this version of the format.
const CHUNK_NODE: u64 = 32;
