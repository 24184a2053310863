//! A configuration as YAML that loads to the same configuration.

use std::fmt::Write;

use serde_json::{Map, Value as Json};

use super::expand::escape;
use super::{Config, keys};

/// Keys whose values are paths, where `$` has a meaning.
const PATHS: [&str; 7] = [
    "job.url_list",
    "job.output_folder",
    "job.tmp_dir",
    "telemetry.metrics_file",
    "reading.yt_args.program",
    "reading.yt_args.cookies",
    "reading.yt_args.cache_dir",
];

impl Config {
    /// The configuration as commented YAML, every key with its value.
    pub fn to_yaml(&self) -> String {
        let mut text = String::new();
        if let Ok(Json::Object(values)) = serde_json::to_value(self) {
            section(&mut text, "", 0, &values);
        }
        text
    }
}

fn section(text: &mut String, path: &str, depth: usize, values: &Map<String, Json>) {
    let indent = "  ".repeat(depth);
    for (name, value) in values {
        let full = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let key = keys::key(&full);
        if depth == 0 && !text.is_empty() {
            text.push('\n');
        }
        // Writing to a String cannot fail. What an open section holds beyond its own keys has no description.
        if let Some(key) = key {
            let _ = writeln!(text, "{indent}# {}", key.description);
        }
        match value {
            Json::Object(values) if key.is_some_and(|key| key.section) => {
                let _ = writeln!(text, "{indent}{name}:");
                section(text, &full, depth + 1, values);
            }
            value => {
                let _ = writeln!(text, "{indent}{}: {}", quoted(name), flow(&escaped(&full, value)));
            }
        }
    }
}

fn escaped(path: &str, value: &Json) -> Json {
    match value {
        Json::String(text) if PATHS.contains(&path) => Json::String(escape(text)),
        Json::Array(items) if PATHS.contains(&path) => items.iter().map(|item| escaped(path, item)).collect(),
        other => other.clone(),
    }
}

/// A value on one line.
fn flow(value: &Json) -> String {
    match value {
        Json::String(text) => quoted(text),
        Json::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Json::Object(map) => {
            let entries: Vec<String> =
                map.iter().map(|(key, value)| format!("{}: {}", quoted(key), flow(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

/// Plain where YAML cannot take it for anything but text, else in JSON's quotes, which YAML reads too.
fn quoted(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
    let word = text.to_ascii_lowercase();
    if plain && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&word.as_str()) {
        return text.to_owned();
    }
    let mut out = String::new();
    for c in Json::from(text).to_string().chars() {
        // Characters that JSON leaves as they are and YAML does not print.
        match c {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}
