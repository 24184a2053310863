//! The header of a file `.npy`, of any version.
//!
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>

use std::io::Read;

use super::PairsError;

/// Of what is written as a Python dictionary, bytes at most; NumPy's own limit is 10,000.
const MAX_TEXT: u32 = 64 << 10;

/// Of an array; as many as NumPy's arrays have.
const MAX_SIDES: usize = 64;

/// What the numbers of a flow are: IEEE, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    F2,
    F4,
}

impl Number {
    pub fn bytes(self) -> u64 {
        match self {
            Number::F2 => 2,
            Number::F4 => 4,
        }
    }
}

/// What the header says of the numbers behind it, which are in C's order.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    pub number: Number,
    pub shape: Vec<u64>,
    /// Of the header itself.
    pub bytes: u64,
}

/// Reads a header.
pub fn read(file: &mut impl Read) -> Result<Header, PairsError> {
    let mut magic = [0; 8];
    fill(file, &mut magic)?;
    let [b'\x93', b'N', b'U', b'M', b'P', b'Y', version, _] = magic else {
        return Err(PairsError::Damaged("it does not begin as NumPy's files do"));
    };
    let (len, before) = match version {
        1 => {
            let mut len = [0; 2];
            fill(file, &mut len)?;
            (u32::from(u16::from_le_bytes(len)), 10)
        }
        2 | 3 => {
            let mut len = [0; 4];
            fill(file, &mut len)?;
            (u32::from_le_bytes(len), 12)
        }
        _ => return Err(PairsError::Damaged("its format has a version that does not exist")),
    };
    if len > MAX_TEXT {
        return Err(PairsError::Damaged("its header is too long"));
    }
    let mut text = vec![0; len as usize];
    fill(file, &mut text)?;
    let text = std::str::from_utf8(&text).map_err(|_| PairsError::Damaged("its header is no text"))?;
    let (number, shape) = parse(text)?;
    Ok(Header { number, shape, bytes: u64::from(len) + before })
}

fn fill(file: &mut impl Read, bytes: &mut [u8]) -> Result<(), PairsError> {
    file.read_exact(bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => PairsError::Damaged("it ends within its header"),
        _ => PairsError::Io(error),
    })
}

/// The three entries of the dictionary, in any order.
fn parse(text: &str) -> Result<(Number, Vec<u64>), PairsError> {
    const BAD: PairsError = PairsError::Damaged("its header cannot be understood");
    let inner = text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    let mut rest = inner.ok_or(BAD)?.trim_start();
    let (mut number, mut is_fortran, mut shape) = (None, None, None);
    while !rest.is_empty() {
        let (key, behind) = quoted(rest).ok_or(BAD)?;
        let value = behind.trim_start().strip_prefix(':').ok_or(BAD)?.trim_start();
        rest = match key {
            "descr" => {
                // A list of fields: a record.
                if value.starts_with('[') {
                    return Err(PairsError::OtherNumbers("record".into()));
                }
                let (name, behind) = quoted(value).ok_or(BAD)?;
                number = Some(match name {
                    "<f2" => Number::F2,
                    "<f4" => Number::F4,
                    _ if name.starts_with("|O") => return Err(PairsError::Objects),
                    // It goes into a message: no more of it than a type's name has.
                    _ => return Err(PairsError::OtherNumbers(name.chars().take(16).collect())),
                });
                behind
            }
            "fortran_order" => {
                let (word, behind) = word(value);
                is_fortran = Some(match word {
                    "True" => true,
                    "False" => false,
                    _ => return Err(BAD),
                });
                behind
            }
            "shape" => {
                let (sides, behind) = value.strip_prefix('(').and_then(|text| text.split_once(')')).ok_or(BAD)?;
                let sides = sides.split(',').map(str::trim).filter(|side| !side.is_empty()).take(MAX_SIDES + 1);
                shape = Some(sides.map(|side| side.parse().map_err(|_| BAD)).collect::<Result<Vec<u64>, _>>()?);
                behind
            }
            _ => return Err(BAD),
        };
        rest = rest.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    match (number, is_fortran, shape) {
        (Some(_), Some(true), Some(_)) => Err(PairsError::Fortran),
        (Some(number), Some(false), Some(shape)) if shape.len() <= MAX_SIDES => Ok((number, shape)),
        _ => Err(BAD),
    }
}

/// A string in either kind of quotes, and what is behind it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|first| ['\'', '"'].contains(first))?;
    text.get(1..)?.split_once(quote)
}

fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(version: u8, text: &str) -> Vec<u8> {
        let len = text.len() as u32;
        let len = if version == 1 { len.to_le_bytes()[..2].to_vec() } else { len.to_le_bytes().to_vec() };
        [b"\x93NUMPY", &[version, 0][..], &len, text.as_bytes()].concat()
    }

    fn parsed(text: &str) -> String {
        match read(&mut header(1, text).as_slice()) {
            Ok(header) => format!("{:?} {:?} {}", header.number, header.shape, header.bytes),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn all_versions_and_spellings() {
        let text = "{'descr': '<f2', 'fortran_order': False, 'shape': (19, 16, 38, 2), }   \n";
        for version in [1, 2, 3] {
            let got = read(&mut header(version, text).as_slice()).unwrap();
            let bytes = text.len() as u64 + if version == 1 { 10 } else { 12 };
            assert_eq!(got, Header { number: Number::F2, shape: vec![19, 16, 38, 2], bytes });
        }
        assert_eq!(parsed("{\"shape\":(3,),\"descr\":\"<f4\",\"fortran_order\":False}"), "F4 [3] 60");
        assert_eq!(parsed("{'descr': '<f4', 'fortran_order': False, 'shape': ()}"), "F4 [] 63");
    }

    #[test]
    fn what_is_refused_and_why() {
        let of = |descr: &str, order: &str| {
            parsed(&format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': (1, 2, 3, 2), }}\n"))
        };
        insta::assert_snapshot!(of("'>f4'", "False"), @r#"its numbers are of type ">f4"; a flow is float16 or float32, little-endian (`<f2`, `<f4`)"#);
        insta::assert_snapshot!(of("'|O'", "False"), @"its numbers are Python objects, which are not read: they may run programs");
        insta::assert_snapshot!(of("[('u', '<f4'), ('v', '<f4')]", "False"), @r#"its numbers are of type "record"; a flow is float16 or float32, little-endian (`<f2`, `<f4`)"#);
        insta::assert_snapshot!(of("'<f4'", "True"), @"its numbers are in Fortran's order; save the array in C's (`numpy.ascontiguousarray`)");
        insta::assert_snapshot!(of("'<f4'", "Perhaps"), @"its header cannot be understood; it is damaged, or no NumPy array");
        insta::assert_snapshot!(of("'a type with a name that is long'", "False"), @r#"its numbers are of type "a type with a na"; a flow is float16 or float32, little-endian (`<f2`, `<f4`)"#);
    }

    #[test]
    fn damage_is_told_wherever_it_is() {
        let whole = header(1, "{'descr': '<f2', 'fortran_order': False, 'shape': (1, 2, 3, 2), }\n");
        for cut in 0..whole.len() {
            assert!(matches!(read(&mut &whole[..cut]), Err(PairsError::Damaged(_))), "cut at {cut}");
        }
        for at in 0..whole.len() {
            for byte in [0, b'{', b'\'', b'9', 0xff] {
                let mut spoiled = whole.clone();
                spoiled[at] = byte;
                // Whatever it is, it is an answer.
                let _ = read(&mut spoiled.as_slice());
            }
        }
        assert!(
            parsed(&format!("{{'shape': ({}), 'descr': '<f2', 'fortran_order': False}}", "1,".repeat(65)))
                .contains("understood")
        );
        let texts = ["", "{}", "{'descr'", "{'descr': '<f2', 'shape': (-1,)}", "{'shape': (99999999999999999999,)}"];
        for text in texts {
            assert!(parsed(text).starts_with("its header cannot be understood"), "{text}");
        }
        assert_eq!(parsed(&" ".repeat(65536 - 1)), parsed("{}"));
        let long = [&b"\x93NUMPY\x02\x00"[..], &u32::MAX.to_le_bytes()].concat();
        assert!(read(&mut long.as_slice()).unwrap_err().to_string().starts_with("its header is too long"));
    }
}
