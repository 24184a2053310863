//! Arrow values to cells.

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, BinaryViewArray, StringViewArray};
use arrow_schema::{DataType, TimeUnit};
use serde_json::{Map, Value};

use crate::sample::{Cell, ColumnKind};

use super::super::cells::{MAX_CELL_BYTES, Problem, bytes_cell, checked_clips, note_cut, null_cell, text_cell};
use super::super::{PlanColumn, Role};
use super::schema::decimal_kind;
use crate::sample::hex;

/// One column of a batch.
pub enum Values<'a> {
    Text(&'a StringViewArray),
    /// Text of writers that do not say that it is text (Spark, Impala).
    Bytes(&'a BinaryViewArray),
    Other(&'a dyn Array),
}

impl<'a> Values<'a> {
    pub fn new(array: &'a dyn Array) -> Self {
        if let Some(text) = array.as_string_view_opt() {
            Self::Text(text)
        } else if let Some(bytes) = array.as_binary_view_opt() {
            Self::Bytes(bytes)
        } else {
            Self::Other(array)
        }
    }

    pub fn cell<'c>(
        &self,
        index: usize,
        column: &PlanColumn,
        scratch: &'c mut String,
        problem: &mut Problem,
    ) -> Cell<'c>
    where
        'a: 'c,
    {
        match self {
            Self::Text(array) if array.is_valid(index) => text_cell(array.value(index), column, problem),
            Self::Bytes(array) if array.is_valid(index) => bytes_cell(array.value(index), column, scratch, problem),
            Self::Text(_) | Self::Bytes(_) => null_cell(column, problem),
            Self::Other(array) => other_cell(*array, index, column, problem),
        }
    }
}

fn other_cell<'c>(array: &dyn Array, index: usize, column: &PlanColumn, problem: &mut Problem) -> Cell<'c> {
    let mut budget = Budget { left: MAX_CELL_BYTES };
    match budget.value(array, index) {
        Ok(Value::Null) => null_cell(column, problem),
        Ok(clips) if column.role == Role::Clips => checked_clips(clips, column, problem),
        Ok(value) => Cell::Json(value),
        Err(TooLarge) => {
            note_cut(column, problem);
            Cell::Null
        }
    }
}

struct TooLarge;

/// What may still be added to a value.
struct Budget {
    left: usize,
}

/// What a number, a list or a key costs beside its text.
const NODE_BYTES: usize = 8;

impl Budget {
    fn take(&mut self, bytes: usize) -> Result<(), TooLarge> {
        self.left = self.left.checked_sub(bytes).ok_or(TooLarge)?;
        Ok(())
    }

    /// The value as JSON. NaN and the infinities, which JSON does not have, become null.
    fn value(&mut self, array: &dyn Array, index: usize) -> Result<Value, TooLarge> {
        if array.is_null(index) {
            return Ok(Value::Null);
        }
        self.take(NODE_BYTES)?;
        use DataType::*;
        Ok(match array.data_type() {
            Boolean => array.as_boolean().value(index).into(),
            Int8 => array.as_primitive::<Int8Type>().value(index).into(),
            Int16 => array.as_primitive::<Int16Type>().value(index).into(),
            Int32 => array.as_primitive::<Int32Type>().value(index).into(),
            Int64 => array.as_primitive::<Int64Type>().value(index).into(),
            UInt8 => array.as_primitive::<UInt8Type>().value(index).into(),
            UInt16 => array.as_primitive::<UInt16Type>().value(index).into(),
            UInt32 => array.as_primitive::<UInt32Type>().value(index).into(),
            UInt64 => array.as_primitive::<UInt64Type>().value(index).into(),
            Float16 => array.as_primitive::<Float16Type>().value(index).to_f64().into(),
            Float32 => f64::from(array.as_primitive::<Float32Type>().value(index)).into(),
            Float64 => array.as_primitive::<Float64Type>().value(index).into(),
            Decimal32(p, s) => decimal(array.as_primitive::<Decimal32Type>().value_as_string(index), *p, *s),
            Decimal64(p, s) => decimal(array.as_primitive::<Decimal64Type>().value_as_string(index), *p, *s),
            Decimal128(p, s) => decimal(array.as_primitive::<Decimal128Type>().value_as_string(index), *p, *s),
            Decimal256(p, s) => decimal(array.as_primitive::<Decimal256Type>().value_as_string(index), *p, *s),
            Utf8 => self.text(array.as_string::<i32>().value(index))?,
            LargeUtf8 => self.text(array.as_string::<i64>().value(index))?,
            Utf8View => self.text(array.as_string_view().value(index))?,
            Binary => self.bytes(array.as_binary::<i32>().value(index))?,
            LargeBinary => self.bytes(array.as_binary::<i64>().value(index))?,
            BinaryView => self.bytes(array.as_binary_view().value(index))?,
            FixedSizeBinary(_) => {
                let bytes = array.as_fixed_size_binary().value(index);
                self.take(bytes.len() * 2)?;
                hex(bytes).into()
            }
            List(_) => self.list(array.as_list::<i32>().value(index).as_ref())?,
            LargeList(_) => self.list(array.as_list::<i64>().value(index).as_ref())?,
            FixedSizeList(..) => self.list(array.as_fixed_size_list().value(index).as_ref())?,
            Struct(_) => self.structure(array, index)?,
            Map(..) => self.map(array, index)?,
            _ => time(array, index).into(),
        })
    }

    fn text(&mut self, text: &str) -> Result<Value, TooLarge> {
        self.take(text.len())?;
        Ok(text.into())
    }

    /// Bytes within lists and structs, where a row's problem would not say which: text, with replacement characters.
    fn bytes(&mut self, bytes: &[u8]) -> Result<Value, TooLarge> {
        self.take(bytes.len())?;
        Ok(String::from_utf8_lossy(bytes).into())
    }

    fn list(&mut self, items: &dyn Array) -> Result<Value, TooLarge> {
        let values: Result<Vec<_>, _> = (0..items.len()).map(|index| self.value(items, index)).collect();
        Ok(Value::Array(values?))
    }

    fn structure(&mut self, array: &dyn Array, index: usize) -> Result<Value, TooLarge> {
        let array = array.as_struct();
        let mut object = Map::new();
        for (field, values) in array.fields().iter().zip(array.columns()) {
            self.take(field.name().len())?;
            object.insert(field.name().clone(), self.value(values.as_ref(), index)?);
        }
        Ok(Value::Object(object))
    }

    fn map(&mut self, array: &dyn Array, index: usize) -> Result<Value, TooLarge> {
        let entries = array.as_map().value(index);
        let (Some(keys), Some(values)) = (entries.columns().first(), entries.columns().get(1)) else {
            return Ok(Value::Null);
        };
        let mut object = Map::new();
        for entry in 0..entries.len() {
            let key = match self.value(keys.as_ref(), entry)? {
                Value::String(key) => key,
                other => other.to_string(),
            };
            object.insert(key, self.value(values.as_ref(), entry)?);
        }
        Ok(Value::Object(object))
    }
}

fn decimal(text: String, precision: u8, scale: i8) -> Value {
    let number = match decimal_kind(precision, scale) {
        ColumnKind::Integer => text.parse::<i64>().ok().map(Value::from),
        ColumnKind::Float => text.parse::<f64>().ok().map(Value::from),
        _ => None,
    };
    number.unwrap_or_else(|| text.into())
}

/// Dates and times as ISO 8601 text; null for a moment that the calendar library cannot tell (beyond year 262,000).
fn time(array: &dyn Array, index: usize) -> Option<String> {
    use DataType::*;
    match array.data_type() {
        Date32 => printed(array.as_primitive::<Date32Type>().value_as_date(index)),
        Date64 => printed(array.as_primitive::<Date64Type>().value_as_date(index)),
        Time32(TimeUnit::Second) => printed(array.as_primitive::<Time32SecondType>().value_as_time(index)),
        Time32(_) => printed(array.as_primitive::<Time32MillisecondType>().value_as_time(index)),
        Time64(TimeUnit::Microsecond) => printed(array.as_primitive::<Time64MicrosecondType>().value_as_time(index)),
        Time64(_) => printed(array.as_primitive::<Time64NanosecondType>().value_as_time(index)),
        Timestamp(unit, zone) => {
            let moment = match unit {
                TimeUnit::Second => array.as_primitive::<TimestampSecondType>().value_as_datetime(index),
                TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().value_as_datetime(index),
                TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().value_as_datetime(index),
                TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().value_as_datetime(index),
            };
            // Parquet stores a moment (UTC) or a wall-clock time, never a zone.
            let zone = if zone.is_some() { "Z" } else { "" };
            moment.map(|moment| format!("{}{zone}", moment.format("%Y-%m-%dT%H:%M:%S%.f")))
        }
        _ => None,
    }
}

fn printed<T: ToString>(value: Option<T>) -> Option<String> {
    value.map(|value| value.to_string())
}
