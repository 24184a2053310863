//! A sidecar's columns, found from the samples themselves: reprocessed samples bring their own fields.

use std::collections::HashMap;

use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use serde_json::{Map, Value};

use super::sidecar::SAMPLE_FIELDS;
use crate::sample::{Column, ColumnKind};

/// The columns of a sidecar, without the fields that every sample has. Types that are no cell's are JSON text.
///
/// # Errors
/// Bytes that are no Parquet file.
pub fn declared(sidecar: Vec<u8>) -> Result<Vec<Column>, ParquetError> {
    use arrow_schema::DataType::*;
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(sidecar))?;
    let fields = reader.schema().fields().iter().filter(|field| !SAMPLE_FIELDS.contains(&field.name().as_str()));
    let columns = fields.map(|field| {
        let kind = match field.data_type() {
            Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 => ColumnKind::Integer,
            Float16 | Float32 | Float64 => ColumnKind::Float,
            Boolean => ColumnKind::Boolean,
            Utf8 | LargeUtf8 | Utf8View => ColumnKind::String,
            _ => ColumnKind::Json,
        };
        Column { name: field.name().clone(), kind }
    });
    Ok(columns.collect())
}

/// Collects the fields of all samples in the order in which they turn up, behind those that were declared.
#[derive(Debug, Default)]
pub struct Columns {
    /// A field of nulls only has no kind.
    found: Vec<(String, Option<ColumnKind>)>,
    positions: HashMap<String, usize>,
}

impl Columns {
    pub fn new(declared: &[Column]) -> Self {
        let mut columns = Self::default();
        for column in declared {
            columns.see(&column.name, Some(column.kind));
        }
        columns
    }

    pub fn add(&mut self, meta: &Map<String, Value>) {
        for (name, value) in meta.iter().filter(|(name, _)| !SAMPLE_FIELDS.contains(&name.as_str())) {
            self.see(name, kind(value));
        }
    }

    pub fn finish(self) -> Vec<Column> {
        let column =
            |(name, kind): (String, Option<ColumnKind>)| Column { name, kind: kind.unwrap_or(ColumnKind::String) };
        self.found.into_iter().map(column).collect()
    }

    fn see(&mut self, name: &str, kind: Option<ColumnKind>) {
        match self.positions.get(name).and_then(|at| self.found.get_mut(*at)) {
            Some((_, known)) => *known = widest(*known, kind),
            None => {
                self.positions.insert(name.to_owned(), self.found.len());
                self.found.push((name.to_owned(), kind));
            }
        }
    }
}

fn kind(value: &Value) -> Option<ColumnKind> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(_) => ColumnKind::Boolean,
        Value::Number(number) if number.is_i64() => ColumnKind::Integer,
        Value::Number(number) if number.is_f64() => ColumnKind::Float,
        // Beyond 63 bits: as text it stays exact.
        Value::Number(_) => ColumnKind::Json,
        Value::String(_) => ColumnKind::String,
        Value::Array(_) | Value::Object(_) => ColumnKind::Json,
    })
}

fn widest(a: Option<ColumnKind>, b: Option<ColumnKind>) -> Option<ColumnKind> {
    use ColumnKind::{Float, Integer, Json};
    match (a, b) {
        (None, one) | (one, None) => one,
        (Some(a), Some(b)) if a == b => Some(a),
        (Some(Integer | Float), Some(Integer | Float)) => Some(Float),
        _ => Some(Json),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_keep_their_order_and_widen() {
        let declared = Column { name: "duration".into(), kind: ColumnKind::Float };
        let mut columns = Columns::new(&[declared]);
        for meta in [
            json!({"id": 1, "n": null, "key": "k", "big": u64::MAX, "mix": 1}),
            json!({"id": 2.5, "duration": null, "clips": [[0, 1]], "mix": "x"}),
        ] {
            columns.add(meta.as_object().unwrap());
        }
        let found: Vec<_> = columns.finish().into_iter().map(|column| (column.name, column.kind)).collect();
        use ColumnKind::*;
        let want = [("duration", Float), ("id", Float), ("n", String), ("big", Json), ("mix", Json), ("clips", Json)];
        assert_eq!(found, want.map(|(name, kind)| (name.to_owned(), kind)));
    }
}
