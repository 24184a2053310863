//! Object headers (version 1) and their messages.

use super::NOWHERE;

const DATASPACE: u16 = 0x01;
const DATATYPE: u16 = 0x03;
const FILL_VALUE: u16 = 0x05;
const LAYOUT: u16 = 0x08;
const FILTERS: u16 = 0x0b;
const ATTRIBUTE: u16 = 0x0c;
const SYMBOL_TABLE: u16 = 0x11;

/// What the elements of an array are. Little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Unsigned,
    Signed,
    /// IEEE 754.
    Float,
    /// UTF-8, of one length, filled up with zeros.
    Text,
}

/// A kind with its size in bytes. Numbers have 1, 2, 4 or 8; floats 2, 4 or 8; text 1 or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Type {
    pub kind: Kind,
    pub bytes: u32,
}

/// What is said of a dataset beside its numbers.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    Text(String),
    Float(f64),
    Integer(i64),
}

/// Where a dataset's elements lie.
#[derive(Debug, Clone, Copy)]
pub(super) enum Layout<'a> {
    /// In one piece.
    Whole { at: u64, len: u64 },
    /// In compressed chunks of this shape; `index`: the root of their index.
    Chunked { index: u64, chunk: &'a [u64], shuffle: bool, level: u32 },
}

impl Type {
    pub const fn new(kind: Kind, bytes: u32) -> Self {
        Self { kind, bytes }
    }

    fn encode(self) -> Vec<u8> {
        let bits = (self.bytes * 8) as u16;
        // Version 1, class, 24 bits of the class, size; then the class's own properties.
        let (class, flags, properties): (u8, [u8; 3], Vec<u8>) = match self.kind {
            Kind::Unsigned => (0, [0, 0, 0], fixed(bits)),
            Kind::Signed => (0, [8, 0, 0], fixed(bits)),
            Kind::Float => (1, [0x20, (bits - 1) as u8, 0], floating(bits)),
            Kind::Text => (3, [0x11, 0, 0], Vec::new()),
        };
        [&[0x10 | class][..], &flags, &self.bytes.to_le_bytes(), &properties].concat()
    }
}

fn fixed(bits: u16) -> Vec<u8> {
    [0u16.to_le_bytes(), bits.to_le_bytes()].concat()
}

/// Bit offset, precision; exponent's place and size, mantissa's place and size; exponent's bias.
fn floating(bits: u16) -> Vec<u8> {
    let (mantissa, exponent): (u8, u8) = match bits {
        16 => (10, 5),
        32 => (23, 8),
        _ => (52, 11),
    };
    let bias = (1u32 << (exponent - 1)) - 1;
    [&fixed(bits)[..], &[mantissa, exponent, 0, mantissa], &bias.to_le_bytes()].concat()
}

/// A dataspace; `grows`: its first axis may become longer. No axes: one element.
fn dataspace(shape: &[u64], grows: bool) -> Vec<u8> {
    let mut data = vec![1, shape.len() as u8, u8::from(grows), 0, 0, 0, 0, 0];
    data.extend(shape.iter().flat_map(|side| side.to_le_bytes()));
    if grows {
        data.extend(NOWHERE.to_le_bytes());
        data.extend(shape.iter().skip(1).flat_map(|side| side.to_le_bytes()));
    }
    data
}

impl Layout<'_> {
    fn is_chunked(&self) -> bool {
        matches!(self, Layout::Chunked { .. })
    }

    fn encode(&self, element: u32) -> Vec<u8> {
        match self {
            Layout::Whole { at, len } => [&[3, 1][..], &at.to_le_bytes(), &len.to_le_bytes()].concat(),
            Layout::Chunked { index, chunk, .. } => {
                let mut data = vec![3, 2, chunk.len() as u8 + 1];
                data.extend(index.to_le_bytes());
                data.extend(chunk.iter().flat_map(|side| (*side as u32).to_le_bytes()));
                data.extend(element.to_le_bytes());
                data
            }
        }
    }

    fn filters(&self, element: u32) -> Option<Vec<u8>> {
        let Layout::Chunked { shuffle, level, .. } = self else { return None };
        let mut data = vec![1, 1 + u8::from(*shuffle), 0, 0, 0, 0, 0, 0];
        if *shuffle {
            data.extend(filter(2, b"shuffle\0", element));
        }
        data.extend(filter(1, b"deflate\0", *level));
        Some(data)
    }
}

/// A filter's id, name, "may be left out" and its one setting.
fn filter(id: u16, name: &[u8; 8], setting: u32) -> Vec<u8> {
    let head = [id, 8, 1, 1].map(u16::to_le_bytes).concat();
    [&head[..], name, &setting.to_le_bytes(), &[0; 4]].concat()
}

/// The object header of a dataset.
pub(super) fn dataset(of: Type, shape: &[u64], layout: &Layout<'_>, attributes: &[(&str, Attribute)]) -> Vec<u8> {
    // Space is taken when written (2: late, 3: by the chunk); filled only where somebody set a value (2); the value is 0.
    let fill = [2, if layout.is_chunked() { 3 } else { 2 }, 2, 1, 0, 0, 0, 0];
    let mut header = Header::default();
    header.message(DATASPACE, 0, &dataspace(shape, layout.is_chunked()));
    header.message(DATATYPE, 1, &of.encode());
    header.message(FILL_VALUE, 1, &fill);
    if let Some(filters) = layout.filters(of.bytes) {
        header.message(FILTERS, 1, &filters);
    }
    header.message(LAYOUT, 0, &layout.encode(of.bytes));
    for (name, value) in attributes {
        header.message(ATTRIBUTE, 0, &attribute(name, value));
    }
    header.finish()
}

/// The object header of a group.
pub(super) fn group(index: u64, names: u64) -> Vec<u8> {
    let mut header = Header::default();
    header.message(SYMBOL_TABLE, 0, &[index.to_le_bytes(), names.to_le_bytes()].concat());
    header.finish()
}

fn attribute(name: &str, value: &Attribute) -> Vec<u8> {
    let (of, data) = match value {
        // A text of no bytes is none that the format knows.
        Attribute::Text(text) if text.is_empty() => (Type::new(Kind::Text, 1), vec![0]),
        Attribute::Text(text) => (Type::new(Kind::Text, text.len() as u32), text.as_bytes().to_vec()),
        Attribute::Float(number) => (Type::new(Kind::Float, 8), number.to_le_bytes().to_vec()),
        Attribute::Integer(number) => (Type::new(Kind::Signed, 8), number.to_le_bytes().to_vec()),
    };
    let (name, of, space) = ([name.as_bytes(), &[0]].concat(), of.encode(), dataspace(&[], false));
    let sizes = [name.len(), of.len(), space.len()].map(|len| (len as u16).to_le_bytes());
    let mut message = vec![1, 0];
    message.extend(sizes.concat());
    for part in [name, of, space] {
        message.extend(part);
        pad(&mut message);
    }
    message.extend(data);
    message
}

/// An object header in the making.
#[derive(Default)]
struct Header {
    messages: u16,
    bytes: Vec<u8>,
}

impl Header {
    /// `flags` 1: the message never changes.
    fn message(&mut self, kind: u16, flags: u8, data: &[u8]) {
        let len = data.len().next_multiple_of(8) as u16;
        self.messages += 1;
        self.bytes.extend([kind.to_le_bytes(), len.to_le_bytes()].concat());
        self.bytes.extend([flags, 0, 0, 0]);
        self.bytes.extend(data);
        pad(&mut self.bytes);
    }

    fn finish(self) -> Vec<u8> {
        let mut header = vec![1, 0];
        header.extend(self.messages.to_le_bytes());
        // How many names lead to the object.
        header.extend(1u32.to_le_bytes());
        header.extend((self.bytes.len() as u32).to_le_bytes());
        header.extend([0; 4]);
        header.extend(self.bytes);
        header
    }
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(8), 0);
}
