//! Which Parquet types are read, and what they become.

use std::path::Path;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};

use crate::sample::ColumnKind;

use super::super::{PlanColumn, Role, SourceError, TableSpec, columns};
use super::Needed;

/// The schema to decode with: texts as views, which share their bytes with the decoded page. So a text that a page
/// holds once and a thousand rows refer to is in memory once.
pub fn with_views(schema: &Schema) -> Schema {
    let view = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View)),
        DataType::Binary | DataType::LargeBinary => {
            Arc::new(field.as_ref().clone().with_data_type(DataType::BinaryView))
        }
        _ => Arc::clone(field),
    };
    Schema::new(schema.fields().iter().map(view).collect::<Vec<_>>())
}

/// Finds the needed columns and checks their types.
pub fn needed(path: &Path, spec: &TableSpec, schema: &Schema) -> Result<Vec<Needed>, SourceError> {
    let mut all = Vec::new();
    for column in columns(spec) {
        let mut found = schema.fields().iter().enumerate().filter(|(_, field)| *field.name() == column.source_name);
        let Some((root, field)) = found.next() else {
            let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
            return Err(SourceError::missing_column(path, &column.source_name, &names));
        };
        let more = found.count();
        if more > 0 {
            let (path, column) = (path.to_owned(), column.source_name);
            return Err(SourceError::DuplicateColumn { path, column, count: more + 1 });
        }
        let kind = checked_kind(path, &column, field.data_type())?;
        all.push(Needed { column, root, in_batch: 0, kind });
    }
    // Batches hold each needed column once, in the file's order.
    let mut roots: Vec<usize> = all.iter().map(|needed| needed.root).collect();
    roots.sort_unstable();
    roots.dedup();
    for needed in &mut all {
        needed.in_batch = roots.partition_point(|root| *root < needed.root);
    }
    Ok(all)
}

fn checked_kind(path: &Path, column: &PlanColumn, found: &DataType) -> Result<Option<ColumnKind>, SourceError> {
    let wrong = |want| SourceError::WrongType {
        path: path.to_owned(),
        column: column.source_name.clone(),
        found: found.to_string(),
        want,
    };
    let Some(kind) = kind(found) else {
        return Err(wrong("it has no counterpart in JSON; cast it to text or a number"));
    };
    match (column.role, kind) {
        (_, Kind::Nulls) => Ok(None),
        (Role::Url, Kind::Of(ColumnKind::String)) | (Role::Caption, Kind::Of(ColumnKind::String)) => {
            Ok(Some(ColumnKind::String))
        }
        (Role::Url, _) => Err(wrong("URLs must be text")),
        (Role::Caption, _) => Err(wrong("captions must be text; cast the column, or save it as an additional column")),
        (Role::Clips, Kind::Of(ColumnKind::String | ColumnKind::Json)) => Ok(Some(ColumnKind::Json)),
        (Role::Clips, _) => Err(wrong("clips must be lists of [start, end], or JSON text")),
        (Role::Additional, Kind::Of(kind)) => Ok(Some(kind)),
    }
}

enum Kind {
    /// A column of nulls only: its type says nothing.
    Nulls,
    Of(ColumnKind),
}

/// Most decimal digits that a 64-bit float gives back exactly.
const FLOAT_DIGITS: u8 = f64::DIGITS as u8;
/// Decimal digits that always fit a 64-bit integer.
const INTEGER_DIGITS: u8 = 18;

/// What a decimal becomes: a number where that loses nothing, else text.
pub fn decimal_kind(precision: u8, scale: i8) -> ColumnKind {
    match (precision, scale) {
        (..=INTEGER_DIGITS, 0) => ColumnKind::Integer,
        (..=FLOAT_DIGITS, 0..) => ColumnKind::Float,
        _ => ColumnKind::String,
    }
}

/// The kind of a type; none where it cannot be stored.
fn kind(found: &DataType) -> Option<Kind> {
    use DataType::*;
    Some(Kind::Of(match found {
        Null => return Some(Kind::Nulls),
        Boolean => ColumnKind::Boolean,
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 => ColumnKind::Integer,
        Float16 | Float32 | Float64 => ColumnKind::Float,
        Decimal32(precision, scale)
        | Decimal64(precision, scale)
        | Decimal128(precision, scale)
        | Decimal256(precision, scale) => decimal_kind(*precision, *scale),
        Utf8 | LargeUtf8 | Utf8View | Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => ColumnKind::String,
        Date32 | Date64 | Time32(_) | Time64(_) | Timestamp(..) => ColumnKind::String,
        Dictionary(_, values) => return kind(values),
        List(item) | LargeList(item) | FixedSizeList(item, _) => {
            kind(item.data_type())?;
            ColumnKind::Json
        }
        Struct(fields) => {
            fields.iter().map(|field| kind(field.data_type())).collect::<Option<Vec<_>>>()?;
            ColumnKind::Json
        }
        // Both of the entries' columns: JSON's keys are text, so other keys are printed.
        Map(entries, _) => {
            kind(entries.data_type())?;
            ColumnKind::Json
        }
        _ => return None,
    }))
}
