//! The flows of a member, one at a time. Nothing in the file is trusted, and no more is read than one flow.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::npy::{self, Number};
use crate::sink::reader::MemberAt;

/// Members that hold flows. One more format is one more name here, and one more arm of [`open`].
pub const EXTENSIONS: [&str; 1] = ["npy"];

/// Vectors of one flow, at most: those of a picture of 8 million pixels.
const MAX_VECTORS: u64 = 1 << 23;

/// Why a member is no flow that can be shown.
#[derive(Debug, thiserror::Error)]
pub enum PairsError {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("{0}; it is damaged, or no NumPy array")]
    Damaged(&'static str),
    #[error("its numbers are Python objects, which are not read: they may run programs")]
    Objects,
    #[error("its numbers are of type {0:?}; a flow is float16 or float32, little-endian (`<f2`, `<f4`)")]
    OtherNumbers(String),
    #[error("its numbers are in Fortran's order; save the array in C's (`numpy.ascontiguousarray`)")]
    Fortran,
    #[error("it has the shape {0:?}; that of a flow is (pairs, height, width, 2)")]
    OtherShape(Vec<u64>),
    #[error("it has the shape {shape:?}, so {wanted} bytes of numbers, but {found} are there")]
    OtherLength { shape: Vec<u64>, wanted: u128, found: u64 },
    #[error("it holds no flow at all")]
    Empty,
    #[error("its pictures of {width}×{height} are too large to be shown")]
    TooLarge { width: u64, height: u64 },
}

/// Flows of one shape.
pub trait Pairs {
    /// Flows, height, width, 2; none of them 0.
    fn shape(&self) -> [u64; 4];

    /// dx and dy of each pixel, row after row; whatever numbers the file has, also none.
    fn pair(&mut self, number: usize) -> Result<Vec<[f32; 2]>, PairsError>;
}

/// The flows of a member that has one of [`EXTENSIONS`].
pub fn open(mut file: File, member: &MemberAt) -> Result<Box<dyn Pairs>, PairsError> {
    file.seek(SeekFrom::Start(member.offset))?;
    let header = npy::read(&mut (&file).take(member.len))?;
    let shape = checked(&header, member.len)?;
    Ok(Box::new(Npy { file, first: member.offset + header.bytes, number: header.number, shape }))
}

/// The shape, where the header tells the truth.
fn checked(header: &npy::Header, len: u64) -> Result<[u64; 4], PairsError> {
    let Ok(shape @ [flows, height, width, 2]) = <[u64; 4]>::try_from(header.shape.as_slice()) else {
        return Err(PairsError::OtherShape(header.shape.clone()));
    };
    let wanted = header
        .shape
        .iter()
        .try_fold(u128::from(header.number.bytes()), |product, side| product.checked_mul(u128::from(*side)));
    let found = len.saturating_sub(header.bytes);
    if wanted != Some(u128::from(found)) {
        let wanted = wanted.unwrap_or(u128::MAX);
        return Err(PairsError::OtherLength { shape: header.shape.clone(), wanted, found });
    }
    if [flows, height, width].contains(&0) {
        return Err(PairsError::Empty);
    }
    match height.checked_mul(width) {
        Some(vectors) if vectors <= MAX_VECTORS => Ok(shape),
        _ => Err(PairsError::TooLarge { width, height }),
    }
}

/// An array of `f16` or `f32`.
struct Npy {
    file: File,
    /// Where the numbers begin.
    first: u64,
    number: Number,
    shape: [u64; 4],
}

impl Pairs for Npy {
    fn shape(&self) -> [u64; 4] {
        self.shape
    }

    fn pair(&mut self, number: usize) -> Result<Vec<[f32; 2]>, PairsError> {
        let [_, height, width, _] = self.shape;
        let size = height * width * 2 * self.number.bytes();
        let mut bytes = vec![0; size as usize];
        self.file.seek(SeekFrom::Start(self.first + size * number as u64))?;
        self.file.read_exact(&mut bytes)?;
        Ok(match self.number {
            Number::F2 => {
                let value = |bytes: [u8; 2]| half::f16::from_le_bytes(bytes).to_f32();
                bytes.as_chunks::<4>().0.iter().map(|[a, b, c, d]| [value([*a, *b]), value([*c, *d])]).collect()
            }
            Number::F4 => {
                let (numbers, _) = bytes.as_chunks::<4>();
                let (vectors, _) = numbers.as_chunks::<2>();
                vectors.iter().map(|vector| vector.map(f32::from_le_bytes)).collect()
            }
        })
    }
}
