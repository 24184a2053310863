//! Arrays as NumPy stores them: the format `.npy`, version 1.0.
//!
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>

/// Bytes of the header, whatever the shape: it is written last, when the number of flows is known.
pub const HEADER_BYTES: usize = 128;

/// How numbers are stored, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// IEEE half precision, rounded to the nearest; what lies beyond it becomes its largest number.
    Half,
    Single,
}

impl Numbers {
    /// Bytes of a number.
    pub fn bytes(self) -> u64 {
        match self {
            Numbers::Half => 2,
            Numbers::Single => 4,
        }
    }

    /// As video2dataset's configs call it.
    pub fn name(self) -> &'static str {
        match self {
            Numbers::Half => "fp16",
            Numbers::Single => "fp32",
        }
    }

    fn descr(self) -> &'static str {
        match self {
            Numbers::Half => "<f2",
            Numbers::Single => "<f4",
        }
    }

    /// Replaces `out` by the stored form of `values`, which are finite.
    pub fn write(self, values: &[f32], out: &mut Vec<u8>) {
        out.clear();
        match self {
            Numbers::Half => out.extend(values.iter().flat_map(|value| half(*value).to_le_bytes())),
            Numbers::Single => out.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        }
    }
}

/// The header of an array of `shape` in C order.
pub fn header(numbers: Numbers, shape: [u64; 4]) -> [u8; HEADER_BYTES] {
    let [a, b, c, d] = shape;
    let text = format!("{{'descr': '{}', 'fortran_order': False, 'shape': ({a}, {b}, {c}, {d}), }}", numbers.descr());
    let mut header = [b' '; HEADER_BYTES];
    let start = *b"\x93NUMPY\x01\x00\x76\x00";
    let places = header.iter_mut().zip(start.into_iter().chain(text.bytes()));
    places.for_each(|(place, byte)| *place = byte);
    header[HEADER_BYTES - 1] = b'\n';
    header
}

const LARGEST_HALF: f32 = 65504.0;

fn half(value: f32) -> u16 {
    half::f16::from_f32(value.clamp(-LARGEST_HALF, LARGEST_HALF)).to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_one_length() {
        for shape in [[0, 1, 1, 2], [12, 16, 38, 2], [u64::from(u32::MAX), 32768, 32768, 2]] {
            let header = header(Numbers::Half, shape);
            let [low, high] = [header[8], header[9]];
            assert_eq!(usize::from(u16::from_le_bytes([low, high])) + 10, HEADER_BYTES);
            let text = std::str::from_utf8(&header[10..]).unwrap();
            assert!(text.ends_with('\n') && text.contains("), }"), "{text}");
        }
    }

    #[test]
    fn numbers_are_little_endian_and_stay_numbers() {
        let mut out = vec![9];
        Numbers::Half.write(&[1.0, -2.0, 1e6, -1e6, 1.0 + 1.0 / 2048.0], &mut out);
        assert_eq!(out, [0x00, 0x3c, 0x00, 0xc0, 0xff, 0x7b, 0xff, 0xfb, 0x00, 0x3c]);
        Numbers::Single.write(&[1.0], &mut out);
        assert_eq!(out, [0, 0, 0x80, 0x3f]);
    }
}
