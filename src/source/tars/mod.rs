//! WebDataset tars as input: which samples a tar holds and where their members lie.
//!
//! Only headers are read, by seeking from one to the next; nothing is ever unpacked, so a member's name is text and
//! nothing else.

mod headers;
mod names;

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::sample::{Failure, FailureClass};

use super::SourceError;
use headers::{Entry, Headers, Kind};

pub use names::shard_names;

/// One member of a sample: where its bytes lie in the tar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TarMember {
    /// What follows the first dot of the name's last part: `mp4`, `seg.json`.
    pub extension: String,
    /// Bytes from the tar's start.
    pub offset: u64,
    /// Bytes.
    pub len: u64,
}

/// One sample: all members of one key, wherever they stand in the tar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TarSample {
    /// Folder and name up to the first dot, as webdataset splits them; without a leading `/` or `./`.
    pub key: String,
    /// In the tar's order.
    pub members: Vec<TarMember>,
    /// Why the sample is not whole.
    pub problem: Option<Failure>,
}

/// What a tar holds.
#[derive(Debug)]
pub struct TarIndex {
    /// In the order of each key's first member.
    pub samples: Vec<TarSample>,
    /// Files whose names give no key and extension: webdataset passes them over, and so do we. The first few.
    pub skipped: Vec<String>,
}

/// Names kept for a message about skipped files.
const SKIPPED_SHOWN: usize = 3;

impl TarIndex {
    /// Reads all headers of `file`. A tar that is cut or damaged gives the samples before that place, and one more that
    /// says what is lost: a sample of its own name, `STEM-lost`, where no sample was cut in the middle.
    ///
    /// # Errors
    /// [`SourceError::Io`] where the file cannot be read, [`SourceError::Compressed`] for a compressed tar.
    pub fn read(path: &Path, file: &File) -> Result<Self, SourceError> {
        let failed = |error| SourceError::io(path, "read", error);
        let mut headers = Headers::new(file).map_err(failed)?;
        if let Some(found) = headers.compression().map_err(failed)? {
            return Err(SourceError::Compressed { path: path.to_owned(), found });
        }
        let mut found = Collector::default();
        while let Some(entry) = headers.next_entry().map_err(failed)? {
            found.add(entry);
        }
        let mut index = Self { samples: found.samples, skipped: found.skipped };
        if let Some(damage) = headers.damage() {
            index.mark_lost(path, damage, &found.positions);
        }
        Ok(index)
    }

    fn mark_lost(&mut self, path: &Path, damage: &headers::Damage, positions: &HashMap<String, usize>) {
        let message = format!("the input tar {}; copy it again, or make it again", damage.what);
        let failure = Failure::new(FailureClass::NotDecodable, message);
        let cut = damage.name.as_deref().and_then(names::split);
        let key = cut.map(|(key, _)| key).unwrap_or_else(|| {
            let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            format!("{}-lost", stem.replace('.', "-"))
        });
        match positions.get(&key).and_then(|at| self.samples.get_mut(*at)) {
            Some(sample) => sample.problem = Some(failure),
            None => self.samples.push(TarSample { key, members: Vec::new(), problem: Some(failure) }),
        }
    }
}

#[derive(Debug, Default)]
struct Collector {
    samples: Vec<TarSample>,
    positions: HashMap<String, usize>,
    skipped: Vec<String>,
}

impl Collector {
    fn add(&mut self, entry: Entry) {
        let Some((key, extension)) = names::split(&entry.name) else {
            if self.skipped.len() < SKIPPED_SHOWN {
                self.skipped.push(entry.name);
            }
            return;
        };
        let next = self.samples.len();
        let at = *self.positions.entry(key.clone()).or_insert(next);
        if at == next {
            self.samples.push(TarSample { key, members: Vec::new(), problem: None });
        }
        let Some(sample) = self.samples.get_mut(at) else { return };
        let problem = match entry.kind {
            Kind::Regular if sample.members.iter().any(|member| member.extension == extension) => {
                format!("the input tar holds the sample's .{extension} twice; the first is kept")
            }
            Kind::Regular => {
                sample.members.push(TarMember { extension, offset: entry.offset, len: entry.len });
                return;
            }
            Kind::Other(what) => {
                format!("the sample's .{extension} is {what} in the input tar, which holds no bytes to copy")
            }
        };
        sample.problem.get_or_insert(Failure::new(FailureClass::BadRow, problem));
    }
}

/// Refuses a compressed tar by its first bytes.
///
/// # Errors
/// As [`TarIndex::read`].
pub fn refuse_compressed(path: &Path) -> Result<(), SourceError> {
    let failed = |error| SourceError::io(path, "read", error);
    let file = File::open(path).map_err(failed)?;
    match Headers::new(&file).and_then(|headers| headers.compression()).map_err(failed)? {
        Some(found) => Err(SourceError::Compressed { path: path.to_owned(), found }),
        None => Ok(()),
    }
}

/// Whether any of `inputs` lies in `folder`: its shards would replace its own input.
pub fn lies_in(inputs: &[PathBuf], folder: &Path) -> Option<PathBuf> {
    let folder = std::fs::canonicalize(folder).ok()?;
    let parent = |path: &Path| std::fs::canonicalize(path).ok()?.parent().map(Path::to_path_buf);
    inputs.iter().find(|path| parent(path).as_ref() == Some(&folder)).cloned()
}

#[cfg(test)]
mod tests;
