//! Reads a shard's tar back, trusting nothing: only regular members with plain names; nothing is unpacked.

use std::borrow::Cow;
use std::io::{self, Read, Seek, SeekFrom};

use tar::{EntryType, Header};

const BLOCK: u64 = 512;

/// Metadata members larger than this are refused.
pub const MAX_JSON_BYTES: u64 = 64 << 20;

/// Longest member name.
const MAX_NAME_BYTES: u64 = 64 << 10;

/// One member of a tar: where its bytes lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberAt {
    /// Part of the name before the first dot.
    pub key: String,
    /// Part after it.
    pub extension: String,
    pub offset: u64,
    pub len: u64,
}

/// Why a tar cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadTarError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("at byte {at}: {what}")]
    Damaged { at: u64, what: String },
}

/// Walks the members of a tar in order.
#[derive(Debug)]
pub struct TarReader<R> {
    file: R,
    at: u64,
    end: u64,
}

impl<R: Read + Seek> TarReader<R> {
    pub fn new(mut file: R) -> Result<Self, ReadTarError> {
        let end = file.seek(SeekFrom::End(0))?;
        Ok(Self { file, at: 0, end })
    }

    /// The next member; `None` at a proper end-of-archive mark. A tar that just stops is damaged.
    pub fn next_member(&mut self) -> Result<Option<MemberAt>, ReadTarError> {
        let Some(mut header) = self.header()? else { return Ok(None) };
        let mut long_name = None;
        if header.entry_type() == EntryType::GNULongName {
            long_name = Some(self.long_name(&header)?);
            header = self
                .header()?
                .ok_or_else(|| ReadTarError::Damaged { at: self.at, what: "a long name without its member".into() })?;
        }
        let (at, damaged) = (self.at, |what: String| ReadTarError::Damaged { at: self.at, what });
        let sum: u32 = checksum(&header);
        if header.cksum().ok() != Some(sum) {
            return Err(damaged("a header's checksum is wrong".into()));
        }
        if header.entry_type() != EntryType::Regular {
            return Err(damaged(format!("a member of type {:?}; only regular files belong here", header.entry_type())));
        }
        let name = long_name.map_or_else(|| header.path_bytes(), Cow::Owned);
        let name = std::str::from_utf8(&name).map_err(|_| damaged("a member's name is not UTF-8".into()))?;
        let (key, extension) = split_name(name).ok_or_else(|| damaged(format!("a member named `{name}`")))?;
        let len = header.size()?;
        let offset = at + BLOCK;
        let next = len.checked_next_multiple_of(BLOCK).and_then(|padded| offset.checked_add(padded));
        let next = next.filter(|next| *next <= self.end);
        let Some(next) = next else {
            return Err(damaged(format!("`{name}` says {len} bytes, more than the file holds")));
        };
        let member = MemberAt { key: key.into(), extension: extension.into(), offset, len };
        self.at = next;
        Ok(Some(member))
    }

    /// The name that stands in an entry of its own before its member's header.
    fn long_name(&mut self, header: &Header) -> Result<Vec<u8>, ReadTarError> {
        let (at, len) = (self.at, header.size()?);
        if checksum(header) != header.cksum()? || len > MAX_NAME_BYTES || at + BLOCK + len > self.end {
            return Err(ReadTarError::Damaged { at, what: "a long name that cannot be read".into() });
        }
        let mut name = vec![0; len as usize];
        self.file.seek(SeekFrom::Start(at + BLOCK))?;
        self.file.read_exact(&mut name)?;
        name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
        self.at = at + BLOCK + len.next_multiple_of(BLOCK);
        Ok(name)
    }

    /// A member's bytes; for metadata, not media.
    pub fn read(&mut self, member: &MemberAt) -> Result<Vec<u8>, ReadTarError> {
        if member.len > MAX_JSON_BYTES {
            let what = format!("`{}.{}` has {} bytes of metadata", member.key, member.extension, member.len);
            return Err(ReadTarError::Damaged { at: member.offset, what });
        }
        let mut bytes = vec![0; member.len as usize];
        self.file.seek(SeekFrom::Start(member.offset))?;
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The file under the reader.
    pub fn into_inner(self) -> R {
        self.file
    }

    fn header(&mut self) -> Result<Option<Header>, ReadTarError> {
        if self.at + BLOCK > self.end {
            return Err(ReadTarError::Damaged {
                at: self.at,
                what: "the file ends without an end-of-archive mark".into(),
            });
        }
        let mut header = Header::new_old();
        self.file.seek(SeekFrom::Start(self.at))?;
        self.file.read_exact(header.as_mut_bytes())?;
        Ok(header.as_bytes().iter().any(|byte| *byte != 0).then_some(header))
    }
}

/// Key and extension, as webdataset splits them: at the first dot of the last path part. Names that lead out of the
/// folder are not ours.
fn split_name(name: &str) -> Option<(&str, &str)> {
    let base = name.rfind('/').map_or(0, |slash| slash + 1);
    let dot = base + name.get(base..)?.find('.')?;
    let (key, extension) = (name.get(..dot)?, name.get(dot + 1..)?);
    let plain = |part: &str| !part.is_empty() && part != ".." && part != "." && !part.contains(['\0', '\\']);
    (key.split('/').all(plain) && plain(extension)).then_some((key, extension))
}

/// The sum of all header bytes, the checksum field counted as blanks.
fn checksum(header: &Header) -> u32 {
    let bytes = header.as_bytes();
    let field = 148..156;
    bytes.iter().enumerate().map(|(i, byte)| if field.contains(&i) { u32::from(b' ') } else { u32::from(*byte) }).sum()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::sink::tar::{append_bytes, append_end};

    fn shard() -> Vec<u8> {
        let mut out = Vec::new();
        append_bytes(&mut out, "0001.json", b"{}").unwrap();
        append_bytes(&mut out, "0001.mp4", &[1; 700]).unwrap();
        append_end(&mut out).unwrap();
        out
    }

    fn walk(bytes: Vec<u8>) -> Result<Vec<MemberAt>, ReadTarError> {
        let mut reader = TarReader::new(Cursor::new(bytes))?;
        let mut members = Vec::new();
        while let Some(member) = reader.next_member()? {
            members.push(member);
        }
        Ok(members)
    }

    #[test]
    fn finds_members_and_their_bytes() {
        let members = walk(shard()).unwrap();
        assert_eq!(members.len(), 2);
        assert_eq!((members[1].key.as_str(), members[1].extension.as_str(), members[1].len), ("0001", "mp4", 700));
        let mut reader = TarReader::new(Cursor::new(shard())).unwrap();
        assert_eq!(reader.read(&members[0]).unwrap(), b"{}");
    }

    #[test]
    fn a_cut_or_spoiled_tar_is_damaged_wherever_it_is_cut() {
        let whole = shard();
        let marks = whole.len() - 1024;
        for cut in 0..=marks {
            assert!(walk(whole[..cut].to_vec()).is_err(), "cut at {cut}");
        }
        let mut spoiled = whole;
        spoiled[3] ^= 1;
        assert!(walk(spoiled).is_err());
    }

    #[test]
    fn long_names_read_back() {
        let name = format!("{}/0001.json", "é".repeat(150));
        let mut out = Vec::new();
        append_bytes(&mut out, &name, b"{}").unwrap();
        append_end(&mut out).unwrap();
        for cut in 0..out.len() - 1024 {
            assert!(walk(out[..cut].to_vec()).is_err(), "cut at {cut}");
        }
        let members = walk(out).unwrap();
        assert_eq!(format!("{}.{}", members[0].key, members[0].extension), name);
    }

    #[test]
    fn names_that_lead_outside_are_refused() {
        for name in ["../a.json", "a/../b.json", "/a.json", "a//b.json", "a/.json", ".json", "noextension"] {
            assert_eq!(split_name(name), None, "{name}");
        }
        assert_eq!(split_name("a/b.c/0001.json"), Some(("a/b.c/0001", "json")));
        assert_eq!(split_name("0001_00002.seg.json"), Some(("0001_00002", "seg.json")));
    }
}
