//! A YAML document as a tree whose every node knows where it was written.

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use super::error::{At, Span};

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub value: Value,
    pub at: At,
}

/// What YAML can say in a config. Numbers keep their kind, so that `"5"` is never taken for `5`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key of a mapping, with its own place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub key: String,
    pub key_at: At,
    pub node: Node,
}

impl Node {
    pub fn null(at: At) -> Self {
        Self { value: Value::Null, at }
    }

    /// The node at a dotted key; items of a list by number.
    pub fn find(&self, key: &str) -> Option<&Node> {
        key.split('.').try_fold(self, |node, name| node.child(name))
    }

    /// The direct child of that name.
    pub fn child(&self, name: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == name).map(|entry| &entry.node),
            Value::List(items) => items.get(name.parse::<usize>().ok()?),
            _ => None,
        }
    }

    /// Where to look for the value at a dotted key: at its name, where a block begins on a later line.
    pub fn place_of(&self, key: &str) -> Option<At> {
        let node = self.find(key)?;
        let (above, name) =
            key.rsplit_once('.').map_or((self, key), |(above, name)| (self.find(above).unwrap_or(self), name));
        let Value::Map(entries) = &above.value else { return Some(node.at) };
        let named = entries.iter().find(|entry| entry.key == name).map(|entry| entry.key_at);
        match (named, node.at) {
            (Some(At::File(key)), At::File(value)) if key.line < value.line => Some(At::File(key)),
            _ => Some(node.at),
        }
    }

    /// Replaces all places by `at`: what an override says has no line of its own.
    pub fn relocate(&mut self, at: At) {
        self.at = at;
        match &mut self.value {
            Value::List(items) => items.iter_mut().for_each(|item| item.relocate(at)),
            Value::Map(entries) => entries.iter_mut().for_each(|entry| {
                entry.key_at = at;
                entry.node.relocate(at);
            }),
            _ => {}
        }
    }
}

/// The parser's place as ours.
pub(super) fn place(location: Location) -> At {
    if location.line() == 0 {
        return At::Nowhere;
    }
    At::File(Span { line: location.line(), column: location.column(), len: location.span().len() })
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        // The definition, not the alias that led to it: that is the line to correct.
        Ok(Node { value: spanned.value, at: place(spanned.defined) })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Int(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Value, E> {
        i128::try_from(value).map(Value::Int).map_err(|_| E::custom("this number is too large"))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let node = map.next_value()?;
            entries.push(Entry { key: key.value, key_at: place(key.defined), node });
        }
        Ok(Value::Map(entries))
    }
}
