//! Reads back where the members of a TFRecord file lie. Trusts nothing: every length is held against the file's.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::stored::StoredMember;

/// Longest name or key.
const NAME: u64 = 64 << 10;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("at byte {at}: {what}")]
    Damaged { at: u64, what: &'static str },
}

/// Every member of every record, in order.
///
/// # Errors
/// A record that is cut or is no `tf.train.Example` of byte lists, or one without a `key`.
pub fn members(file: &File) -> Result<Vec<StoredMember>, ReadError> {
    let end = file.metadata()?.len();
    let (mut members, mut at) = (Vec::new(), 0);
    while at < end {
        let cut = || ReadError::Damaged { at, what: "a record is cut" };
        let head = bytes(file, at, 12, end).map_err(|_| cut())?;
        let len = head.first_chunk().map_or(0, |len| u64::from_le_bytes(*len));
        let data = at + 12;
        let next =
            data.checked_add(len).and_then(|end| end.checked_add(4)).filter(|next| *next <= end).ok_or_else(cut)?;
        record(file, data, next - 4, &mut members)?;
        at = next;
    }
    Ok(members)
}

fn record(file: &File, at: u64, end: u64, members: &mut Vec<StoredMember>) -> Result<(), ReadError> {
    let mut features = Cursor { file, at, end };
    features.enter(0x0a)?;
    let mut found: Vec<(String, u64, u64)> = Vec::new();
    while features.at < features.end {
        let mut entry = features.inner(0x0a)?;
        let name = entry.inner(0x0a)?;
        let name = String::from_utf8(name.read()?).map_err(|_| name.damaged("a name is not UTF-8"))?;
        let mut value = entry;
        for tag in [0x12, 0x0a, 0x0a] {
            value.enter(tag)?;
        }
        found.push((name, value.at, value.end - value.at));
    }
    let key = found.iter().find(|(name, ..)| name == "key").ok_or_else(|| features.damaged("a record has no key"))?;
    let key = Cursor { file, at: key.1, end: key.1 + key.2 }.read()?;
    let key = String::from_utf8(key).map_err(|_| features.damaged("a key is not UTF-8"))?;
    let rest = found.into_iter().filter(|(name, ..)| name != "key");
    members.extend(rest.map(|(extension, offset, len)| StoredMember {
        key: key.clone(),
        extension,
        len,
        offset: Some(offset),
    }));
    Ok(())
}

/// A stretch of the file that holds fields.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl Cursor<'_> {
    fn damaged(&self, what: &'static str) -> ReadError {
        ReadError::Damaged { at: self.at, what }
    }

    /// The next field, which has this tag; goes on behind it.
    fn inner(&mut self, tag: u8) -> Result<Self, ReadError> {
        let head = bytes(self.file, self.at, 11.min(self.end.saturating_sub(self.at)), self.end)?;
        if head.first() != Some(&tag) {
            return Err(self.damaged("this is no sample that clipmill has written"));
        }
        let (mut len, mut used) = (0u64, 1);
        for byte in head.iter().skip(1) {
            len |= u64::from(byte & 0x7f) << (7 * (used - 1)).min(63);
            used += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let at = self.at + used;
        let end = at.checked_add(len).filter(|end| *end <= self.end).ok_or_else(|| self.damaged("a field is cut"))?;
        self.at = end;
        Ok(Self { at, end, ..*self })
    }

    /// Goes on within the next field.
    fn enter(&mut self, tag: u8) -> Result<(), ReadError> {
        *self = self.inner(tag)?;
        Ok(())
    }

    fn read(&self) -> Result<Vec<u8>, ReadError> {
        match self.end - self.at {
            len @ 0..=NAME => Ok(bytes(self.file, self.at, len, self.end)?),
            _ => Err(self.damaged("a name is too long")),
        }
    }
}

/// `len` bytes, of few.
fn bytes(file: &File, at: u64, len: u64, end: u64) -> io::Result<Vec<u8>> {
    if at.checked_add(len).is_none_or(|last| last > end) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut bytes = vec![0; len as usize];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn field(tag: u8, data: &[u8]) -> Vec<u8> {
        [&[tag, data.len() as u8], data].concat()
    }

    fn feature(name: &str, value: &[u8]) -> Vec<u8> {
        let value = field(0x12, &field(0x0a, &field(0x0a, value)));
        field(0x0a, &[field(0x0a, name.as_bytes()), value].concat())
    }

    fn record(features: &[Vec<u8>]) -> Vec<u8> {
        let example = field(0x0a, &features.concat());
        [&(example.len() as u64).to_le_bytes()[..], &[0; 4], &example, &[0; 4]].concat()
    }

    fn read(bytes: &[u8]) -> Result<Vec<StoredMember>, ReadError> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        members(&file)
    }

    #[test]
    fn members_are_found_and_damage_does_no_harm() {
        let first = record(&[feature("key", b"0001"), feature("mp4", b"bytes"), feature("txt", b"")]);
        let whole = [first.clone(), record(&[feature("json", b"{}"), feature("key", b"0002")])].concat();
        let found = read(&whole).unwrap();
        let found: Vec<_> = found.iter().map(|one| (one.key.as_str(), one.extension.as_str(), one.len)).collect();
        assert_eq!(found, [("0001", "mp4", 5), ("0001", "txt", 0), ("0002", "json", 2)]);
        assert_eq!(&whole[read(&whole).unwrap()[0].offset.unwrap() as usize..][..5], b"bytes");
        for cut in (1..whole.len()).filter(|cut| *cut != first.len()) {
            assert!(read(&whole[..cut]).is_err(), "cut at {cut}");
        }
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut spoiled = whole.clone();
                spoiled[at] = value;
                // Any answer will do, as long as there is one.
                let _ = read(&spoiled);
            }
        }
        assert!(read(&record(&[feature("mp4", b"bytes")])).is_err(), "a record without a key");
    }
}
