//! One object: the needed fields of it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::sample::{Cell, FailureClass};

use super::super::super::cells::{MAX_CELL_BYTES, Problem, checked_clips, note_cut, null_cell, text_cell};
use super::super::super::{PlanColumn, Role};

/// The needed fields of an object.
#[derive(Debug)]
pub struct Record {
    /// As the wanted names.
    values: Vec<Option<Value>>,
    /// All names of the object.
    pub names: Vec<String>,
    /// Bytes of the object's text, at most.
    pub bytes: usize,
}

impl Record {
    pub fn empty(wanted: usize) -> Self {
        Self { values: vec![None; wanted], names: Vec::new(), bytes: 0 }
    }

    pub fn value(&self, at: usize) -> Option<&Value> {
        self.values.get(at)?.as_ref()
    }
}

/// Reads a record of these names from any JSON value; what is no object is told by its name.
pub struct Wanted<'w> {
    pub names: &'w [String],
    /// Whether [`Record::names`] is asked for.
    pub all_names: bool,
}

impl<'de> DeserializeSeed<'de> for Wanted<'_> {
    type Value = Result<Record, &'static str>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = Result<Record, &'static str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut record = Record::empty(self.names.len());
        // A name that stands there twice has the last value, as in Python.
        while let Some(name) = fields.next_key::<String>()? {
            match self.names.iter().position(|wanted| *wanted == name) {
                Some(at) => {
                    let value = fields.next_value()?;
                    if let Some(slot) = record.values.get_mut(at) {
                        *slot = Some(value);
                    }
                }
                None => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
            if self.all_names {
                record.names.push(name);
            }
        }
        Ok(Ok(record))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Err("a list"))
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Err("text"))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Err("true or false"))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Err("a number"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Err("a number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Err("a number"))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Err("null"))
    }
}

/// What a value is, for people.
pub fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The cell that a field stands for; `bytes` is what its record has at most.
pub fn cell<'a>(value: Option<&'a Value>, bytes: usize, column: &PlanColumn, problem: &mut Problem) -> Cell<'a> {
    match (value, column.role) {
        (None | Some(Value::Null), _) => null_cell(column, problem),
        (Some(Value::String(text)), Role::Url | Role::Caption | Role::Clips) => text_cell(text, column, problem),
        (Some(Value::String(text)), Role::Additional) => match text_cell(text, column, problem) {
            // The type is the file's: digits in quotes are text.
            Cell::Text(text) => Cell::Json(text.into()),
            other => other,
        },
        (Some(value), Role::Url | Role::Caption) => {
            problem.cell(column, FailureClass::BadRow, format_args!("is {}, not text", name_of(value)));
            Cell::Null
        }
        (Some(value), Role::Clips | Role::Additional) => {
            if bytes > MAX_CELL_BYTES && value.to_string().len() > MAX_CELL_BYTES {
                note_cut(column, problem);
                return Cell::Null;
            }
            match column.role {
                Role::Clips => checked_clips(value.clone(), column, problem),
                _ => Cell::Json(value.clone()),
            }
        }
    }
}
