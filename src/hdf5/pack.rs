//! zlib streams, made fast of numbers that are noise in their low bytes.
//!
//! A flow's lowest bytes do not compress, and in its highest ones little repeats: looking for that takes most of a
//! compressor's time. So each plane of bytes is looked at first, and put into the stream by the kind of block that fits
//! (<https://www.rfc-editor.org/rfc/rfc1951>): as it is, with codes for its bytes, or with repeats, too.

use std::ops::Range;

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush};

use super::huffman;

/// zlib's level of what has repeats.
pub(super) const LEVEL: u32 = 1;

/// Bits a byte from which on a plane is stored as it is, and below which repeats are looked for.
const DENSE: u64 = 7;
const CALM: u64 = 2;
/// One byte of so many is looked at.
const SAMPLE: usize = 7;
/// Bytes of one stored block, at most.
const STORED: usize = 0xffff;
/// Bytes looked at that tell something.
const ENOUGH: u64 = 2048;
/// The last block: compressed, and empty.
const END: [u8; 2] = [3, 0];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Dense,
    Measured,
    Calm,
}

pub(super) struct Packer {
    deflate: Deflate,
    block: Vec<u8>,
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Packer")
    }
}

impl Default for Packer {
    fn default() -> Self {
        // Negative: without zlib's own header and sum, which are written here.
        let config = DeflateConfig { level: LEVEL as i32, window_bits: -15, ..DeflateConfig::default() };
        Self { deflate: Deflate::new_with_config(config), block: Vec::new() }
    }
}

impl Packer {
    /// Replaces `out` by a zlib stream of `bytes`, which are so many planes of one size. False: they do not become fewer.
    pub fn pack(&mut self, bytes: &[u8], planes: usize, out: &mut Vec<u8>) -> bool {
        out.clear();
        // Deflate, a window of 32 KiB, the fastest level.
        out.extend([0x78, 0x01]);
        let size = (bytes.len() / planes.max(1)).max(1);
        for (range, kind) in runs(bytes, size) {
            let Some(part) = bytes.get(range) else { return false };
            match kind {
                Kind::Measured => huffman::block(part, out),
                Kind::Calm if self.deflate(part, out) => {}
                Kind::Calm | Kind::Dense => store(part, out),
            }
        }
        out.extend(END);
        out.extend(zlib_rs::adler32::adler32(1, bytes).to_be_bytes());
        out.len() < bytes.len()
    }

    /// Appends `part` in compressed blocks, up to a whole byte; false, and nothing appended, where it does not become less.
    fn deflate(&mut self, part: &[u8], out: &mut Vec<u8>) -> bool {
        self.deflate.reset();
        self.block.resize(part.len(), 0);
        let done = self.deflate.compress(part, &mut self.block, DeflateFlush::SyncFlush);
        let (taken, made) = (self.deflate.total_in() as usize, self.deflate.total_out() as usize);
        let packed = self.block.get(..made).filter(|packed| packed.len() < part.len());
        match packed.filter(|_| done.is_ok() && taken == part.len()) {
            Some(packed) => out.extend_from_slice(packed),
            None => return false,
        }
        true
    }
}

/// Neighbouring planes that go into one block, and their kind.
fn runs(bytes: &[u8], size: usize) -> Vec<(Range<usize>, Kind)> {
    let mut runs: Vec<(Range<usize>, Kind)> = Vec::new();
    for (n, plane) in bytes.chunks(size).enumerate() {
        let (range, kind) = (n * size..n * size + plane.len(), kind(plane));
        match runs.last_mut() {
            // Codes are better for one plane than for two.
            Some((last, before)) if *before == kind && kind != Kind::Measured => last.end = range.end,
            _ => runs.push((range, kind)),
        }
    }
    runs
}

/// By Shannon's entropy of some of the bytes, one by one.
fn kind(plane: &[u8]) -> Kind {
    let mut counts = [0u32; 256];
    for byte in plane.iter().step_by(SAMPLE) {
        counts[usize::from(*byte)] += 1;
    }
    let total = plane.len().div_ceil(SAMPLE) as u64;
    let bits = |count: u32| u64::from(count) * log2(total).saturating_sub(log2(count.into()));
    let sum: u64 = counts.into_iter().filter(|count| *count > 0).map(bits).sum();
    match sum / total.max(1) {
        _ if total < ENOUGH => Kind::Calm,
        bits if bits >= DENSE * ONE => Kind::Dense,
        bits if bits >= CALM * ONE => Kind::Measured,
        _ => Kind::Calm,
    }
}

/// One bit, as [`log2`] counts.
const ONE: u64 = 256;

/// The logarithm in steps of a 256th, within a tenth, from a floating-point number's exponent and first digits: a C
/// library's own differs from system to system in its last place, and with it the bytes of a shard could.
fn log2(number: u64) -> u64 {
    u64::from((number as f32).to_bits() >> 15).saturating_sub(127 * ONE)
}

fn store(part: &[u8], out: &mut Vec<u8>) {
    for block in part.chunks(STORED) {
        let len = block.len() as u16;
        out.push(0);
        out.extend([len.to_le_bytes(), (!len).to_le_bytes()].concat());
        out.extend_from_slice(block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(packed: &[u8], len: usize) -> Vec<u8> {
        let mut out = vec![0; len + 1];
        let mut inflate = zlib_rs::Inflate::new(true, 15);
        let status = inflate.decompress(packed, &mut out, zlib_rs::InflateFlush::Finish).unwrap();
        assert_eq!(status, zlib_rs::Status::StreamEnd);
        out.truncate(inflate.total_out() as usize);
        out
    }

    #[test]
    fn streams_unpack_whatever_the_planes_hold() {
        let noise =
            |n: usize| -> Vec<u8> { (0..n as u32).map(|n| (n.wrapping_mul(0x9e37_79b9) >> 15) as u8).collect() };
        let calm = |n: usize| -> Vec<u8> { (0..n).map(|n| (n / 100) as u8 & 7).collect() };
        let mut packer = Packer::default();
        for (planes, bytes, packs) in [
            (2, [noise(100_000), calm(100_000)].concat(), true),
            (4, [noise(90_000), noise(90_000), calm(90_000), noise(90_000)].concat(), true),
            (2, [calm(40_000), noise(40_000)].concat(), true),
            (1, calm(70_000), true),
            (4, [noise(50_000), calm(50_000), vec![3; 50_000], calm(50_000)].concat(), true),
            (2, noise(200_000), false),
            (1, vec![0], false),
            (2, vec![0; 1000], true),
        ] {
            let mut packed = Vec::new();
            assert_eq!(packer.pack(&bytes, planes, &mut packed), packs, "{planes} planes of {}", bytes.len());
            assert!(unpacked(&packed, bytes.len()) == bytes, "{planes} planes of {}", bytes.len());
        }
    }
}
