//! A text table's bytes, unpacked where gzip or zstd packed them, and hashed as they lie in the file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::super::SourceError;
use crate::sample::hex;

const BUFFER_BYTES: usize = 1 << 18;

const GZIP: &[u8] = b"\x1F\x8B";
const ZSTD: &[u8] = b"\x28\xB5\x2F\xFD";

/// The bytes of a table, whatever packs them.
pub enum Unpacked {
    Plain(BufReader<Hashed>),
    /// Also of several parts, as `cat a.gz b.gz` and bgzip make them.
    Gzip(Box<MultiGzDecoder<BufReader<Hashed>>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, BufReader<Hashed>>>),
}

/// A file whose bytes are hashed as they are read.
pub struct Hashed {
    file: File,
    hasher: Option<Sha256>,
}

impl Unpacked {
    /// Looks at the first bytes, whatever the file's name.
    pub fn new(file: File, hash: bool) -> io::Result<Self> {
        let hasher = hash.then(Sha256::new);
        let mut bytes = BufReader::with_capacity(BUFFER_BYTES, Hashed { file, hasher });
        let head = bytes.fill_buf()?;
        if head.starts_with(GZIP) {
            return Ok(Self::Gzip(Box::new(MultiGzDecoder::new(bytes))));
        }
        if head.starts_with(ZSTD) {
            return Ok(Self::Zstd(Box::new(zstd::stream::read::Decoder::with_buffer(bytes)?)));
        }
        Ok(Self::Plain(bytes))
    }

    /// The error of a read, in the file's words.
    pub fn failed(&self, path: &Path, error: io::Error) -> SourceError {
        let packing = match self {
            Self::Plain(_) => return SourceError::io(path, "read", error),
            Self::Gzip(_) => "gzip",
            Self::Zstd(_) => "zstd",
        };
        match error.raw_os_error() {
            Some(_) => SourceError::io(path, "read", error),
            None => SourceError::Packed { path: path.to_owned(), packing, reason: error.to_string() },
        }
    }

    /// After the last byte: the SHA-256 of the file, where it was asked for.
    pub fn finish(self) -> io::Result<Option<String>> {
        let mut bytes = match self {
            Self::Plain(bytes) => bytes,
            Self::Gzip(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.finish(),
        };
        io::copy(&mut bytes, &mut io::sink())?;
        Ok(bytes.into_inner().hasher.map(|hasher| hex(&hasher.finalize())))
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(bytes) => bytes.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
        }
    }
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(buffer.get(..count).unwrap_or_default());
        }
        Ok(count)
    }
}

/// Whether a table's bytes are packed: such a file cannot be compared line by line with what it was.
pub fn is_packed(path: &Path) -> Result<bool, SourceError> {
    let failed = |error| SourceError::io(path, "read", error);
    let mut head = Vec::with_capacity(ZSTD.len());
    File::open(path).map_err(failed)?.take(ZSTD.len() as u64).read_to_end(&mut head).map_err(failed)?;
    Ok(head.starts_with(GZIP) || head.starts_with(ZSTD))
}
