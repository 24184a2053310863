//! WebDataset tars as input: one row per sample, with the places of its members.
//!
//! Only headers are read here, and nothing is ever unpacked: a member's name is text, and its bytes stay where they are
//! until a sample needs them.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use serde_json::{Value, json};

use super::{ReadError, RowRef, SourceError};
use crate::sample::{Cell, Failure, FailureClass};

/// One sample of a tar.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sample {
    key: String,
    /// Extension, offset and length in the tar.
    members: Vec<(String, u64, u64)>,
    problem: Option<String>,
}

/// Hands a row per sample to `sink`, in the order of their first members: its key, and its members as
/// `[[extension, offset, length], …]`. Returns the number of rows.
///
/// A tar that is cut off or damaged gives the samples before that place; the sample that the place lies in has a problem.
pub(super) fn read<E>(
    path: &Path,
    skip_rows: u64,
    sink: &mut dyn FnMut(RowRef<'_>) -> Result<(), E>,
) -> Result<u64, ReadError<E>> {
    let samples = samples(path)?;
    let count = samples.len() as u64;
    let skip = usize::try_from(skip_rows).unwrap_or(usize::MAX);
    for sample in samples.into_iter().skip(skip) {
        let members: Vec<Value> = sample.members.iter().map(|(ext, at, len)| json!([ext, at, len])).collect();
        let cells = [Cell::Text(&sample.key), Cell::Json(Value::Array(members))];
        let problem = sample.problem.map(|what| Failure::new(FailureClass::BadRow, what));
        sink(RowRef { cells: &cells, problem }).map_err(ReadError::Sink)?;
    }
    Ok(count)
}

/// Whether the file is a tar at all.
pub(super) fn check(path: &Path) -> Result<(), SourceError> {
    let file = File::open(path).map_err(|error| SourceError::io(path, "read", error))?;
    let mut head = [0; 512];
    let read = std::os::unix::fs::FileExt::read_at(&file, &mut head, 0);
    let read = read.map_err(|error| SourceError::io(path, "read", error))?;
    let found = match head.get(..read).unwrap_or_default() {
        [0x1f, 0x8b, ..] => Some(("compressed with gzip", "unpack it: `gunzip`")),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(("compressed with zstd", "unpack it: `unzstd`")),
        head if head.len() < 512 => Some(("too short for a tar", "give WebDataset tars")),
        head if head.iter().all(|byte| *byte == 0) => None,
        head if head.get(257..262) != Some(b"ustar".as_slice()) && !is_old_header(head) => {
            Some(("no tar", "give WebDataset tars, or set `input_format`"))
        }
        _ => None,
    };
    match found {
        Some((found, advice)) => Err(SourceError::Encoding { path: path.to_owned(), found, advice }),
        None => Ok(()),
    }
}

/// Tars older than ustar have no mark, but a checksum.
fn is_old_header(head: &[u8]) -> bool {
    let mut header = tar::Header::new_old();
    header.as_mut_bytes().copy_from_slice(head);
    let field = 148..156;
    let sum: u32 =
        head.iter().enumerate().map(|(n, byte)| if field.contains(&n) { 32 } else { u32::from(*byte) }).sum();
    header.cksum().is_ok_and(|stored| stored == sum)
}

fn samples(path: &Path) -> Result<Vec<Sample>, SourceError> {
    let fail = |error| SourceError::io(path, "read", error);
    let file = File::open(path).map_err(fail)?;
    let end = file.metadata().map_err(fail)?.len();
    let mut found = Found::default();
    let mut archive = tar::Archive::new(file);
    let entries = archive.entries_with_seek().map_err(fail)?;
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                found.damage(&format!("the tar is damaged or cut off here ({error}); what follows is lost"));
                break;
            }
        };
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let (offset, len) = (entry.raw_file_position(), entry.size());
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some((key, extension)) = split(&name) else { continue };
        if offset.checked_add(len).is_none_or(|stop| stop > end) {
            found.add(key, extension, offset, 0);
            found.damage("the tar is cut off within this sample; what follows is lost");
            break;
        }
        found.add(key, extension, offset, len);
    }
    Ok(found.samples)
}

#[derive(Default)]
struct Found {
    samples: Vec<Sample>,
    places: HashMap<String, usize>,
}

impl Found {
    fn add(&mut self, key: String, extension: String, offset: u64, len: u64) {
        let at = *self.places.entry(key.clone()).or_insert_with(|| {
            self.samples.push(Sample { key, members: Vec::new(), problem: None });
            self.samples.len() - 1
        });
        let Some(sample) = self.samples.get_mut(at) else { return };
        if sample.members.iter().any(|(known, ..)| *known == extension) {
            let what = format!("the tar holds two members `{extension}` of this sample");
            sample.problem.get_or_insert(what);
        } else {
            sample.members.push((extension, offset, len));
        }
    }

    /// The last sample may lack members.
    fn damage(&mut self, what: &str) {
        if let Some(last) = self.samples.last_mut() {
            last.problem = Some(what.to_owned());
        }
    }
}

/// Key and extension: the base name is split at its first dot, as webdataset does. Folders stay part of the key, but what
/// would be one in the output, or a dot, becomes `_`.
fn split(name: &str) -> Option<(String, String)> {
    let name = name.trim_start_matches("./");
    let (folder, base) = name.rsplit_once('/').map_or(("", name), |(folder, base)| (folder, base));
    let (stem, extension) = base.split_once('.')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if stem.is_empty() || extension.is_empty() || !extension.chars().all(plain) {
        return None;
    }
    let whole = if folder.is_empty() { stem.to_owned() } else { format!("{folder}/{stem}") };
    let harmless = |c: char| if c.is_control() || matches!(c, '/' | '\\' | '.') { '_' } else { c };
    Some((whole.chars().map(harmless).collect(), extension.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_text_and_lead_nowhere() {
        let split = |name| split(name).map(|(key, extension)| format!("{key}|{extension}"));
        assert_eq!(split("00001.seg.json").unwrap(), "00001|seg.json");
        assert_eq!(split("./a/b.c/0001.MP4").unwrap(), "a_b_c_0001|mp4");
        assert_eq!(split("../../etc/passwd.txt").unwrap(), "______etc_passwd|txt");
        for none in ["noextension", ".hidden", "x.", "a/.json", "a.b c"] {
            assert_eq!(split(none), None, "{none}");
        }
    }
}
