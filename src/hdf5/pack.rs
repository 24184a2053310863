//! zlib streams, made fast of numbers that are noise in their low bytes.
//!
//! A flow's lowest bytes do not compress, and looking for what repeats in them takes most of a compressor's time. So each
//! plane of bytes is looked at first: those that hold nearly 8 bits a byte are put into the stream as they are, which
//! deflate has blocks for (<https://www.rfc-editor.org/rfc/rfc1951>, 3.2.4), and only the others are compressed.

use std::ops::Range;

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush};

/// zlib's level of what is compressed. Higher ones gain little and take several times as long.
pub(super) const LEVEL: u32 = 1;

/// Bits a byte from which on a plane is stored as it is.
const DENSE: f64 = 7.0;
/// One byte of so many is looked at.
const SAMPLE: usize = 7;
/// Bytes of one stored block, at most.
const STORED: usize = 0xffff;
/// The last block: compressed, and empty.
const END: [u8; 2] = [3, 0];

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
        for range in runs(bytes, size) {
            let Some((part, is_dense)) = bytes.get(range.0).map(|part| (part, range.1)) else { return false };
            if is_dense || !self.deflate(part, out) {
                store(part, out);
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

/// Neighbouring planes of one kind, and whether they are dense.
fn runs(bytes: &[u8], size: usize) -> Vec<(Range<usize>, bool)> {
    let mut runs: Vec<(Range<usize>, bool)> = Vec::new();
    for (n, plane) in bytes.chunks(size).enumerate() {
        let (range, dense) = (n * size..n * size + plane.len(), is_dense(plane));
        match runs.last_mut() {
            Some((last, kind)) if *kind == dense => last.end = range.end,
            _ => runs.push((range, dense)),
        }
    }
    runs
}

/// Shannon's entropy of some of the bytes, one by one. A few do not tell.
fn is_dense(plane: &[u8]) -> bool {
    let mut counts = [0u32; 256];
    for byte in plane.iter().step_by(SAMPLE) {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let total = plane.len().div_ceil(SAMPLE) as f64;
    let bits = |count: u32| f64::from(count) * (total / f64::from(count)).log2();
    let sum: f64 = counts.into_iter().filter(|count| *count > 0).map(bits).sum();
    total >= 4096.0 && sum >= DENSE * total
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
