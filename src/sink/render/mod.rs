//! Shards of other formats than WebDataset: made of the finished tar, as a shard's last step.
//!
//! Until then a shard is a tar and a journal whatever its format, so that checkpoints, resuming and commits are one
//! mechanism with one set of promises. A process that ends in the middle of this step finds its tar whole at the next
//! start and does the step again. Costs a second pass over the bytes, most often out of the page cache.

mod hdf5;
mod npy;
mod output;
mod tfrecord;

use std::sync::{Arc, Mutex};

use super::reader::TarReader;
use super::{Member, SinkError};
use crate::config::OutputFormat;
use crate::ledger::storage::StorageFile;
use crate::ledger::{FileRecord, Lease};
use crate::sample::{Payload, ReadSeek, SharedFile};

/// Makes one format of a shard's samples.
trait Render {
    /// The next sample, its members sorted by extension.
    fn sample(&mut self, key: &str, members: Vec<Member>) -> Result<(), SinkError>;

    /// The file is whole afterwards: what the commit record says of it.
    fn finish(self: Box<Self>) -> Result<FileRecord, SinkError>;
}

/// Makes the shard's file of its finished tar; its suffix, and what the commit record says of it. `None`: the tar itself is
/// the shard.
pub fn render(lease: &Lease, format: OutputFormat) -> Result<Option<(String, FileRecord)>, SinkError> {
    let Some(suffix) = format.suffix() else { return Ok(None) };
    let renderer: Box<dyn Render> = match format {
        OutputFormat::Webdataset | OutputFormat::Dummy => return Ok(None),
        OutputFormat::Hdf5 => Box::new(hdf5::Hdf5::create(lease, suffix)?),
        OutputFormat::Tfrecord => Box::new(tfrecord::Tfrecord::create(lease, suffix)?),
    };
    let record = each_sample(lease, lease.reopen(super::TAR)?, renderer)?;
    Ok(Some((suffix.to_owned(), record)))
}

fn each_sample(
    lease: &Lease,
    tar: Box<dyn StorageFile>,
    mut renderer: Box<dyn Render>,
) -> Result<FileRecord, SinkError> {
    let failed = |error: super::reader::ReadTarError| SinkError::Render {
        path: lease.partial(super::TAR),
        reason: error.to_string(),
    };
    let mut reader = TarReader::new(Box::new(tar) as Box<dyn ReadSeek>).map_err(failed)?;
    let mut found = Vec::new();
    while let Some(member) = reader.next_member().map_err(failed)? {
        found.push(member);
    }
    let file: SharedFile = Arc::new(Mutex::new(reader.into_inner()));
    // Members of a sample stand together.
    for members in found.chunk_by(|a, b| a.key == b.key) {
        let Some(first) = members.first() else { continue };
        let region = |member: &super::reader::MemberAt| Member {
            extension: member.extension.clone(),
            payload: Payload::region(Arc::clone(&file), member.offset, member.len),
        };
        renderer.sample(&first.key, members.iter().map(region).collect())?;
    }
    renderer.finish()
}
