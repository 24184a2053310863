//! One shard on its way to disk: tar, journal, then sidecar, the form that was asked for, and commit record.
//!
//! Memory: a 256 KiB write buffer, the journal's lines and the sidecar's rows (metadata only). Media passes through in
//! the blocks it came in, whatever the size of the shard.

use std::io::{self, BufWriter, Write};
use std::time::{Instant, SystemTime};

use sha2::Sha256;

use super::columns::Columns;
use super::journal::{Journal, Line};
use super::sidecar::Sidecar;
use super::stats::{Counts, Provenance, Seconds, Stats, Writer, unix_seconds};
use super::tar::{HashWriter, append_bytes, append_end, append_payload};
use super::{Finished, OutputSample, SinkError, render};
use crate::config::OutputFormat;
use crate::ledger::storage::StorageFile;
use crate::ledger::{FileRecord, Lease};
use crate::sample::{Column, Payload, Status, Usage, hex};

const WRITE_BUFFER: usize = 256 << 10;

type Tar = HashWriter<BufWriter<Box<dyn StorageFile>>>;

/// What a shard needs to know about its job.
#[derive(Debug, Clone)]
pub struct ShardContext {
    pub format: OutputFormat,
    /// Of the table.
    pub columns: Vec<Column>,
    /// Fields that subsamplers make.
    pub added: Vec<Column>,
    /// Write `.json` and `.txt` members of failed samples.
    pub failed_samples: bool,
    /// Bring checkpoints to the disk.
    pub fsync: bool,
    pub config_hash: String,
    pub writer: Writer,
}

/// Suffixes of an attempt's files; those of tar and sidecar are also the final extensions.
pub const TAR: &str = "tar";
pub const SIDECAR: &str = "parquet";
pub const JOURNAL: &str = "rows.jsonl";

/// A prefix of an earlier attempt, brought under this attempt's name.
pub struct Resumed {
    /// Positioned at its end.
    pub tar: Box<dyn StorageFile>,
    /// Of the tar's bytes.
    pub hasher: Sha256,
    pub tar_len: u64,
    pub journal_file: Box<dyn StorageFile>,
    pub journal: Vec<u8>,
    /// Rows that the prefix holds.
    pub rows: u32,
}

/// What a checkpoint must remember of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    pub len: u64,
    pub sha256: [u8; 32],
}

/// Writes one shard, row by row, in input order.
pub struct ShardWriter<'a> {
    lease: &'a Lease,
    context: &'a ShardContext,
    tar: Tar,
    journal: Journal,
    journal_file: Option<Box<dyn StorageFile>>,
    counts: Counts,
    rows: u32,
    resumed_rows: u32,
    seconds: Seconds,
    usage: Usage,
    declared: Option<Vec<Column>>,
    started: (SystemTime, Instant),
}

impl<'a> ShardWriter<'a> {
    /// Starts a shard from nothing, or behind `resumed`.
    pub fn start(lease: &'a Lease, context: &'a ShardContext, resumed: Option<Resumed>) -> Result<Self, SinkError> {
        let started = (SystemTime::now(), Instant::now());
        let buffered = |file| BufWriter::with_capacity(WRITE_BUFFER, file);
        let (tar, journal, journal_file, rows) = match resumed {
            None => (HashWriter::new(buffered(lease.create(TAR)?)), Journal::default(), None, 0),
            Some(resumed) => {
                let tar = HashWriter::resume(buffered(resumed.tar), resumed.hasher, resumed.tar_len);
                let journal =
                    Journal::restore(&resumed.journal).map_err(|source| write_error(lease, JOURNAL, source))?;
                (tar, journal, Some(resumed.journal_file), resumed.rows)
            }
        };
        let mut counts = Counts::default();
        journal.for_each(&lease.partial(JOURNAL), |line, _| {
            counts.add(&line);
            Ok(())
        })?;
        let seconds = Seconds::default();
        Ok(Self {
            lease,
            context,
            tar,
            journal,
            journal_file,
            counts,
            rows,
            resumed_rows: rows,
            seconds,
            usage: Usage::default(),
            declared: None,
            started,
        })
    }

    /// Takes the sidecar's columns from the samples, behind these, instead of from the plan.
    pub fn declare(&mut self, columns: Vec<Column>) {
        self.declared = Some(columns);
    }

    /// Rows written so far, those taken over included.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Whether [`ShardWriter::finish`] makes another format of the tar.
    pub fn is_rendered(&self) -> bool {
        OutputFormat::RENDERED.contains(&self.context.format)
    }

    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Adds to the stage times that end up in the commit record.
    pub fn add_fetch_seconds(&mut self, seconds: f64) {
        self.seconds.fetch += seconds;
    }

    /// Appends all outputs of the next row.
    pub fn push(&mut self, finished: Finished) -> Result<(), SinkError> {
        let begun = Instant::now();
        let mut bytes = finished.bytes_received;
        self.usage.add(&finished.usage);
        for mut output in finished.outputs {
            let is_written = self.context.format != OutputFormat::Dummy;
            if is_written && (output.status == Status::Success || self.context.failed_samples) {
                write_members(&mut self.tar, &mut output).map_err(|source| write_error(self.lease, TAR, source))?;
            }
            let line = Line { row: finished.index, bytes, meta: output.meta };
            self.journal.push(&line)?;
            self.counts.add(&line);
            bytes = 0;
        }
        self.rows = finished.index + 1;
        self.seconds.write += begun.elapsed().as_secs_f64();
        Ok(())
    }

    /// Brings everything so far to the file system; returns the prefixes of tar and journal that a later attempt can
    /// go on from. `None` before the first row.
    pub fn checkpoint(&mut self) -> Result<Option<(Saved, Saved)>, SinkError> {
        if self.journal.is_empty() {
            return Ok(None);
        }
        self.flush_tar()?;
        let tar = Saved { len: self.tar.written(), sha256: self.tar.digest() };
        let file = match &mut self.journal_file {
            Some(file) => file,
            none => none.insert(self.lease.create(JOURNAL)?),
        };
        let (len, sha256) =
            self.journal.save(file.as_mut()).map_err(|source| write_error(self.lease, JOURNAL, source))?;
        if self.context.fsync {
            self.tar.get_mut().get_mut().sync_data().map_err(|source| write_error(self.lease, TAR, source))?;
            file.sync_data().map_err(|source| write_error(self.lease, JOURNAL, source))?;
        }
        Ok(Some((tar, Saved { len, sha256 })))
    }

    /// Closes the shard: its files are whole afterwards, if not yet on disk. Returns the commit record.
    pub fn finish(mut self) -> Result<Stats, SinkError> {
        let begun = Instant::now();
        if self.context.format == OutputFormat::Dummy {
            return Ok(self.stats([]));
        }
        append_end(&mut self.tar).map_err(|source| write_error(self.lease, TAR, source))?;
        self.flush_tar()?;
        let sidecar = self.sidecar()?;
        let samples = match render::render(self.lease, self.context.format)? {
            Some(rendered) => rendered,
            None => {
                let record = FileRecord { bytes: self.tar.written(), sha256: hex(&self.tar.digest()) };
                (TAR.to_owned(), record)
            }
        };
        self.seconds.finish = begun.elapsed().as_secs_f64();
        Ok(self.stats([samples, (SIDECAR.to_owned(), sidecar)]))
    }

    fn flush_tar(&mut self) -> Result<(), SinkError> {
        self.tar.flush().map_err(|source| write_error(self.lease, TAR, source))
    }

    fn sidecar(&self) -> Result<FileRecord, SinkError> {
        let broken = |source| SinkError::Sidecar { path: self.lease.partial(SIDECAR), source };
        let journal = self.lease.partial(JOURNAL);
        let added = &self.context.added;
        let columns = match &self.declared {
            None => self.context.columns.clone(),
            Some(declared) => {
                let mut columns = Columns::new(declared);
                self.journal.for_each(&journal, |line, _| {
                    columns.add(&line.meta);
                    Ok(())
                })?;
                let mut columns = columns.finish();
                // These stand behind the fields that every sample has, as in a job over a table.
                columns.retain(|column| !added.iter().any(|field| field.name == column.name));
                columns
            }
        };
        let mut sidecar = Sidecar::new(&columns, added).map_err(broken)?;
        self.journal.for_each(&journal, |line, text| sidecar.push(line.meta, text).map_err(broken))?;
        let bytes = sidecar.finish().map_err(broken)?;
        let mut out = HashWriter::new(self.lease.create(SIDECAR)?);
        out.write_all(&bytes).map_err(|source| write_error(self.lease, SIDECAR, source))?;
        Ok(FileRecord { bytes: out.written(), sha256: hex(&out.digest()) })
    }

    fn stats<const N: usize>(self, files: [(String, FileRecord); N]) -> Stats {
        let (start, clock) = self.started;
        Stats {
            counts: self.counts,
            duration: clock.elapsed().as_secs_f64(),
            start_time: unix_seconds(start),
            end_time: unix_seconds(SystemTime::now()),
            clipmill: Provenance {
                record: self.lease.record(files),
                clipmill_version: env!("CARGO_PKG_VERSION").into(),
                config_hash: self.context.config_hash.clone(),
                shard: self.lease.shard(),
                resumed_rows: self.resumed_rows,
                seconds: self.seconds,
                writer: self.context.writer.clone(),
                gpu: Some(self.usage).filter(|usage| !usage.is_empty()),
            },
        }
    }
}

enum Part<'a> {
    Bytes(&'a [u8]),
    Media(&'a mut Payload),
}

/// Members of one sample, by extension, as webdataset's writer sorts them.
fn write_members(tar: &mut Tar, output: &mut OutputSample) -> io::Result<()> {
    let key = output.key().to_owned();
    let json = super::json::pretty_ascii(&output.meta)?;
    // A sample that is carried over as it was brings these members itself.
    let has = |extension: &str| output.members.iter().any(|member| member.extension == extension);
    let (own_json, own_text) = (has("json"), has("txt"));
    let media = output.members.iter_mut().map(|m| (m.extension.as_str(), Part::Media(&mut m.payload)));
    let mut parts: Vec<(&str, Part<'_>)> = media.collect();
    if !own_json {
        parts.push(("json", Part::Bytes(&json)));
    }
    if let Some(text) = output.text.as_ref().filter(|_| !own_text) {
        parts.push(("txt", Part::Bytes(text.as_bytes())));
    }
    parts.sort_by_key(|(extension, _)| *extension);
    parts.into_iter().try_for_each(|(extension, part)| {
        let name = format!("{key}.{extension}");
        match part {
            Part::Bytes(bytes) => append_bytes(tar, &name, bytes),
            Part::Media(payload) => append_payload(tar, &name, payload),
        }
    })
}

fn write_error(lease: &Lease, suffix: &str, source: io::Error) -> SinkError {
    SinkError::Write { path: lease.partial(suffix), source }
}
