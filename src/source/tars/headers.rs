//! Walks a tar's headers: ustar, pax and GNU long names. Trusts nothing that they say.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use tar::{EntryType, Header, PaxExtensions};

const BLOCK: u64 = 512;
/// Longest name or pax record that is read.
const MAX_EXTENSION_BYTES: u64 = 1 << 20;
/// How far behind an end-of-archive mark another archive is looked for (`cat a.tar b.tar`): tar pads to 10 KiB.
const PADDING: u64 = 1 << 20;

/// What a header describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Regular,
    /// A link, a device, a sparse file.
    Other(&'static str),
}

/// A member.
#[derive(Debug)]
pub(super) struct Entry {
    pub name: String,
    pub kind: Kind,
    pub offset: u64,
    pub len: u64,
}

/// Where and why the walk ended early.
#[derive(Debug)]
pub(super) struct Damage {
    pub what: String,
    /// The member that is cut.
    pub name: Option<String>,
}

#[derive(Debug)]
pub(super) struct Headers<'a> {
    file: &'a File,
    at: u64,
    end: u64,
    damage: Option<Damage>,
    /// From pax or GNU entries, for the member that follows.
    long_name: Option<Vec<u8>>,
    long_size: Option<u64>,
}

impl<'a> Headers<'a> {
    pub fn new(file: &'a File) -> io::Result<Self> {
        let end = file.metadata()?.len();
        Ok(Self { file, at: 0, end, damage: None, long_name: None, long_size: None })
    }

    /// How the file is compressed, if it is.
    pub fn compression(&self) -> io::Result<Option<&'static str>> {
        let mut head = [0; 6];
        let len = self.end.min(head.len() as u64) as usize;
        self.file.read_exact_at(&mut head[..len], 0)?;
        Ok(match head {
            [0x1f, 0x8b, ..] => Some("gzip"),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("zstd"),
            [0xfd, b'7', b'z', b'X', b'Z', 0] => Some("xz"),
            [b'B', b'Z', b'h', ..] => Some("bzip2"),
            _ => None,
        })
    }

    pub fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    /// The next member that is not a folder; none at the end, or at the first damage.
    pub fn next_entry(&mut self) -> io::Result<Option<Entry>> {
        loop {
            let Some(header) = self.header()? else { return Ok(None) };
            let kind = header.entry_type();
            // Of a pax record that names the next member's size, only that member is meant.
            let extends = kind.is_pax_local_extensions() || kind.is_pax_global_extensions() || kind.is_gnu_longname();
            let extends = extends || kind.is_gnu_longlink();
            let own = header.entry_size().ok();
            let len = if extends { own } else { self.long_size.take().or(own) };
            let name = if extends { None } else { Some(self.name(&header)) };
            // Links and folders have no bytes, whatever their size field says.
            let empty = kind.is_dir() || kind.is_symlink() || kind.is_hard_link();
            let len = if empty { Some(0) } else { len };
            let offset = self.at + BLOCK;
            let next = len.and_then(|len| len.checked_next_multiple_of(BLOCK)).and_then(|len| offset.checked_add(len));
            let (Some(len), Some(next)) = (len, next) else {
                return Ok(self.damaged("has a member whose size cannot be read", name));
            };
            // The padding of the very last member may be missing; its bytes may not.
            if offset.checked_add(len).is_none_or(|end| end > self.end) {
                return Ok(self.damaged("is cut short in the middle of this sample", name));
            }
            self.at = next;
            if extends {
                if !self.extend(kind, offset, len)? {
                    return Ok(self.damaged("has an extended header that cannot be read", None));
                }
                continue;
            }
            if kind.is_dir() {
                continue;
            }
            return Ok(Some(Entry { name: name.unwrap_or_default(), kind: sort(kind), offset, len }));
        }
    }

    fn damaged(&mut self, what: &str, name: Option<String>) -> Option<Entry> {
        self.damage = Some(Damage { what: format!("{what} (at byte {})", self.at), name });
        None
    }

    fn header(&mut self) -> io::Result<Option<Header>> {
        let mut marked = false;
        loop {
            if self.at.checked_add(BLOCK).is_none_or(|end| end > self.end) {
                if !marked {
                    self.damaged("ends without an end-of-archive mark, so what followed may be lost", None);
                }
                return Ok(None);
            }
            let mut header = Header::new_old();
            self.file.read_exact_at(header.as_mut_bytes(), self.at)?;
            if header.as_bytes().iter().all(|byte| *byte == 0) {
                marked = true;
                match self.next_archive()? {
                    Some(at) => self.at = at,
                    None => return Ok(None),
                }
                continue;
            }
            if header.cksum().ok() == Some(checksum(&header)) {
                return Ok(Some(header));
            }
            // Rubbish behind a proper end is nobody's sample.
            if !marked {
                self.damaged("is damaged: a header's checksum is wrong, and what follows cannot be found", None);
            }
            return Ok(None);
        }
    }

    /// The first block behind the mark at `self.at` that is not empty.
    fn next_archive(&self) -> io::Result<Option<u64>> {
        let mut block = [0; BLOCK as usize];
        let mut at = self.at + BLOCK;
        let until = self.end.min(self.at.saturating_add(PADDING));
        while at + BLOCK <= until {
            self.file.read_exact_at(&mut block, at)?;
            if block.iter().any(|byte| *byte != 0) {
                return Ok(Some(at));
            }
            at += BLOCK;
        }
        Ok(None)
    }

    fn name(&mut self, header: &Header) -> String {
        let bytes = self.long_name.take().unwrap_or_else(|| header.path_bytes().into_owned());
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Reads a header that only extends the next one. False where it makes no sense.
    fn extend(&mut self, kind: EntryType, offset: u64, len: u64) -> io::Result<bool> {
        // Global records (git's commit id) and long link targets say nothing of a member's name or size.
        if kind.is_pax_global_extensions() || kind.is_gnu_longlink() {
            return Ok(true);
        }
        if len > MAX_EXTENSION_BYTES {
            return Ok(false);
        }
        let mut bytes = vec![0; len as usize];
        self.file.read_exact_at(&mut bytes, offset)?;
        if kind.is_gnu_longname() {
            bytes.truncate(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()));
            self.long_name = Some(bytes);
            return Ok(true);
        }
        for record in PaxExtensions::new(&bytes) {
            let Ok(record) = record else { return Ok(false) };
            match record.key_bytes() {
                b"path" => self.long_name = Some(record.value_bytes().to_vec()),
                b"size" => match record.value().ok().and_then(|size| size.parse().ok()) {
                    Some(size) => self.long_size = Some(size),
                    None => return Ok(false),
                },
                _ => {}
            }
        }
        Ok(true)
    }
}

fn sort(kind: EntryType) -> Kind {
    match kind {
        EntryType::Regular | EntryType::Continuous => Kind::Regular,
        EntryType::Symlink | EntryType::Link => Kind::Other("a link"),
        EntryType::GNUSparse => Kind::Other("a sparse file"),
        _ => Kind::Other("a special file"),
    }
}

/// The sum of all header bytes, the checksum field counted as blanks.
fn checksum(header: &Header) -> u32 {
    let bytes = header.as_bytes().iter().enumerate();
    bytes.map(|(at, byte)| if (148..156).contains(&at) { u32::from(b' ') } else { u32::from(*byte) }).sum()
}
