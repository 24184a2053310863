//! A tar stream that depends on nothing but its members: fixed time, owner and mode.

use std::io::{self, Write};

use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

use crate::sample::Payload;

const BLOCK: u64 = 512;

/// Counts and hashes every byte on its way to the file.
#[derive(Debug)]
pub struct HashWriter<W> {
    inner: W,
    hasher: Sha256,
    written: u64,
}

impl<W: Write> HashWriter<W> {
    /// Starts behind `hasher`'s bytes: `written` of them.
    pub fn resume(inner: W, hasher: Sha256, written: u64) -> Self {
        Self { inner, hasher, written }
    }

    pub fn new(inner: W) -> Self {
        Self::resume(inner, Sha256::new(), 0)
    }

    /// Bytes so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// SHA-256 of all bytes so far.
    pub fn digest(&self) -> [u8; 32] {
        self.hasher.clone().finalize().into()
    }

    pub fn get_mut(&mut self) -> &mut W {
        &mut self.inner
    }
}

impl<W: Write> Write for HashWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        self.written += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Appends a member of small size.
pub fn append_bytes(out: &mut impl Write, name: &str, bytes: &[u8]) -> io::Result<()> {
    write_header(out, name, bytes.len() as u64)?;
    out.write_all(bytes)?;
    pad(out, bytes.len() as u64)
}

/// Appends a media member.
pub fn append_payload(out: &mut impl Write, name: &str, payload: &mut Payload) -> io::Result<()> {
    write_header(out, name, payload.len())?;
    payload.for_each_block(|block| out.write_all(block))?;
    pad(out, payload.len())
}

/// The end-of-archive mark.
pub fn append_end(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[0; 2 * BLOCK as usize])
}

/// GNU's way with names that ustar has no room for; every reader knows it, Python's included.
fn write_header(out: &mut impl Write, name: &str, size: u64) -> io::Result<()> {
    let short = match header(name, size) {
        Ok(header) => return out.write_all(header.as_bytes()),
        Err(_) => name.char_indices().map(|(at, _)| at).take_while(|at| *at < 100).last().unwrap_or(0),
    };
    let mut long = Header::new_gnu();
    long.set_path("././@LongLink")?;
    long.set_entry_type(EntryType::GNULongName);
    long.set_size(name.len() as u64 + 1);
    long.set_mode(0o644);
    long.set_cksum();
    out.write_all(long.as_bytes())?;
    out.write_all(name.as_bytes())?;
    out.write_all(&[0])?;
    pad(out, name.len() as u64 + 1)?;
    out.write_all(header(name.get(..short).unwrap_or_default().trim_end_matches(['/', '.']), size)?.as_bytes())
}

/// Owner and mode are video2dataset's; the time is fixed so that the same samples are the same bytes.
fn header(name: &str, size: u64) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_path(name)?;
    header.set_entry_type(EntryType::Regular);
    header.set_size(size);
    header.set_mode(0o444);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_username("bigdata")?;
    header.set_groupname("bigdata")?;
    header.set_cksum();
    Ok(header)
}

fn pad(out: &mut impl Write, size: u64) -> io::Result<()> {
    let rest = (BLOCK - size % BLOCK) % BLOCK;
    out.write_all(&[0; BLOCK as usize][..rest as usize])
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn members_read_back_and_the_digest_is_of_all_bytes() {
        let mut out = HashWriter::new(Vec::new());
        append_bytes(&mut out, "0001.json", b"{}").unwrap();
        append_payload(&mut out, "0001.mp4", &mut Payload::from_bytes(vec![7; 513])).unwrap();
        append_bytes(&mut out, "0001.txt", b"").unwrap();
        append_end(&mut out).unwrap();
        let digest = out.digest();
        let bytes = out.inner;
        assert_eq!(bytes.len() as u64 % BLOCK, 0);
        assert_eq!(digest, <[u8; 32]>::from(Sha256::digest(&bytes)));
        let mut archive = tar::Archive::new(&bytes[..]);
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut body = Vec::new();
            entry.read_to_end(&mut body).unwrap();
            seen.push((entry.path().unwrap().display().to_string(), body.len(), entry.header().mode().unwrap()));
        }
        assert_eq!(
            seen,
            [("0001.json".into(), 2, 0o444), ("0001.mp4".into(), 513, 0o444), ("0001.txt".to_string(), 0, 0o444)]
        );
    }
}
