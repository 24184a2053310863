//! Arrow IPC: files (also called Feather, version 2) and streams, batch by batch.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryViewArray, RecordBatch, StringViewArray};
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, DataType, SchemaRef};

use super::super::{ReadError, SourceError, TableSpec};
use super::decode::panic_free;
use super::{Needed, schema};

/// First bytes of a file; a stream has none.
const MAGIC: &[u8] = b"ARROW1";
/// The first version of Feather, which is another format.
const FEATHER_1: &[u8] = b"FEA1";

/// An opened file or stream.
pub struct Table<'p> {
    pub path: &'p Path,
    pub needed: Vec<Needed>,
    batches: Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>,
}

/// Opens it, reads its schema and finds the needed columns.
pub fn open<'p>(path: &'p Path, spec: &TableSpec) -> Result<Table<'p>, SourceError> {
    let mut file = File::open(path).map_err(|error| SourceError::io(path, "open", error))?;
    let mut magic = Vec::with_capacity(MAGIC.len());
    let failed = |error| SourceError::io(path, "read", error);
    (&mut file).take(MAGIC.len() as u64).read_to_end(&mut magic).map_err(failed)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    if magic.starts_with(FEATHER_1) {
        return Err(damaged(
            path,
            "it is of Feather's first version: write it with `feather.write_feather(…, version=2)`",
        ));
    }
    panic_free(
        || {
            let is_file = magic == MAGIC;
            let plain = file.try_clone().map_err(failed)?;
            let all = if is_file { file_schema(plain) } else { stream_schema(plain) };
            let all = all.map_err(|error| damaged(path, error))?;
            let needed = schema::needed(path, spec, &all)?;
            let mut columns: Vec<usize> = needed.iter().map(|needed| needed.root).collect();
            columns.sort_unstable();
            columns.dedup();
            file.seek(SeekFrom::Start(0)).map_err(failed)?;
            let bytes = BufReader::new(file);
            let batches: Result<Box<dyn Iterator<Item = _>>, _> = if is_file {
                FileReader::try_new(bytes, Some(columns)).map(|reader| Box::new(reader) as _)
            } else {
                StreamReader::try_new(bytes, Some(columns)).map(|reader| Box::new(reader) as _)
            };
            let batches = batches.map_err(|error| damaged(path, error))?;
            Ok(Table { path, needed, batches })
        },
        |reason| damaged(path, reason),
    )
}

fn file_schema(file: File) -> Result<SchemaRef, ArrowError> {
    Ok(FileReader::try_new(BufReader::new(file), None)?.schema())
}

fn stream_schema(file: File) -> Result<SchemaRef, ArrowError> {
    Ok(StreamReader::try_new(BufReader::new(file), None)?.schema())
}

/// Hands each batch to `each`.
pub fn batches<E>(
    table: Table<'_>,
    mut each: impl FnMut(RecordBatch) -> Result<(), ReadError<E>>,
) -> Result<(), ReadError<E>> {
    let Table { path, mut batches, .. } = table;
    loop {
        let next = panic_free(
            || match batches.next() {
                Some(batch) => batch.and_then(plain).map(Some).map_err(|error| damaged(path, error)),
                None => Ok(None),
            },
            |reason| damaged(path, reason),
        )?;
        match next {
            Some(batch) => each(batch)?,
            None => return Ok(()),
        }
    }
}

/// The batch with its texts as the Parquet decoder gives them.
fn plain(batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().map(plain_column).collect::<Result<Vec<_>, _>>()?;
    let schema = batch.schema();
    let fields = schema.fields().iter().zip(&columns).map(|(field, column)| {
        Arc::new(field.as_ref().clone().with_data_type(column.data_type().clone()).with_nullable(true))
    });
    let schema = Arc::new(arrow_schema::Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new_with_options(
        schema,
        columns,
        &arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows())),
    )
}

fn plain_column(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    Ok(match column.data_type() {
        DataType::Dictionary(..) => {
            let dictionary = column.as_any_dictionary();
            let values = plain_column(dictionary.values())?;
            arrow_select::take::take(values.as_ref(), dictionary.keys(), None)?
        }
        DataType::Utf8 => Arc::new(StringViewArray::from(column.as_string::<i32>())),
        DataType::LargeUtf8 => Arc::new(StringViewArray::from(column.as_string::<i64>())),
        DataType::Binary => Arc::new(BinaryViewArray::from(column.as_binary::<i32>())),
        DataType::LargeBinary => Arc::new(BinaryViewArray::from(column.as_binary::<i64>())),
        _ => Arc::clone(column),
    })
}

fn damaged(path: &Path, reason: impl std::fmt::Display) -> SourceError {
    SourceError::Arrow { path: path.to_owned(), reason: reason.to_string() }
}
