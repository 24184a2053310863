//! Deserialises a tree of [`Node`]s, so that a wrong type is reported at its own line.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::error::{At, Problem};
use super::node::{Entry, Node, Value};
use super::tree::nearest;

impl std::error::Error for Problem {}

impl Error for Problem {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Problem::new("", At::Nowhere, message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        let wanted = in_words(&wanted.to_string());
        let problem = Problem::new("", At::Nowhere, format!("expected {wanted}, found {}", found_words(&found)));
        match found {
            Unexpected::Str(text) if wanted.contains("number") && text.trim().parse::<f64>().is_ok() => {
                problem.help("write the number without quotes and without leading zeros")
            }
            Unexpected::Float(number) if wanted.contains("whole number") && number.fract() == 0.0 => {
                problem.help("write it without a decimal point or an exponent")
            }
            Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) | Unexpected::Bool(_)
                if wanted.contains("text") || wanted.contains("path") =>
            {
                problem.help("put it in quotes to make it text")
            }
            _ => problem,
        }
    }

    fn invalid_value(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::invalid_type(found, wanted)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let problem = Problem::new("", At::Nowhere, format!("`{variant}` is not available"));
        let list = expected.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        match nearest(variant, expected.iter().copied()) {
            Some(near) => problem.help(format!("did you mean `{near}`? available: {list}")),
            None => problem.help(format!("available in this version: {list}")),
        }
    }
}

/// Rust's names for types, in the words of a config.
fn in_words(wanted: &str) -> String {
    match wanted {
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "u64" => "a whole number from 0".into(),
        "i64" => "a whole number".into(),
        "f64" => "a number".into(),
        "a boolean" => "true or false".into(),
        "a string" => "text".into(),
        "path string" => "a path".into(),
        "a sequence" => "a list".into(),
        "a map" => "a mapping".into(),
        "struct Config" => "the sections job, subsampling, reading, storage, distribution".into(),
        other if other.starts_with("struct ") => "a mapping with keys".into(),
        other => other.to_owned(),
    }
}

fn found_words(found: &Unexpected<'_>) -> String {
    match found {
        Unexpected::Str("") => "an empty text".into(),
        Unexpected::Str(text) => format!("the text `{text}`"),
        Unexpected::Unsigned(number) => format!("the number {number}"),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Float(number) => format!("the number {number:?}"),
        Unexpected::Bool(value) => format!("{value}"),
        Unexpected::Seq => "a list".into(),
        Unexpected::Map => "a mapping".into(),
        Unexpected::Unit | Unexpected::Option => "null".into(),
        other => other.to_string(),
    }
}

impl Problem {
    /// Sets the place once, at the innermost node, and builds the key on the way out.
    fn within(mut self, name: &str, at: At) -> Self {
        if self.at == At::Nowhere {
            self.at = at;
        }
        self.key = if self.key.is_empty() { name.to_owned() } else { format!("{name}.{}", self.key) };
        self
    }
}

impl<'de> Deserializer<'de> for &Node {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        let outcome = match &self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(value) => visit_integer(*value, visitor),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(text) => visitor.visit_str(text),
            Value::List(items) => visitor.visit_seq(Items(items.iter())),
            Value::Map(entries) => visitor.visit_map(Entries { rest: entries.iter(), current: None }),
        };
        outcome.map_err(|problem| if problem.at == At::Nowhere { Problem { at: self.at, ..problem } } else { problem })
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        // YAML 1.1, and with it PyYAML, has these words too.
        match &self.value {
            Value::Text(text) if ["yes", "on"].iter().any(|word| text.eq_ignore_ascii_case(word)) => {
                visitor.visit_bool(true)
            }
            Value::Text(text) if ["no", "off"].iter().any(|word| text.eq_ignore_ascii_case(word)) => {
                visitor.visit_bool(false)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        if self.value == Value::Null { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        if self.value == Value::Null {
            return visitor.visit_map(Entries { rest: [].iter(), current: None });
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        let outcome = match &self.value {
            Value::Text(text) => visitor.visit_enum(Word(text)),
            _ => Err(Problem::invalid_type(self.unexpected(), &"one word")),
        };
        outcome.map_err(|problem| at(problem, self.at))
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

fn at(problem: Problem, place: At) -> Problem {
    Problem { at: if problem.at == At::Nowhere { place } else { problem.at }, ..problem }
}

impl Node {
    fn unexpected(&self) -> Unexpected<'_> {
        match &self.value {
            Value::Null => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Int(value) => i64::try_from(*value).map_or(Unexpected::Other("a number"), Unexpected::Signed),
            Value::Float(value) => Unexpected::Float(*value),
            Value::Text(text) => Unexpected::Str(text),
            Value::List(_) => Unexpected::Seq,
            Value::Map(_) => Unexpected::Map,
        }
    }
}

fn visit_integer<'de, V: Visitor<'de>>(value: i128, visitor: V) -> Result<V::Value, Problem> {
    if let Ok(value) = u64::try_from(value) {
        visitor.visit_u64(value)
    } else if let Ok(value) = i64::try_from(value) {
        visitor.visit_i64(value)
    } else {
        Err(Problem::custom(format!("the number {value} is too large")))
    }
}

struct Items<'a>(std::slice::Iter<'a, Node>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Problem;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Problem> {
        self.0.next().map(|node| seed.deserialize(node)).transpose()
    }
}

struct Entries<'a> {
    rest: std::slice::Iter<'a, Entry>,
    current: Option<&'a Entry>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Problem;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Problem> {
        self.current = self.rest.next();
        let Some(entry) = self.current else { return Ok(None) };
        let key = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|problem: Problem| at(problem, entry.key_at))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Problem> {
        let Some(entry) = self.current else { return Err(Problem::custom("a value without a key")) };
        seed.deserialize(&entry.node).map_err(|problem| problem.within(&entry.key, entry.node.at))
    }
}

/// A unit variant.
struct Word<'a>(&'a str);

impl<'de> EnumAccess<'de> for Word<'_> {
    type Error = Problem;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Problem> {
        let variant = seed.deserialize(self.0.into_deserializer())?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Word<'_> {
    type Error = Problem;

    fn unit_variant(self) -> Result<(), Problem> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _seed: T) -> Result<T::Value, Problem> {
        Err(Problem::custom("expected one word"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, _visitor: V) -> Result<V::Value, Problem> {
        Err(Problem::custom("expected one word"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Problem> {
        Err(Problem::custom("expected one word"))
    }
}
