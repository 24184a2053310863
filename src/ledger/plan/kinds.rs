//! The type of an untyped column, found out over the whole table.

use serde_json::Value;

use crate::sample::ColumnKind;

/// What the non-empty cells of a column have been so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Kinds(u8);

const INTEGER: u8 = 1;
const FLOAT: u8 = 2;
const BOOLEAN: u8 = 4;
const TEXT: u8 = 8;
const JSON: u8 = 16;

impl Kinds {
    /// Counts a cell of an untyped table.
    pub(super) fn add_text(&mut self, text: &str) {
        // Once a column is text, no cell can change it.
        if self.0 & (TEXT | JSON) == 0 {
            self.0 |= classify(text);
        }
    }

    /// Counts a cell of a typed table.
    pub(super) fn add_value(&mut self, value: &Value) {
        self.0 |= match value {
            Value::Null => 0,
            Value::Bool(_) => BOOLEAN,
            Value::Number(number) if number.is_i64() => INTEGER,
            Value::Number(_) => FLOAT,
            Value::String(_) => TEXT,
            Value::Array(_) | Value::Object(_) => JSON,
        };
    }

    /// The kind of the column, once all cells are in. `None` for a column without a value.
    pub(super) fn kind(self) -> Option<ColumnKind> {
        Some(match self.0 {
            0 => return None,
            INTEGER => ColumnKind::Integer,
            FLOAT => ColumnKind::Float,
            numbers if numbers == INTEGER | FLOAT => ColumnKind::Float,
            BOOLEAN => ColumnKind::Boolean,
            kinds if kinds & JSON != 0 => ColumnKind::Json,
            _ => ColumnKind::String,
        })
    }
}

/// Only what prints back the same is a number: `007` and `+5` are names.
fn classify(text: &str) -> u8 {
    let bytes = text.as_bytes();
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    match digits {
        [b'0'] if bytes.len() == 1 => INTEGER,
        [b'1'..=b'9', rest @ ..] if rest.iter().all(u8::is_ascii_digit) => {
            if text.parse::<i64>().is_ok() {
                INTEGER
            } else {
                TEXT
            }
        }
        [b'0', b'.', ..] | [b'1'..=b'9', ..] | [b'.', b'0'..=b'9', ..] => float(text),
        [b't' | b'T', ..] | [b'f' | b'F', ..] if boolean(text).is_some() => BOOLEAN,
        _ => TEXT,
    }
}

fn float(text: &str) -> u8 {
    let plain = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E'));
    match text.parse::<f64>() {
        Ok(value) if plain && value.is_finite() => FLOAT,
        _ => TEXT,
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// A stored text cell as its column's kind; unchanged where it does not fit.
pub(super) fn convert(cell: Value, kind: ColumnKind) -> Value {
    let Value::String(text) = &cell else {
        return match (kind, cell.as_i64()) {
            // An integer in a column of floats, as a typed table may hold it.
            (ColumnKind::Float, Some(integer)) => Value::from(integer as f64),
            _ => cell,
        };
    };
    let converted = match kind {
        ColumnKind::Integer => text.parse::<i64>().ok().map(Value::from),
        ColumnKind::Float => text.parse::<f64>().ok().filter(|value| value.is_finite()).map(Value::from),
        ColumnKind::Boolean => boolean(text).map(Value::from),
        ColumnKind::String | ColumnKind::Json => None,
    };
    converted.unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(cells: &[&str]) -> Option<ColumnKind> {
        let mut kinds = Kinds::default();
        cells.iter().for_each(|cell| kinds.add_text(cell));
        kinds.kind()
    }

    #[test]
    fn columns_are_what_all_cells_are() {
        assert_eq!(kind(&[]), None);
        assert_eq!(kind(&["0", "-12", "9223372036854775807"]), Some(ColumnKind::Integer));
        assert_eq!(kind(&["0", "1.5", "-.5", "1e3", "0.25"]), Some(ColumnKind::Float));
        assert_eq!(kind(&["true", "False", "TRUE"]), Some(ColumnKind::Boolean));
        for text in
            ["007", "+5", "-0", "9223372036854775808", "nan", "inf", "1e999", "1.2.3", "0x10", "1_0", "tru", " 1"]
        {
            assert_eq!(kind(&[text]), Some(ColumnKind::String), "{text}");
            assert_eq!(kind(&["1", text, "2"]), Some(ColumnKind::String), "{text}");
        }
        assert_eq!(kind(&["1", "true"]), Some(ColumnKind::String));
    }

    #[test]
    fn cells_become_their_kind() {
        let text = |text: &str| Value::from(text);
        assert_eq!(convert(text("12"), ColumnKind::Integer), Value::from(12));
        assert_eq!(convert(text("12"), ColumnKind::Float), Value::from(12.0));
        assert_eq!(convert(Value::from(12), ColumnKind::Float), Value::from(12.0));
        assert_eq!(convert(text("True"), ColumnKind::Boolean), Value::from(true));
        assert_eq!(convert(text("12"), ColumnKind::String), text("12"));
        assert_eq!(convert(Value::Null, ColumnKind::Integer), Value::Null);
    }
}
