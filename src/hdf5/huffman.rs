//! A block of deflate that looks for no repeats: codes for bytes by how often they come
//! (<https://www.rfc-editor.org/rfc/rfc1951>, 3.2.7). Several times as fast as a compressor that looks for them, and on
//! the high bytes of measured numbers nearly as good.

/// Codes for bytes, and one for the block's end.
const CODES: usize = 257;
const LONGEST: u8 = 15;

/// Appends `bytes`, one at least, to `out` as one block that is not the last, up to a whole byte.
pub(super) fn block(bytes: &[u8], out: &mut Vec<u8>) {
    let lengths = lengths(count(bytes));
    let codes = codes(&lengths);
    let at = out.len();
    // Two bytes for each, at most, and what stands before and behind them.
    out.resize(at + 2 * bytes.len() + 512, 0);
    let mut bits = Bits { out, at, held: 0, count: 0 };
    // Not the last; codes of its own; 257 of them, one for distances, which has no bits; all 19 codes for lengths.
    for (value, count) in [(0, 1), (2, 2), (0, 5), (0, 5), (15, 4)] {
        bits.push(value, count);
    }
    // Lengths of 0 to 15 have codes of 4 bits, the 3 that stand for repeats have none: these come first.
    (0..19).for_each(|n| bits.push(if n < 3 { 0 } else { 4 }, 3));
    for length in lengths.iter().chain(&[0]) {
        bits.push(u64::from(length.reverse_bits() >> 4), 4);
    }
    let code = |byte: &u8| codes.get(usize::from(*byte)).copied().unwrap_or_default();
    let (threes, rest) = bytes.as_chunks::<3>();
    for three in threes {
        // Three codes have 45 bits at most, and 7 wait from before.
        for (value, count) in three.iter().map(code) {
            bits.hold(value.into(), count.into());
        }
        bits.flush();
    }
    rest.iter().map(code).for_each(|(value, count)| bits.push(value.into(), count.into()));
    if let Some((value, count)) = codes.get(CODES - 1) {
        bits.push(u64::from(*value), (*count).into());
    }
    // An empty stored block begins at a whole byte.
    bits.push(0, 3);
    bits.push(0, (8 - bits.count) % 8);
    let end = bits.at;
    out.truncate(end);
    out.extend([0, 0, 0xff, 0xff]);
}

struct Bits<'a> {
    out: &'a mut [u8],
    at: usize,
    held: u64,
    count: u32,
}

impl Bits<'_> {
    fn hold(&mut self, value: u64, count: u32) {
        self.held |= value << self.count;
        self.count += count;
    }

    fn push(&mut self, value: u64, count: u32) {
        self.hold(value, count);
        self.flush();
    }

    /// Fewer than 8 bits are held afterwards.
    fn flush(&mut self) {
        // All eight are faster than as many as there are; the others are written over.
        if let Some(place) = self.out.get_mut(self.at..self.at + 8) {
            place.copy_from_slice(&self.held.to_le_bytes());
        }
        self.at += (self.count / 8) as usize;
        self.held >>= self.count & 56;
        self.count &= 7;
    }
}

/// How often each code is needed.
fn count(bytes: &[u8]) -> [u32; CODES] {
    // Four tables: an increment does not wait for the one before.
    let mut tables = [[0u32; 256]; 4];
    for four in bytes.chunks(4) {
        for (table, byte) in tables.iter_mut().zip(four) {
            table[usize::from(*byte)] += 1;
        }
    }
    let mut counts = [0; CODES];
    for table in tables {
        counts.iter_mut().zip(table).for_each(|(sum, count)| *sum += count);
    }
    if let Some(end) = counts.last_mut() {
        *end = 1;
    }
    counts
}

/// The length of each code; none is longer than the format's longest.
fn lengths(mut counts: [u32; CODES]) -> [u8; CODES] {
    loop {
        let lengths = huffman(&counts);
        if lengths.iter().all(|length| *length <= LONGEST) {
            return lengths;
        }
        // What is rare counts for more, until it is not too rare.
        counts.iter_mut().for_each(|count| *count = count.div_ceil(2));
    }
}

/// Huffman's tree over the codes that are needed, by two queues: leaves in order, and sums, which come in order.
fn huffman(counts: &[u32; CODES]) -> [u8; CODES] {
    let mut leaves: Vec<(u32, usize)> = counts.iter().copied().zip(0..).filter(|(count, _)| *count > 0).collect();
    leaves.sort_unstable();
    let total = (2 * leaves.len()).saturating_sub(1);
    let mut weights: Vec<u64> = leaves.iter().map(|(count, _)| u64::from(*count)).collect();
    let mut parents = vec![0; total];
    let (mut leaf, mut sum) = (0, leaves.len());
    while weights.len() < total {
        let mut weight = 0;
        for _ in 0..2 {
            let lightest = |at: usize, end: usize| weights.get(at).copied().filter(|_| at < end);
            let (one, other) = (lightest(leaf, leaves.len()), lightest(sum, usize::MAX));
            let next = if other.is_none() || one.is_some_and(|one| Some(one) <= other) { &mut leaf } else { &mut sum };
            weight += one.into_iter().chain(other).min().unwrap_or_default();
            if let Some(parent) = parents.get_mut(*next) {
                *parent = weights.len();
            }
            *next += 1;
        }
        weights.push(weight);
    }
    let mut depths = vec![0u8; total];
    for node in (0..total.saturating_sub(1)).rev() {
        let above = parents.get(node).and_then(|parent| depths.get(*parent)).copied().unwrap_or_default();
        if let Some(depth) = depths.get_mut(node) {
            *depth = above.saturating_add(1);
        }
    }
    let mut lengths = [0; CODES];
    for ((_, code), depth) in leaves.into_iter().zip(depths) {
        if let Some(length) = lengths.get_mut(code) {
            *length = depth;
        }
    }
    lengths
}

/// Codes of these lengths in the format's order, their first bit lowest; and their lengths.
fn codes(lengths: &[u8; CODES]) -> [(u16, u8); CODES] {
    let mut codes = [(0, 0); CODES];
    let mut next = 0u32;
    for length in 1..=LONGEST {
        for (code, _) in codes.iter_mut().zip(lengths).filter(|(_, of)| **of == length) {
            *code = ((next as u16).reverse_bits() >> (16 - length), length);
            next += 1;
        }
        next <<= 1;
    }
    codes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(bytes: &[u8]) -> Vec<u8> {
        let mut stream = Vec::new();
        block(bytes, &mut stream);
        stream.extend([3, 0]);
        let mut out = vec![0; bytes.len() + 1];
        let mut inflate = zlib_rs::Inflate::new(false, 15);
        let status = inflate.decompress(&stream, &mut out, zlib_rs::InflateFlush::Finish).unwrap();
        assert_eq!(status, zlib_rs::Status::StreamEnd);
        out.truncate(inflate.total_out() as usize);
        out
    }

    #[test]
    fn blocks_unpack() {
        for bytes in [vec![7], vec![0; 1000], (0..=255).collect::<Vec<u8>>(), b"abracadabra".to_vec()] {
            assert_eq!(unpacked(&bytes), bytes);
        }
        // Each comes twice as often as the one before: 17 levels, where 15 are allowed.
        let deep: Vec<u8> = (0..18u8).flat_map(|byte| std::iter::repeat_n(byte, 1 << byte)).collect();
        assert!(unpacked(&deep) == deep);
        assert!(lengths(count(&deep)).iter().all(|length| *length <= LONGEST));
        assert!(huffman(&count(&deep)).iter().any(|length| *length > LONGEST), "the limit has something to do");
    }
}
