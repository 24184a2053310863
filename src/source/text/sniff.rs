//! Recognises bytes that are no UTF-8 text table before they become thousands of bad rows.

use std::path::Path;

use super::super::SourceError;
use super::blocks::Blocks;

const UTF8_BOM: &[u8] = b"\xEF\xBB\xBF";
/// Bytes from the start whose NULs are counted.
const HEAD_BYTES: usize = 4096;
/// So many NULs in a row are a hole in the file, not a stray byte in one cell.
const HOLE_BYTES: usize = 1024;

const TO_UTF8: &str = "convert it to UTF-8 first, e.g. with `iconv -f UTF-16 -t UTF-8`";
const UNPACK: &str = "unpack it first";
const DAMAGED: &str = "it is damaged (often a crash while it was written): write or copy it again";

/// First bytes of what people hand over instead of a text table.
const MAGIC: [(&[u8], &str, &str); 10] = [
    // UTF-32 little endian begins like UTF-16, so it is asked for first.
    (b"\xFF\xFE\0\0", "UTF-32 text", "convert it to UTF-8 first, e.g. with `iconv -f UTF-32 -t UTF-8`"),
    (b"\0\0\xFE\xFF", "UTF-32 text", "convert it to UTF-8 first, e.g. with `iconv -f UTF-32 -t UTF-8`"),
    (b"\xFF\xFE", "UTF-16 text", TO_UTF8),
    (b"\xFE\xFF", "UTF-16 text", TO_UTF8),
    (b"PAR1", "Parquet", "set `input_format: parquet`"),
    (b"\x1F\x8B", "gzip-compressed", UNPACK),
    (b"\x28\xB5\x2F\xFD", "zstd-compressed", UNPACK),
    (b"BZh", "bzip2-compressed", UNPACK),
    (b"\xFD7zXZ", "xz-compressed", UNPACK),
    (b"PK\x03\x04", "a zip archive or a spreadsheet", "export it as UTF-8 CSV"),
];

/// Looks at the first bytes and steps over a UTF-8 byte order mark.
///
/// # Errors
/// [`SourceError::Encoding`] for text that is not UTF-8 or no text at all.
pub fn skip_bom(path: &Path, blocks: &mut Blocks) -> Result<(), SourceError> {
    blocks.fill()?;
    let data = blocks.data();
    let refuse = |found, advice| Err(SourceError::Encoding { path: path.to_owned(), found, advice });
    if let Some((_, found, advice)) = MAGIC.iter().find(|(magic, _, _)| data.starts_with(magic)) {
        return refuse(found, advice);
    }
    let head = data.get(..HEAD_BYTES).unwrap_or(data);
    let nuls = head.iter().filter(|byte| **byte == 0).count();
    if nuls > 0 && nuls == head.len() {
        return refuse("filled with NUL bytes", DAMAGED);
    }
    // Latin text in UTF-16 is half NULs; an odd character of another script or two changes little.
    if nuls > head.len() / 4 {
        return refuse("UTF-16 or UTF-32 text without a byte order mark, or binary", TO_UTF8);
    }
    refuse_hole(path, data)?;
    let bom = if data.starts_with(UTF8_BOM) { UTF8_BOM.len() } else { 0 };
    blocks.advance(bom);
    Ok(())
}

/// Refuses a block with a long run of NUL bytes: rows have been lost there.
pub fn refuse_hole(path: &Path, data: &[u8]) -> Result<(), SourceError> {
    let mut rest = data;
    while let Some(at) = memchr::memchr(0, rest) {
        let run = rest.get(at..).unwrap_or_default();
        let len = run.iter().position(|byte| *byte != 0).unwrap_or(run.len());
        if len >= HOLE_BYTES {
            let found = "partly overwritten with NUL bytes";
            return Err(SourceError::Encoding { path: path.to_owned(), found, advice: DAMAGED });
        }
        rest = run.get(len..).unwrap_or_default();
    }
    Ok(())
}
