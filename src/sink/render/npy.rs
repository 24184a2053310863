//! The headers of NumPy's arrays.

use std::io;

use crate::hdf5::{Kind, Type};
use crate::sample::Payload;

/// Axes of an array, at most: NumPy's own limit was this for long; HDF5's is the same.
const AXES: usize = 32;

/// What stands before an array's elements.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Its own length.
    pub bytes: u64,
    pub of: Type,
    /// In C order.
    pub shape: Vec<u64>,
}

impl Header {
    /// `None`: not an array of little-endian numbers in C order, or not as many of them as it says.
    pub fn read(payload: &mut Payload) -> Option<Self> {
        let mut head = Vec::new();
        // The first block is enough; an error that is not this one turns up again when the elements are read.
        let _ = payload.for_each_block(|block| {
            head.extend_from_slice(block);
            Err(io::Error::other("enough"))
        });
        let header = Self::parse(&head)?;
        let elements = header.shape.iter().try_fold(u64::from(header.of.bytes), |all, side| all.checked_mul(*side))?;
        (header.bytes.checked_add(elements) == Some(payload.len())).then_some(header)
    }

    fn parse(head: &[u8]) -> Option<Self> {
        let (start, len) = match head.strip_prefix(b"\x93NUMPY")?.first()? {
            1 => (10, usize::from(u16::from_le_bytes(*head.get(8..)?.first_chunk()?))),
            _ => (12, u32::from_le_bytes(*head.get(8..)?.first_chunk()?) as usize),
        };
        let end = start + len;
        let text = std::str::from_utf8(head.get(start..end)?).ok()?;
        let (_, rest) = text.split_once("'descr': '")?;
        let of = element(rest.split_once('\'')?.0)?;
        text.contains("'fortran_order': False").then_some(())?;
        let (_, rest) = text.split_once("'shape': (")?;
        let sides = rest.split_once(')')?.0.split(',').map(str::trim).filter(|side| !side.is_empty());
        let shape = sides.map(|side| side.parse().ok()).collect::<Option<Vec<u64>>>()?;
        (shape.len() <= AXES).then_some(Self { bytes: end as u64, of, shape })
    }
}

fn element(descr: &str) -> Option<Type> {
    let (order, rest) = descr.split_at_checked(1)?;
    let (kind, bytes) = rest.split_at_checked(1)?;
    let bytes: u32 = bytes.parse().ok()?;
    let is_little = order == "<" || (order == "|" && bytes == 1);
    let (kind, sizes): (Kind, &[u32]) = match kind {
        "u" => (Kind::Unsigned, &[1, 2, 4, 8]),
        "i" => (Kind::Signed, &[1, 2, 4, 8]),
        "f" => (Kind::Float, &[2, 4, 8]),
        _ => return None,
    };
    (is_little && sizes.contains(&bytes)).then_some(Type::new(kind, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(version: u8, dictionary: &str, elements: usize) -> Option<Header> {
        let mut bytes = b"\x93NUMPY".to_vec();
        bytes.extend([version, 0]);
        match version {
            1 => bytes.extend((dictionary.len() as u16).to_le_bytes()),
            _ => bytes.extend((dictionary.len() as u32).to_le_bytes()),
        }
        bytes.extend(dictionary.as_bytes());
        bytes.resize(bytes.len() + elements, 0);
        Header::read(&mut Payload::from_bytes(bytes))
    }

    #[test]
    fn headers_of_both_versions() {
        let flow = "{'descr': '<f2', 'fortran_order': False, 'shape': (3, 4, 5, 2), }\n";
        let want = |bytes| Some(Header { bytes, of: Type::new(Kind::Float, 2), shape: vec![3, 4, 5, 2] });
        assert_eq!(array(1, flow, 240), want(10 + flow.len() as u64));
        assert_eq!(array(2, flow, 240), want(12 + flow.len() as u64));
        let one = "{'descr': '|i1', 'fortran_order': False, 'shape': (7,), }";
        assert_eq!(array(1, one, 7).map(|header| header.shape), Some(vec![7]));
        let none = "{'descr': '<u8', 'fortran_order': False, 'shape': (), }";
        assert_eq!(array(1, none, 8).map(|header| header.shape), Some(Vec::new()));
    }

    #[test]
    fn what_is_no_plain_array_is_left_as_it_is() {
        for bad in [
            "{'descr': '>f2', 'fortran_order': False, 'shape': (3,), }",
            "{'descr': '<f2', 'fortran_order': True, 'shape': (3,), }",
            "{'descr': '<c8', 'fortran_order': False, 'shape': (3,), }",
            "{'descr': [('a', '<f2')], 'fortran_order': False, 'shape': (3,), }",
            "{'descr': '<f2', 'fortran_order': False, 'shape': (4,), }",
            "{'descr': '<f2', 'fortran_order': False, 'shape': (18446744073709551615, 3), }",
            "{'descr': '<f2', 'fortran_order': False, 'shape': (-3,), }",
            "",
        ] {
            assert_eq!(array(1, bad, 6), None, "{bad}");
        }
        for cut in 0..12 {
            let bytes = b"\x93NUMPY\x01\x00\xff\xff{}".get(..cut).unwrap_or_default().to_vec();
            assert_eq!(Header::read(&mut Payload::from_bytes(bytes)), None, "cut at {cut}");
        }
    }
}
