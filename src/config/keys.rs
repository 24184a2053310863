//! Every key that exists, taken from the schema: for the nearest valid key, for comments and for the manual.

use std::sync::LazyLock;

use serde_json::Value as Json;

/// One key of the configuration.
#[derive(Debug, Clone)]
pub struct Key {
    /// Dotted: `reading.timeout`.
    pub path: String,
    /// Holds further keys; has no value of its own.
    pub section: bool,
    /// A section that takes names beyond its own.
    pub open: bool,
    /// `null` means something of its own here, not "the default".
    pub nullable: bool,
    /// What may stand there, in words: `integer, 1 to 12`.
    pub kind: String,
    /// JSON; null for sections and where there is none.
    pub default: Json,
    /// From the schema, on one line.
    pub description: String,
    /// Numbers must be at least, more than, at most.
    pub(super) range: Range,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Range {
    pub least: Option<f64>,
    pub above: Option<f64>,
    pub most: Option<f64>,
}

/// All keys, sections before what they hold, in the schema's order.
pub fn keys() -> &'static [Key] {
    static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| keys_of(&super::schema()));
    &KEYS
}

/// All keys of a schema, such as those of the subsamplers.
pub fn keys_of(schema: &Json) -> Vec<Key> {
    let mut keys = Vec::new();
    collect(schema, schema, "", &mut keys);
    keys
}

pub(super) fn key(path: &str) -> Option<&'static Key> {
    keys().iter().find(|key| key.path == path)
}

/// The names that a section holds; of the document for "".
pub(super) fn names(section: &str) -> impl Iterator<Item = &'static str> {
    let prefix = if section.is_empty() { String::new() } else { format!("{section}.") };
    keys().iter().filter_map(move |key| key.path.strip_prefix(&prefix)).filter(|name| !name.contains('.'))
}

fn collect(root: &Json, section: &Json, prefix: &str, keys: &mut Vec<Key>) {
    let Some(properties) = section.get("properties").and_then(Json::as_object) else { return };
    for (name, property) in properties {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let body = body(root, property);
        let holds_keys = body.get("properties").is_some();
        keys.push(Key {
            section: holds_keys,
            open: holds_keys && body.get("additionalProperties") != Some(&Json::Bool(false)),
            nullable: nullable(root, property),
            kind: kind(root, property),
            default: if holds_keys { Json::Null } else { property.get("default").cloned().unwrap_or(Json::Null) },
            description: description(property, body),
            range: range(property).or(range(body)),
            path: path.clone(),
        });
        collect(root, body, &path, keys);
    }
}

/// The schema behind a reference.
fn referred<'a>(root: &'a Json, schema: &'a Json) -> &'a Json {
    let target = schema.get("$ref").and_then(Json::as_str).and_then(|target| target.strip_prefix('#'));
    target.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

/// The schema behind a reference, and behind "or null".
fn body<'a>(root: &'a Json, schema: &'a Json) -> &'a Json {
    let options = schema.get("anyOf").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    match options {
        [one, null] if is_null(null) => referred(root, one),
        _ => referred(root, schema),
    }
}

fn is_null(schema: &Json) -> bool {
    schema.get("type").and_then(Json::as_str) == Some("null")
}

fn nullable(root: &Json, schema: &Json) -> bool {
    let schema = referred(root, schema);
    if let Some(options) = schema.get("anyOf").and_then(Json::as_array) {
        return options.iter().any(|option| nullable(root, option));
    }
    match schema.get("type") {
        Some(Json::Array(types)) => types.iter().any(|name| name == "null"),
        Some(name) => name == "null",
        // No type at all: anything goes; an enumeration of words has `oneOf` or `enum` instead.
        None => ["oneOf", "enum"].iter().all(|word| schema.get(*word).is_none()),
    }
}

fn description(property: &Json, body: &Json) -> String {
    let text = property.get("description").or_else(|| body.get("description")).and_then(Json::as_str).unwrap_or("");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn range(schema: &Json) -> Range {
    let number = |word| schema.get(word).and_then(Json::as_f64);
    Range { least: number("minimum"), above: number("exclusiveMinimum"), most: number("maximum") }
}

fn kind(root: &Json, property: &Json) -> String {
    let body = body(root, property);
    let mut text = plain_kind(root, body);
    let bounds = range(property).or(range(body)).to_string();
    if !bounds.is_empty() {
        text = format!("{text}, {bounds}");
    }
    if nullable(root, property) && text != "anything" {
        text.push_str(", or null");
    }
    text
}

fn plain_kind(root: &Json, schema: &Json) -> String {
    if schema.get("properties").is_some() {
        return "section".into();
    }
    if let Some(words) = words(schema) {
        return words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    }
    if let Some(options) = schema.get("anyOf").and_then(Json::as_array) {
        return options.iter().map(|one| plain_kind(root, body(root, one))).collect::<Vec<_>>().join(" or ");
    }
    let name = match schema.get("type") {
        Some(Json::Array(types)) => types.iter().find(|name| *name != "null").and_then(Json::as_str),
        Some(Json::String(name)) => Some(name.as_str()),
        _ => None,
    };
    match name {
        Some("string") => "text".into(),
        Some("boolean") => "true or false".into(),
        Some("object") => "mapping".into(),
        Some("array") => "list".into(),
        Some(other) => other.into(),
        None => "anything".into(),
    }
}

/// The words of an enumeration, with or without a description each.
fn words(schema: &Json) -> Option<Vec<&str>> {
    if let Some(words) = schema.get("enum").and_then(Json::as_array) {
        return Some(words.iter().filter_map(Json::as_str).collect());
    }
    let options = schema.get("oneOf").and_then(Json::as_array)?;
    Some(options.iter().filter_map(|one| one.get("const").and_then(Json::as_str)).collect())
}

impl Range {
    fn or(self, other: Range) -> Range {
        if self == Range::default() { other } else { self }
    }

    pub fn holds(self, number: f64) -> bool {
        self.least.is_none_or(|least| number >= least)
            && self.above.is_none_or(|above| number > above)
            && self.most.is_none_or(|most| number <= most)
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.least, self.above, self.most) {
            (Some(least), _, Some(most)) => write!(f, "{least} to {most}"),
            (_, Some(above), Some(most)) => write!(f, "more than {above}, at most {most}"),
            (Some(least), _, None) => write!(f, "at least {least}"),
            (_, Some(above), None) => write!(f, "more than {above}"),
            (None, None, Some(most)) => write!(f, "at most {most}"),
            (None, None, None) => Ok(()),
        }
    }
}
