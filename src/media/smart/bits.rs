//! Numbers out of H.264's parameter sets, bit by bit.

/// Reads the payload of a NAL unit (ITU-T H.264, 7.2 and 9.1). Every read is `None` behind the end.
pub struct Bits {
    payload: Vec<u8>,
    at: usize,
}

impl Bits {
    /// Behind the unit's header of one byte.
    pub fn new(unit: &[u8]) -> Self {
        Self { payload: unescaped(unit.get(1..).unwrap_or_default()), at: 0 }
    }

    pub fn flag(&mut self) -> Option<bool> {
        let byte = *self.payload.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// At most 32 bits.
    pub fn number(&mut self, bits: u32) -> Option<u32> {
        let mut number = 0_u32;
        for _ in 0..bits {
            number = number << 1 | u32::from(self.flag()?);
        }
        Some(number)
    }

    /// An unsigned Exp-Golomb code.
    pub fn unsigned(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.number(zeros)?)
    }

    /// A signed Exp-Golomb code.
    pub fn signed(&mut self) -> Option<i64> {
        let code = i64::from(self.unsigned()?);
        Some(if code % 2 == 0 { -(code / 2) } else { code / 2 + 1 })
    }
}

impl Bits {
    /// Goes back by one bit.
    pub fn back(&mut self) {
        self.at = self.at.saturating_sub(1);
    }
}

/// Writes a NAL unit's payload.
#[derive(Default)]
pub struct Writer {
    bits: Vec<bool>,
}

impl Writer {
    /// All that was read so far.
    pub fn copy(&mut self, read: &Bits) {
        let bit = |at: usize| read.payload.get(at / 8).map(|byte| byte >> (7 - at % 8) & 1 == 1);
        self.bits = (0..read.at).filter_map(bit).collect();
    }

    /// The last `bits` of the number, at most 32.
    pub fn number(&mut self, number: u32, bits: u32) {
        self.bits.extend((0..bits).rev().map(|bit| number >> bit & 1 == 1));
    }

    /// As an unsigned Exp-Golomb code; less than 2^31.
    pub fn unsigned(&mut self, number: u32) {
        let code = number + 1;
        self.number(code, 2 * code.ilog2() + 1);
    }

    /// The unit with this header.
    pub fn finish(mut self, header: u8) -> Vec<u8> {
        self.bits.push(true);
        // The last byte is filled up with zeros.
        let byte = |bits: &[bool]| (0..8).fold(0_u8, |byte, at| byte << 1 | u8::from(bits.get(at) == Some(&true)));
        let payload: Vec<u8> = self.bits.chunks(8).map(byte).collect();
        [vec![header], escaped(&payload)].concat()
    }
}

/// With a 3 wherever the bytes would otherwise read as a start code.
fn escaped(bytes: &[u8]) -> Vec<u8> {
    let mut marked = Vec::with_capacity(bytes.len());
    let mut zeros = 0;
    for byte in bytes {
        if zeros >= 2 && *byte <= 3 {
            marked.push(3);
            zeros = 0;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        marked.push(*byte);
    }
    marked
}

/// Without the bytes that keep start codes from showing up by chance: the third of `0 0 3`.
fn unescaped(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut zeros = 0;
    for byte in bytes {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        plain.push(*byte);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_the_standards_table() {
        // 1, 010, 011, 00100, 00101: codes 0 to 4; then, signed, 011: -1.
        let mut bits = Bits::new(&[0x67, 0b1010_0110, 0b0100_0010, 0b1011_1000]);
        let codes: Vec<_> = (0..5).map(|_| bits.unsigned()).collect();
        assert_eq!(codes, [Some(0), Some(1), Some(2), Some(3), Some(4)]);
        assert_eq!(bits.signed(), Some(-1));
        assert_eq!(Bits::new(&[0x67, 0]).unsigned(), None);
        assert_eq!(Bits::new(&[0x67, 0, 0, 0, 0, 0xFF, 0xFF]).unsigned(), None, "longer than any code");
        assert_eq!(unescaped(&escaped(&[0, 0, 0, 0, 0, 1, 0, 0, 3, 9])), [0, 0, 0, 0, 0, 1, 0, 0, 3, 9]);
        assert_eq!(unescaped(&[0, 0, 3, 1, 0, 0, 3, 0, 0, 3]), [0, 0, 1, 0, 0, 0, 0]);
    }
}
