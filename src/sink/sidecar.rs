//! The Parquet file beside a shard: one row per sample, all of its JSON fields.

use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, Float64Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use serde_json::{Map, Value};

use crate::sample::{Column, ColumnKind};

/// Rows per row group, at most.
const GROUP: usize = 1000;
/// Bytes of JSON text per row group, about: read, it takes many times as much memory.
const GROUP_TEXT: usize = 4 << 20;

/// Fields that every sample has beside the table's columns.
pub(super) const SAMPLE_FIELDS: [&str; 5] = ["key", "status", "error_message", "error_class", "yt_meta_dict"];

/// Writes the sidecar of one shard. The same samples give the same bytes.
#[derive(Debug)]
pub struct Sidecar {
    columns: Vec<Column>,
    schema: Arc<Schema>,
    writer: ArrowWriter<Vec<u8>>,
    pending: Vec<Map<String, Value>>,
    /// Bytes that these had as text.
    text: usize,
}

impl Sidecar {
    /// A sidecar for a table with these columns, whose samples get these further fields.
    pub fn new(columns: &[Column], added: &[Column]) -> Result<Self, ParquetError> {
        let extra = SAMPLE_FIELDS.iter().map(|name| Column { name: (*name).into(), kind: ColumnKind::String });
        let mut columns: Vec<Column> = columns.iter().cloned().chain(extra).collect();
        // A field that the table has already is made anew in its place.
        for field in added {
            if !columns.iter().any(|column| column.name == field.name) {
                columns.push(field.clone());
            }
        }
        let fields: Vec<Field> = columns.iter().map(|c| Field::new(&c.name, data_type(c.kind), true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            // A version in the file would make the same shard differ between releases.
            .set_created_by("clipmill".into())
            .build();
        let writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties))?;
        Ok(Self { columns, schema, writer, pending: Vec::new(), text: 0 })
    }

    /// Adds one sample's JSON, which has so many bytes as text.
    pub fn push(&mut self, meta: Map<String, Value>, text: usize) -> Result<(), ParquetError> {
        self.pending.push(meta);
        self.text += text;
        if self.pending.len() >= GROUP || self.text >= GROUP_TEXT { self.write_group() } else { Ok(()) }
    }

    /// The whole file.
    pub fn finish(mut self) -> Result<Vec<u8>, ParquetError> {
        self.write_group()?;
        self.writer.into_inner()
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let arrays = self.columns.iter().map(|column| array(column, &self.pending)).collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(external)?;
        self.pending.clear();
        self.text = 0;
        self.writer.write(&batch)?;
        self.writer.flush()
    }
}

fn external(error: ArrowError) -> ParquetError {
    ParquetError::External(Box::new(error))
}

fn data_type(kind: ColumnKind) -> DataType {
    match kind {
        ColumnKind::Integer => DataType::Int64,
        ColumnKind::Float => DataType::Float64,
        ColumnKind::Boolean => DataType::Boolean,
        ColumnKind::String | ColumnKind::Json => DataType::Utf8,
    }
}

fn array(column: &Column, rows: &[Map<String, Value>]) -> ArrayRef {
    let cells = rows.iter().map(|row| row.get(&column.name).unwrap_or(&Value::Null));
    match column.kind {
        ColumnKind::Integer => {
            let mut builder = Int64Builder::with_capacity(rows.len());
            cells.for_each(|cell| builder.append_option(cell.as_i64()));
            Arc::new(builder.finish())
        }
        ColumnKind::Float => {
            let mut builder = Float64Builder::with_capacity(rows.len());
            cells.for_each(|cell| builder.append_option(cell.as_f64()));
            Arc::new(builder.finish())
        }
        ColumnKind::Boolean => {
            let mut builder = BooleanBuilder::with_capacity(rows.len());
            cells.for_each(|cell| builder.append_option(cell.as_bool()));
            Arc::new(builder.finish())
        }
        ColumnKind::String | ColumnKind::Json => {
            let mut builder = StringBuilder::new();
            cells.for_each(|cell| match cell {
                Value::Null => builder.append_null(),
                Value::String(text) => builder.append_value(text),
                other => builder.append_value(other.to_string()),
            });
            Arc::new(builder.finish())
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float64Type, Int64Type};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use serde_json::json;

    use super::*;

    fn column(name: &str, kind: ColumnKind) -> Column {
        Column { name: name.into(), kind }
    }

    #[test]
    fn typed_columns_read_back() {
        let columns = [
            column("id", ColumnKind::Integer),
            column("duration", ColumnKind::Float),
            column("clips", ColumnKind::Json),
            column("url", ColumnKind::String),
        ];
        let mut sidecar = Sidecar::new(&columns, &[]).unwrap();
        for n in 0..2500 {
            let Value::Object(meta) =
                json!({"id": n, "duration": 0.5, "clips": [[0, 1]], "url": null, "key": "k", "status": "success"})
            else {
                unreachable!()
            };
            sidecar.push(meta, 80).unwrap();
        }
        let bytes = sidecar.finish().unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap().build().unwrap();
        let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 2500);
        let first = &batches[0];
        assert_eq!(first.column_by_name("id").unwrap().as_primitive::<Int64Type>().value(3), 3);
        assert_eq!(first.column_by_name("duration").unwrap().as_primitive::<Float64Type>().value(0), 0.5);
        assert_eq!(first.column_by_name("clips").unwrap().as_string::<i32>().value(0), "[[0,1]]");
        assert_eq!(first.column_by_name("url").unwrap().null_count(), first.num_rows());
        assert_eq!(first.column_by_name("status").unwrap().as_string::<i32>().value(0), "success");
    }

    #[test]
    fn groups_hold_only_so_much_text() {
        let mut sidecar = Sidecar::new(&[column("text", ColumnKind::String)], &[]).unwrap();
        for _ in 0..10 {
            sidecar.push(Map::from_iter([("text".into(), json!("x".repeat(1 << 20)))]), 1 << 20).unwrap();
        }
        let bytes = bytes::Bytes::from(sidecar.finish().unwrap());
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        let groups = reader.metadata().row_groups().iter().map(|group| group.num_rows());
        assert_eq!(groups.collect::<Vec<_>>(), [4, 4, 2]);
    }

    #[test]
    fn the_same_samples_are_the_same_bytes() {
        let make = || {
            let mut sidecar = Sidecar::new(&[column("url", ColumnKind::String)], &[]).unwrap();
            sidecar.push(Map::from_iter([("url".into(), json!("http://x"))]), 20).unwrap();
            sidecar.finish().unwrap()
        };
        assert_eq!(make(), make());
    }
}
