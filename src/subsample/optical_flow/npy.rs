//! Arrays as NumPy stores them: the format `.npy`, version 1.0.
//!
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>

use half::slice::HalfFloatSliceExt;

use super::Dtype;

/// Bytes of the header, whatever the shape: it is written last, when the number of flows is known.
pub const HEADER_BYTES: usize = 128;

impl Dtype {
    /// Bytes of a number.
    pub fn bytes(self) -> u64 {
        match self {
            Dtype::Fp16 => 2,
            Dtype::Fp32 => 4,
            Dtype::Int8 => 1,
        }
    }

    /// As video2dataset's configs call it.
    pub fn name(self) -> &'static str {
        match self {
            Dtype::Fp16 => "fp16",
            Dtype::Fp32 => "fp32",
            Dtype::Int8 => "int8",
        }
    }

    fn descr(self) -> &'static str {
        match self {
            Dtype::Fp16 => "<f2",
            Dtype::Fp32 => "<f4",
            Dtype::Int8 => "|i1",
        }
    }

    /// Replaces `out` by the stored form of `values`, which are finite. Of `int8`, what its steps are to be multiplied by.
    pub fn write(self, values: &[f32], out: &mut Vec<u8>) -> Option<f32> {
        out.clear();
        match self {
            Dtype::Fp16 => halves(values, out),
            Dtype::Fp32 => out.extend(values.iter().flat_map(|value| value.to_le_bytes())),
            Dtype::Int8 => return Some(steps(values, out)),
        }
        None
    }
}

/// The largest magnitude becomes 127 steps: each value is off by half a step at most. Where all are 0, so is the step.
fn steps(values: &[f32], out: &mut Vec<u8>) -> f32 {
    let largest = values.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    if largest == 0.0 {
        out.resize(values.len(), 0);
        return 0.0;
    }
    // Smaller ones have too few digits to divide by.
    let scale = (largest / 127.0).max(f32::MIN_POSITIVE);
    // A number that is none would become 0.
    out.extend(
        values.iter().map(|value| ((value / scale).round_ties_even().clamp(-127.0, 127.0) as i8).cast_unsigned()),
    );
    scale
}

/// The header of an array of `shape` in C order.
pub fn header(dtype: Dtype, shape: [u64; 4]) -> [u8; HEADER_BYTES] {
    let [a, b, c, d] = shape;
    let text = format!("{{'descr': '{}', 'fortran_order': False, 'shape': ({a}, {b}, {c}, {d}), }}", dtype.descr());
    let mut header = [b' '; HEADER_BYTES];
    let start = *b"\x93NUMPY\x01\x00\x76\x00";
    let places = header.iter_mut().zip(start.into_iter().chain(text.bytes()));
    places.for_each(|(place, byte)| *place = byte);
    header[HEADER_BYTES - 1] = b'\n';
    header
}

const LARGEST_HALF: f32 = 65504.0;

/// Numbers that are converted at once, by an instruction where the processor has one.
const BLOCK: usize = 256;

fn halves(values: &[f32], out: &mut Vec<u8>) {
    out.reserve(values.len() * 2);
    let (mut clamped, mut halves) = ([0.0; BLOCK], [half::f16::ZERO; BLOCK]);
    for values in values.chunks(BLOCK) {
        for (to, value) in clamped.iter_mut().zip(values) {
            *to = value.clamp(-LARGEST_HALF, LARGEST_HALF);
        }
        halves.convert_from_f32_slice(&clamped);
        out.extend(halves.iter().take(values.len()).flat_map(|half| half.to_le_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_one_length() {
        for shape in [[0, 1, 1, 2], [12, 16, 38, 2], [u64::from(u32::MAX), 32768, 32768, 2]] {
            let header = header(Dtype::Fp16, shape);
            let [low, high] = [header[8], header[9]];
            assert_eq!(usize::from(u16::from_le_bytes([low, high])) + 10, HEADER_BYTES);
            let text = std::str::from_utf8(&header[10..]).unwrap();
            assert!(text.ends_with('\n') && text.contains("), }"), "{text}");
        }
    }

    #[test]
    fn numbers_are_little_endian_and_stay_numbers() {
        let mut out = vec![9];
        Dtype::Fp16.write(&[1.0, -2.0, 1e6, -1e6, 1.0 + 1.0 / 2048.0], &mut out);
        assert_eq!(out, [0x00, 0x3c, 0x00, 0xc0, 0xff, 0x7b, 0xff, 0xfb, 0x00, 0x3c]);
        // In blocks or not, and whatever the processor can do: numbers as one by one.
        let all: Vec<f32> = (0..3000).map(|n: i32| (n - 1500) as f32 * 10f32.powi(n % 13 - 9)).collect();
        Dtype::Fp16.write(&all, &mut out);
        let one = |value: &f32| half::f16::from_f32_const(value.clamp(-LARGEST_HALF, LARGEST_HALF)).to_le_bytes();
        assert!(out == all.iter().flat_map(one).collect::<Vec<u8>>());
        Dtype::Fp32.write(&[1.0], &mut out);
        assert_eq!(out, [0, 0, 0x80, 0x3f]);
    }

    #[test]
    fn halves_are_those_of_the_library() {
        // Every half, those between, and what is just beside them.
        let mut values: Vec<f32> = (0..=u16::MAX).map(|bits| half::f16::from_bits(bits).to_f32()).collect();
        values.retain(|value| value.is_finite());
        let between: Vec<f32> = values.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0).collect();
        values.extend(&between);
        values.extend(between.iter().flat_map(|value| [value.next_up(), value.next_down()]));
        values.extend([1e-30, -1e-45, 65520.0, 1e9, f32::MAX, f32::MIN]);
        let mut out = Vec::new();
        Dtype::Fp16.write(&values, &mut out);
        for (value, got) in values.iter().zip(out.as_chunks::<2>().0) {
            let want = half::f16::from_f32(value.clamp(-LARGEST_HALF, LARGEST_HALF)).to_bits();
            assert_eq!(u16::from_le_bytes(*got), want, "{value}");
        }
    }

    #[test]
    fn steps_are_off_by_half_a_step_at_most() {
        let mut out = Vec::new();
        let spread = |largest: f32| (-1000..=1000).map(move |n| largest * (n as f32 / 1000.0).powi(3));
        for largest in [1e-42, 1e-30, 0.003, 1.0, 37.5, 65504.0, f32::MAX] {
            let values: Vec<f32> = spread(largest).collect();
            let scale = Dtype::Int8.write(&values, &mut out).unwrap();
            assert!(scale.is_finite() && scale > 0.0);
            for (value, step) in values.iter().zip(&out) {
                let back = f64::from(step.cast_signed()) * f64::from(scale);
                assert!((back - f64::from(*value)).abs() <= f64::from(scale) * 0.50001, "{value} became {back}");
            }
        }
        assert_eq!((Dtype::Int8.write(&[0.0, -0.0], &mut out), &out[..]), (Some(0.0), &[0, 0][..]));
        let scale = Dtype::Int8.write(&[f32::NAN, 2.54], &mut out).unwrap();
        assert_eq!((scale, &out[..]), (2.54 / 127.0, &[0, 127][..]));
    }
}
