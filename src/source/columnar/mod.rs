//! Parquet: needed columns only, a few megabytes of rows at a time. Arrow: needed columns, a record batch at a time.

mod decode;
mod ipc;
mod schema;
mod values;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::RecordBatch;

use crate::config::InputFormat;
use crate::sample::{Cell, ColumnKind};

use super::cells::{Place, Problem, recycle};
use super::fingerprint::hash_file_until;
use super::{PlanColumn, Read, ReadError, ReadOptions, RowRef, SourceError, TableSpec};
use values::Values;

/// A needed column and where it stands in the decoded batches.
#[derive(Clone)]
struct Needed {
    column: PlanColumn,
    /// Index among the columns of the file.
    root: usize,
    /// Index among the columns of a batch.
    in_batch: usize,
    /// None: nulls only.
    kind: Option<ColumnKind>,
}

/// The kinds of the plan's columns, from the file's schema.
pub fn kinds(path: &Path, spec: &TableSpec) -> Result<Vec<Option<ColumnKind>>, SourceError> {
    let needed = match spec.format {
        InputFormat::Arrow => ipc::open(path, spec)?.needed,
        _ => decode::open(path, spec)?.needed,
    };
    Ok(needed.iter().map(|needed| needed.column.fixed.or(needed.kind)).collect())
}

/// Reads a Parquet or an Arrow file, which is hashed by a thread of its own.
pub fn read<E>(
    path: &Path,
    spec: &TableSpec,
    options: ReadOptions,
    sink: &mut dyn FnMut(RowRef<'_>) -> Result<(), E>,
) -> Result<Read, ReadError<E>> {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let hash = options.hash.then(|| scope.spawn(|| hash_file_until(path, &stop)));
        let pushed = match spec.format {
            InputFormat::Arrow => push_arrow(path, spec, options.skip_rows, sink),
            _ => push_parquet(path, spec, options.skip_rows, sink),
        };
        if pushed.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
        let hash = hash.map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        Ok(Read { rows: pushed?, sha256: hash.transpose()? })
    })
}

/// Pushes all rows but the first ones; returns the number of all.
fn push_parquet<E>(
    path: &Path,
    spec: &TableSpec,
    skip_rows: u64,
    sink: &mut dyn FnMut(RowRef<'_>) -> Result<(), E>,
) -> Result<u64, ReadError<E>> {
    let table = decode::open(path, spec)?;
    let (total, needed) = (table.rows, table.needed.clone());
    let mut row = skip_rows;
    decode::batches(table, skip_rows, |batch| {
        let first = row;
        row += batch.num_rows() as u64;
        push_batch(path, &needed, &batch, first, sink)
    })?;
    if row < total {
        let reason = format!("{row} rows where its footer says {total}");
        return Err(SourceError::Parquet { path: path.to_owned(), reason }.into());
    }
    Ok(total)
}

/// As [`push_parquet`]. Batches end where their writer ended them.
fn push_arrow<E>(
    path: &Path,
    spec: &TableSpec,
    skip_rows: u64,
    sink: &mut dyn FnMut(RowRef<'_>) -> Result<(), E>,
) -> Result<u64, ReadError<E>> {
    let table = ipc::open(path, spec)?;
    let needed = table.needed.clone();
    let mut row = 0;
    ipc::batches(table, |batch| {
        let first = row;
        row += batch.num_rows() as u64;
        let skipped = skip_rows.saturating_sub(first).min(batch.num_rows() as u64);
        let left = batch.slice(skipped as usize, batch.num_rows() - skipped as usize);
        push_batch(path, &needed, &left, first + skipped, sink)
    })?;
    Ok(row)
}

/// Pushes the rows of a batch, whose first row has the 0-based number `first` in its file.
fn push_batch<E>(
    path: &Path,
    needed: &[Needed],
    batch: &RecordBatch,
    first: u64,
    sink: &mut dyn FnMut(RowRef<'_>) -> Result<(), E>,
) -> Result<(), ReadError<E>> {
    let mut columns = Vec::with_capacity(needed.len());
    for needed in needed {
        let array = batch.columns().get(needed.in_batch).ok_or_else(|| SourceError::Parquet {
            path: path.to_owned(),
            reason: format!("no values for column `{}`", needed.column.source_name),
        })?;
        columns.push((&needed.column, Values::new(array.as_ref())));
    }
    let mut scratch = vec![String::new(); needed.len()];
    let mut spare = Vec::with_capacity(needed.len());
    for index in 0..batch.num_rows() {
        let mut problem = Problem::at(Place::Row(first + index as u64 + 1));
        let mut cells: Vec<Cell<'_>> = spare;
        for ((column, values), scratch) in columns.iter().zip(&mut scratch) {
            cells.push(values.cell(index, column, scratch, &mut problem));
        }
        sink(RowRef { cells: &cells, problem: problem.into_failure() }).map_err(ReadError::Sink)?;
        spare = recycle(cells);
    }
    Ok(())
}
