//! Samples of a WebDataset tar on their way to the shard that keeps its name.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::{Map, Value};
use tokio::sync::OwnedSemaphorePermit;

use super::JobError;
use super::feed::{FeedResult, Feeder, Place};
use super::rank::{Rank, blocking};
use super::room::is_too_dear;
use super::writer::ToWriter;
use crate::ledger::Lease;
use crate::sample::{Column, Failure, FailureClass, Payload, Row, SharedFile, Status, Usage};
use crate::sink::reader::MAX_JSON_BYTES;
use crate::sink::{Finished, Member, OutputSample, columns};
use crate::source::tars::{TarIndex, TarMember, TarSample};
use crate::source::{SourceError, fingerprint_quick};

/// Extensions of members that hold videos, and of those that hold sound alone; every other member is carried over
/// whatever the job does.
const VIDEO: [&str; 15] =
    ["mp4", "m4v", "webm", "mkv", "mov", "avi", "flv", "ts", "m2ts", "mpg", "mpeg", "wmv", "ogv", "3gp", "gif"];
const SOUND: [&str; 10] = ["mp3", "m4a", "wav", "flac", "opus", "ogg", "oga", "aac", "wma", "mka"];

/// What stands in place of a `.json` member that no reader could read.
const UNREADABLE_JSON: &str = "unreadable_json";

/// A shard's input tar, its headers read.
pub struct TarShard {
    name: String,
    samples: Vec<TarSample>,
    file: File,
    shared: SharedFile,
    /// False where the job asks for metadata and text only.
    keep_media: bool,
}

impl TarShard {
    /// Opens the tar of a leased shard, and checks that it is the one that was planned. Also the columns of the sidecar
    /// beside it; none where it has none that can be read.
    ///
    /// # Errors
    /// [`JobError::Input`]: the tar is gone, was changed, or cannot be read. Only its shard fails by it.
    pub fn open(rank: &Rank, lease: &Lease) -> Result<(Self, Vec<Column>), JobError> {
        let failed = |reason: String| JobError::Input { shard: lease.name().to_owned(), reason };
        let source_failed = |error: SourceError| failed(error.to_string());
        let at = rank.work.plan.input_of(lease.shard());
        let found = at.and_then(|at| rank.work.inputs.get(at).zip(rank.work.plan.inputs().get(at)));
        let (path, planned) = found.ok_or_else(|| failed("the plan names no input for it".into()))?;
        let now = fingerprint_quick(path).map_err(source_failed)?;
        if (now.size, now.mtime_ns) != (planned.fingerprint.size, planned.fingerprint.mtime_ns) {
            return Err(failed(format!(
                "{} changed since it was planned; set incremental_mode: overwrite to start over",
                path.display()
            )));
        }
        let file = File::open(path).map_err(|error| failed(format!("cannot open {}: {error}", path.display())))?;
        let index = TarIndex::read(path, &file).map_err(source_failed)?;
        if !index.skipped.is_empty() {
            tracing::warn!(
                "{}: files without key and extension are left out, as webdataset does: {}",
                path.display(),
                index.skipped.join(", ")
            );
        }
        let clone = file.try_clone().map_err(|error| failed(format!("cannot open {}: {error}", path.display())))?;
        let keep_media = rank.feeder.looks_into_media() || !rank.work.config.job.encode_formats.is_empty();
        let shared: SharedFile = Arc::new(Mutex::new(Box::new(clone)));
        let sidecar = std::fs::read(path.with_extension("parquet")).ok();
        let declared = sidecar.and_then(|bytes| columns::declared(bytes).ok()).unwrap_or_default();
        Ok((Self { name: lease.name().to_owned(), samples: index.samples, file, shared, keep_media }, declared))
    }

    /// One row for each sample; its fields are read when it is its turn.
    pub fn rows(&self) -> Vec<Row> {
        let row = |(index, _)| Row { index, cells: Vec::new(), problem: None };
        (0..).zip(&self.samples).map(row).collect()
    }

    /// The sample as it stands in the tar: key, metadata and members kept, failed and media-less ones too. Reads its JSON
    /// and text; its other members stay regions of the tar. Blocks.
    ///
    /// # Errors
    /// Those of the file; what is wrong with the sample itself is its own failure.
    pub fn carry(&self, index: u32) -> io::Result<OutputSample> {
        let Some(sample) = usize::try_from(index).ok().and_then(|at| self.samples.get(at)) else {
            return Err(io::Error::other("the tar has no such sample"));
        };
        let meta = self.json(sample)?;
        let text = self.text(sample)?;
        let problem = sample.problem.clone();
        let problem = problem.or_else(|| meta.as_ref().err().or(text.as_ref().err()).cloned());
        let unreadable = meta.is_err();
        let text = text.unwrap_or_default();
        let mut fields = Fields::new(meta.unwrap_or_default());
        fields.own_key(&sample.key);
        fields.caption(text.as_deref());
        let (status, failure) = match problem {
            Some(failure) => (fields.fail(&failure), Some(failure)),
            None => fields.status(),
        };
        let changed = fields.changed;
        let kept = sample.members.iter().filter(|member| self.keep_media || !is_media(&member.extension));
        let kept = kept.filter_map(|member| match member.extension.as_str() {
            "json" if unreadable => Some(self.member(member, UNREADABLE_JSON)),
            "json" if changed => None,
            other => Some(self.member(member, other)),
        });
        Ok(OutputSample { members: kept.collect(), meta: fields.meta, status, failure, text })
    }

    /// Bytes of the sample's metadata as they stand in the tar.
    pub fn metadata_bytes(&self, index: u32) -> u64 {
        let sample = usize::try_from(index).ok().and_then(|at| self.samples.get(at));
        let members = sample.iter().flat_map(|sample| &sample.members);
        let read = members.filter(|member| ["json", "txt"].contains(&member.extension.as_str()));
        read.map(|member| member.len).filter(|len| *len <= MAX_JSON_BYTES).sum()
    }

    fn member(&self, member: &TarMember, extension: &str) -> Member {
        let payload = Payload::region(Arc::clone(&self.shared), member.offset, member.len);
        Member { extension: extension.to_owned(), payload }
    }

    fn json(&self, sample: &TarSample) -> io::Result<Result<Map<String, Value>, Failure>> {
        let bytes = match self.small(sample, "json")? {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(Ok(Map::new())),
            Err(failure) => return Ok(Err(failure)),
        };
        if is_too_dear(&bytes) {
            return Ok(Err(bad("the sample's .json in the input tar holds too many values".into())));
        }
        let unreadable = |error| bad(format!("the sample's .json in the input tar cannot be read: {error}"));
        Ok(serde_json::from_slice(&bytes).map_err(unreadable))
    }

    fn text(&self, sample: &TarSample) -> io::Result<Result<Option<String>, Failure>> {
        let not_text = |_| bad("the sample's .txt in the input tar is not UTF-8".into());
        let bytes = self.small(sample, "txt")?;
        Ok(bytes.and_then(|bytes| bytes.map(|bytes| String::from_utf8(bytes).map_err(not_text)).transpose()))
    }

    fn small(&self, sample: &TarSample, extension: &str) -> io::Result<Result<Option<Vec<u8>>, Failure>> {
        let Some(member) = sample.members.iter().find(|member| member.extension == extension) else {
            return Ok(Ok(None));
        };
        if member.len > MAX_JSON_BYTES {
            let what = format!("the sample's .{extension} in the input tar has {} bytes of metadata", member.len);
            return Ok(Err(bad(what)));
        }
        let mut bytes = vec![0; member.len as usize];
        self.file.read_exact_at(&mut bytes, member.offset)?;
        Ok(Ok(Some(bytes)))
    }
}

fn bad(message: String) -> Failure {
    Failure::new(FailureClass::BadRow, message)
}

/// Whether a member of this extension holds media.
pub fn is_media(extension: &str) -> bool {
    is_video(extension) || is_sound(extension)
}

/// Whether it holds a video.
pub fn is_video(extension: &str) -> bool {
    VIDEO.contains(&extension.to_ascii_lowercase().as_str())
}

/// Whether it holds sound alone.
pub fn is_sound(extension: &str) -> bool {
    SOUND.contains(&extension.to_ascii_lowercase().as_str())
}

/// A sample's JSON, with what every sample has added where it lacks it.
struct Fields {
    meta: Map<String, Value>,
    /// The JSON member is no longer what it says.
    changed: bool,
}

impl Fields {
    fn new(meta: Map<String, Value>) -> Self {
        Self { changed: meta.is_empty(), meta }
    }

    fn set(&mut self, field: &str, value: Value) {
        if self.meta.get(field) != Some(&value) {
            self.meta.insert(field.to_owned(), value);
            self.changed = true;
        }
    }

    /// Sets one of our fields; a value of the input's own that it would replace goes on as `input_FIELD`.
    fn take(&mut self, field: &str, value: Value) {
        if let Some(theirs) = self.meta.get(field).filter(|theirs| **theirs != value).cloned() {
            self.meta.insert(format!("input_{field}"), theirs);
        }
        self.set(field, value);
    }

    fn own_key(&mut self, key: &str) {
        self.take("key", key.into());
    }

    fn caption(&mut self, text: Option<&str>) {
        if let Some(text) = text.filter(|text| !text.is_empty())
            && self.meta.get("caption").is_none_or(Value::is_null)
        {
            self.set("caption", text.into());
        }
    }

    fn fail(&mut self, failure: &Failure) -> Status {
        let status = Status::FailedToSubsample;
        self.set("status", status.as_str().into());
        self.set("error_message", failure.message.clone().into());
        self.set("error_class", failure.class.to_string().into());
        status
    }

    /// What became of the sample before; success where its JSON does not say.
    fn status(&mut self) -> (Status, Option<Failure>) {
        let known = [Status::FailedToDownload, Status::FailedToSubsample, Status::Filtered, Status::Success];
        let said = self.meta.get("status").and_then(Value::as_str);
        let status = known.into_iter().find(|status| Some(status.as_str()) == said).unwrap_or(Status::Success);
        self.take("status", status.as_str().into());
        let text = |field: &str| self.meta.get(field).and_then(Value::as_str);
        let failure = matches!(status, Status::FailedToDownload | Status::FailedToSubsample).then(|| Failure {
            // Other tools name no class; the JSON goes on as it is.
            class: text("error_class").and_then(FailureClass::parse).unwrap_or(FailureClass::Internal),
            message: text("error_message").unwrap_or_default().to_owned(),
        });
        (status, failure)
    }
}

impl Feeder {
    /// What becomes of a sample as it stood in the tar.
    #[cfg_attr(not(feature = "media"), expect(clippy::unused_async, reason = "waits for workers where there are any"))]
    async fn stored(
        &self,
        sample: OutputSample,
        slot: OwnedSemaphorePermit,
    ) -> Result<(Vec<OutputSample>, Usage), super::feed::FeedError> {
        #[cfg(feature = "media")]
        if let Some(mill) = self.mill.as_ref().filter(|_| sample.status == Status::Success) {
            // Held until a worker's queue has room for it.
            let place = mill.place().await;
            drop(slot);
            let (outputs, usage) = mill.process_stored(place, sample).await?;
            for output in &outputs {
                if let Some(failure) = &output.failure {
                    self.failures.log(output.key(), "the input tar", failure);
                }
            }
            return Ok((outputs, usage));
        }
        drop(slot);
        Ok((vec![sample], Usage::default()))
    }

    /// Carries one sample from the tar to the writer.
    pub async fn carry(
        &self,
        tar: Arc<TarShard>,
        index: u32,
        (slot, room): Place,
        writer: Sender<ToWriter>,
    ) -> FeedResult {
        let begun = Instant::now();
        let shard = tar.name.clone();
        let carried = blocking(move || tar.carry(index)).await;
        let carried = carried.and_then(|carried| {
            carried.map_err(|error| JobError::Input { shard, reason: format!("cannot read it: {error}") })
        });
        let output = match carried {
            Ok(output) => output,
            Err(error) => {
                // Whoever holds the lease has to count the failure.
                let _ = writer.send(ToWriter::Broken(error));
                return Ok(());
            }
        };
        if let Some(failure) = &output.failure {
            self.failures.log(output.key(), "the input tar", failure);
        }
        let (outputs, usage) = self.stored(output, slot).await?;
        let finished = Finished { index, outputs, bytes_received: 0, usage, room };
        self.send(&writer, finished, begun.elapsed().as_secs_f64());
        Ok(())
    }
}
