//! Samples of an earlier job's tar, as they go into this one.

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Map, Value};

use super::JobError;
use crate::sample::{Column, ColumnKind, Failure, FailureClass, Payload, ReadSeek, Row, SharedFile, Status};
use crate::sink::{Member, OutputSample, SAMPLE_FIELDS};

/// Metadata members larger than this are refused.
const MAX_METADATA: u64 = 64 << 20;

/// Extensions of videos, and of sound alone: the first member of such a kind is the sample's media.
const VIDEO: [&str; 14] =
    ["mp4", "webm", "mkv", "mov", "avi", "m4v", "ts", "mpg", "mpeg", "flv", "wmv", "ogv", "3gp", "gif"];
const SOUND: [&str; 9] = ["m4a", "mp3", "wav", "flac", "ogg", "opus", "aac", "oga", "mka"];

/// The tar that a shard's samples lie in.
pub struct Tar {
    file: SharedFile,
    /// Columns of the shard's sidecar before and behind the fields that every sample has.
    pub columns: (Vec<Column>, Vec<Column>),
}

/// A member's extension, and where it lies in the tar.
pub type Place = (String, u64, u64);

/// A sample, read.
pub struct Loaded {
    /// Without media: that is `media`, and members that are none of a subsampler's business.
    pub sample: OutputSample,
    pub media: Option<Member>,
    pub others: Vec<Place>,
    /// Bytes of all of its members.
    pub bytes: u64,
}

impl Tar {
    /// Opens the tar, and reads the columns of the sidecar beside it, where there is one. Blocks.
    pub fn open(path: &str) -> Result<Self, JobError> {
        let path = Path::new(path);
        let file = File::open(path)
            .map_err(|error| JobError::Unreadable { shard: path.display().to_string(), reason: error.to_string() })?;
        let file: Box<dyn ReadSeek> = Box::new(file);
        Ok(Self { file: Arc::new(Mutex::new(file)), columns: columns(&path.with_extension("parquet")) })
    }

    /// Reads a sample's metadata; its media stays in the tar until it is needed. Blocks.
    ///
    /// # Errors
    /// The sample's own failure: metadata that cannot be read.
    pub fn load(&self, row: &Row) -> Result<Loaded, Box<(OutputSample, Failure)>> {
        let key = row.cells.first().and_then(Value::as_str).unwrap_or_default();
        let members = members(row);
        let mut found = Found::default();
        for (extension, offset, len) in &members {
            let problem = self.sort(extension, *offset, *len, &mut found).err();
            if let Some(problem) = problem {
                found.problem.get_or_insert(problem);
            }
        }
        if let Some(problem) = &row.problem {
            found.problem = Some(problem.message.clone());
        }
        let mut sample = sample(key, found.meta, found.text);
        if let Some(what) = found.problem {
            let failure = Failure::new(FailureClass::BadRow, what);
            fail(&mut sample, Status::FailedToSubsample, &failure);
            return Err(Box::new((sample, failure)));
        }
        let bytes = members.iter().map(|(_, _, len)| len).sum();
        let media = found.video.or(found.sound).map(|place| self.member(&place));
        Ok(Loaded { sample, media, others: found.others, bytes })
    }

    /// A member that stays in the tar until it is written.
    pub fn member(&self, (extension, offset, len): &Place) -> Member {
        let payload = Payload::region(Arc::clone(&self.file), *offset, *len);
        Member { extension: extension.clone(), payload }
    }

    fn sort(&self, extension: &str, offset: u64, len: u64, found: &mut Found) -> Result<(), String> {
        let place = || (extension.to_owned(), offset, len);
        match extension {
            "json" => match serde_json::from_slice(&self.read(extension, offset, len)?) {
                Ok(Value::Object(meta)) => found.meta = meta,
                Ok(_) => return Err("the sample's .json is no object".into()),
                Err(error) => return Err(format!("the sample's .json cannot be read: {error}")),
            },
            "txt" => {
                let text = String::from_utf8(self.read(extension, offset, len)?);
                found.text = Some(text.map_err(|_| "the sample's .txt is not UTF-8".to_owned())?);
            }
            video if VIDEO.contains(&video) && found.video.is_none() => found.video = Some(place()),
            sound if SOUND.contains(&sound) && found.sound.is_none() && found.video.is_none() => {
                found.sound = Some(place());
            }
            _ => found.others.push(place()),
        }
        // Sound that comes before its video is not the sample's media after all.
        if found.video.is_some()
            && let Some(sound) = found.sound.take()
        {
            found.others.push(sound);
        }
        Ok(())
    }

    fn read(&self, extension: &str, offset: u64, len: u64) -> Result<Vec<u8>, String> {
        if len > MAX_METADATA {
            return Err(format!("the sample's .{extension} has {len} bytes, too many for metadata"));
        }
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let read = file.seek(std::io::SeekFrom::Start(offset)).and_then(|_| file.read_exact(&mut bytes));
        read.map(|()| bytes).map_err(|error| format!("the sample's .{extension} cannot be read: {error}"))
    }
}

#[derive(Default)]
struct Found {
    meta: Map<String, Value>,
    text: Option<String>,
    video: Option<Place>,
    sound: Option<Place>,
    others: Vec<Place>,
    problem: Option<String>,
}

/// Extension, offset, length, as the plan has them.
fn members(row: &Row) -> Vec<Place> {
    let Some(list) = row.cells.get(1).and_then(Value::as_array) else { return Vec::new() };
    let member = |item: &Value| {
        let [extension, offset, len] = item.as_array()?.as_slice() else { return None };
        Some((extension.as_str()?.to_owned(), offset.as_u64()?, len.as_u64()?))
    };
    list.iter().filter_map(member).collect()
}

/// The sample as its own JSON has it; fields that every sample has are added where they are missing.
fn sample(key: &str, mut meta: Map<String, Value>, text: Option<String>) -> OutputSample {
    meta.insert("key".into(), key.into());
    let status = match meta.get("status").and_then(Value::as_str) {
        Some("failed_to_download") => Status::FailedToDownload,
        Some("failed_to_subsample") => Status::FailedToSubsample,
        Some("filtered") => Status::Filtered,
        _ => Status::Success,
    };
    meta.insert("status".into(), status.as_str().into());
    for field in ["error_message", "error_class", "yt_meta_dict"] {
        if !meta.contains_key(field) {
            meta.insert(field.into(), Value::Null);
        }
    }
    let message = meta.get("error_message").and_then(Value::as_str).unwrap_or_default().to_owned();
    let class = meta.get("error_class").and_then(Value::as_str).and_then(FailureClass::parse);
    let is_failed = matches!(status, Status::FailedToDownload | Status::FailedToSubsample);
    let failure = is_failed.then(|| Failure::new(class.unwrap_or(FailureClass::Internal), message));
    OutputSample { meta, status, failure, text, members: Vec::new() }
}

/// Whether members with this extension are media.
pub fn is_media(extension: &str) -> bool {
    VIDEO.contains(&extension) || is_sound(extension)
}

/// Whether they hold sound alone.
pub fn is_sound(extension: &str) -> bool {
    SOUND.contains(&extension)
}

/// Marks a sample as failed.
pub fn fail(sample: &mut OutputSample, status: Status, failure: &Failure) {
    sample.status = status;
    sample.meta.insert("status".into(), status.as_str().into());
    sample.meta.insert("error_message".into(), failure.message.clone().into());
    sample.meta.insert("error_class".into(), failure.class.to_string().into());
    sample.failure = Some(failure.clone());
    sample.members.clear();
}

/// Columns of a sidecar before and behind `key`; none where it is missing or cannot be read.
fn columns(sidecar: &Path) -> (Vec<Column>, Vec<Column>) {
    let reader = File::open(sidecar).ok().and_then(|file| SerializedFileReader::new(file).ok());
    let Some(reader) = reader else { return (Vec::new(), Vec::new()) };
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let column = |n: usize| {
        let column = schema.column(n);
        use parquet::basic::Type;
        let kind = match column.physical_type() {
            Type::BOOLEAN => ColumnKind::Boolean,
            Type::INT32 | Type::INT64 => ColumnKind::Integer,
            Type::FLOAT | Type::DOUBLE => ColumnKind::Float,
            _ => ColumnKind::Json,
        };
        Column { name: schema.get_column_root(n).name().to_owned(), kind }
    };
    let all: Vec<Column> = (0..schema.num_columns()).map(column).collect();
    let key = all.iter().position(|column| column.name == "key").unwrap_or(all.len());
    let mut seen = std::collections::HashSet::new();
    let mut own = |columns: &[Column]| {
        let is_own = |column: &&Column| !SAMPLE_FIELDS.contains(&column.name.as_str());
        let columns = columns.iter().filter(is_own).filter(|column| seen.insert(column.name.clone()));
        columns.cloned().collect::<Vec<_>>()
    };
    (own(all.get(..key).unwrap_or_default()), own(all.get(key..).unwrap_or_default()))
}
