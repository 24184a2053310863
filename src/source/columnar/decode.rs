//! Runs the parquet decoder on its own thread.

use std::any::Any;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use arrow_array::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::ParquetMetaData;

use super::super::{ReadError, SourceError, TableSpec};
use super::{Needed, schema};

/// Bytes of needed columns, decoded, that a batch should have.
const BATCH_BYTES: u64 = 2 << 20;
const BATCH_ROWS: std::ops::RangeInclusive<u64> = 16..=8192;
/// Batches that wait between the two threads.
const READ_AHEAD: usize = 2;

/// An opened Parquet file.
pub struct Table<'p> {
    pub path: &'p Path,
    pub rows: u64,
    pub needed: Vec<Needed>,
    file: File,
    metadata: ArrowReaderMetadata,
}

/// Opens a file, reads its footer and finds the needed columns.
pub fn open<'p>(path: &'p Path, spec: &TableSpec) -> Result<Table<'p>, SourceError> {
    let file = File::open(path).map_err(|error| SourceError::io(path, "open", error))?;
    guarded(path, || {
        // Parquet's own types only: the Arrow schema that some writers embed adds nothing that JSON can tell apart.
        let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let plain = ArrowReaderMetadata::load(&file, plain).map_err(|error| damaged(path, error))?;
        let needed = schema::needed(path, spec, plain.schema())?;
        let views = ArrowReaderOptions::new().with_schema(Arc::new(schema::with_views(plain.schema())));
        let metadata =
            ArrowReaderMetadata::try_new(Arc::clone(plain.metadata()), views).map_err(|error| damaged(path, error))?;
        let rows = rows(plain.metadata()).map_err(|reason| damaged(path, reason))?;
        Ok(Table {
            path,
            rows,
            needed,
            file: file.try_clone().map_err(|e| SourceError::io(path, "open", e))?,
            metadata,
        })
    })
}

/// The rows of the file, of which the footer tells twice.
fn rows(metadata: &ParquetMetaData) -> Result<u64, String> {
    let total = metadata.file_metadata().num_rows();
    let groups = metadata.row_groups().iter().try_fold(0_i64, |sum, group| {
        Some(group.num_rows()).filter(|rows| *rows >= 0).and_then(|rows| sum.checked_add(rows))
    });
    match groups {
        Some(sum) if sum == total => Ok(sum as u64),
        _ => Err(format!("its row groups do not add up to the {total} rows that its footer names")),
    }
}

/// Decodes from row `skip_rows` on and hands each batch to `each`, while the next are being decoded.
pub fn batches<E>(
    table: Table<'_>,
    skip_rows: u64,
    mut each: impl FnMut(RecordBatch) -> Result<(), ReadError<E>>,
) -> Result<(), ReadError<E>> {
    std::thread::scope(|scope| {
        let (decoded, batches) = sync_channel(READ_AHEAD);
        scope.spawn(move || {
            let path = table.path;
            let done = guarded(path, || decode(table, skip_rows, &decoded));
            if let Err(error) = done {
                // Nobody is left to tell when the receiver is gone.
                let _ = decoded.send(Err(error));
            }
        });
        batches.into_iter().try_for_each(|batch| each(batch?))
    })
}

fn decode(
    table: Table<'_>,
    skip_rows: u64,
    decoded: &SyncSender<Result<RecordBatch, SourceError>>,
) -> Result<(), SourceError> {
    let Table { path, needed, file, metadata, .. } = table;
    let roots = needed.iter().map(|needed| needed.root);
    let mask = ProjectionMask::roots(metadata.parquet_schema(), roots);
    let rows = rows_per_batch(metadata.metadata(), &mask);
    let (groups, offset) = groups_from(metadata.metadata(), skip_rows);
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
        .with_projection(mask)
        .with_row_groups(groups)
        .with_offset(offset)
        .with_batch_size(rows)
        .build()
        .map_err(|error| damaged(path, error))?;
    for batch in reader {
        if decoded.send(batch.map_err(|error| damaged(path, error))).is_err() {
            break;
        }
    }
    Ok(())
}

/// The row groups that are left after `skip` rows, and the rows to skip in the first of them.
fn groups_from(metadata: &ParquetMetaData, skip: u64) -> (Vec<usize>, usize) {
    let mut left = skip;
    for (index, group) in metadata.row_groups().iter().enumerate() {
        let rows = group.num_rows().max(0) as u64;
        if left < rows {
            return ((index..metadata.num_row_groups()).collect(), left as usize);
        }
        left -= rows;
    }
    (Vec::new(), 0)
}

/// As many rows as make [`BATCH_BYTES`] in the row group with the longest rows.
fn rows_per_batch(metadata: &ParquetMetaData, mask: &ProjectionMask) -> usize {
    let row_bytes = |group: &parquet::file::metadata::RowGroupMetaData| {
        let needed = group.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf));
        let bytes: u64 = needed.map(|(_, column)| column.uncompressed_size().max(0) as u64).sum();
        bytes / (group.num_rows().max(1) as u64)
    };
    let longest = metadata.row_groups().iter().map(row_bytes).max().unwrap_or(0);
    (BATCH_BYTES / longest.max(1)).clamp(*BATCH_ROWS.start(), *BATCH_ROWS.end()) as usize
}

/// Runs `work` on bytes that may be hostile: a panic of the decoder becomes an error of the file.
fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T, SourceError>) -> Result<T, SourceError> {
    panic_free(work, |reason| damaged(path, reason))
}

/// The same for any decoder.
pub fn panic_free<T>(
    work: impl FnOnce() -> Result<T, SourceError>,
    damaged: impl FnOnce(&str) -> SourceError,
) -> Result<T, SourceError> {
    // Nothing that `work` touches is used after a panic.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(damaged(panic_text(panic.as_ref()))))
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("the decoder gave up")
}

fn damaged(path: &Path, reason: impl std::fmt::Display) -> SourceError {
    SourceError::Parquet { path: path.to_owned(), reason: reason.to_string() }
}
