//! A configuration as YAML that loads to the same configuration.

use std::fmt::Write;

use serde_json::Value as Json;

use super::expand::escape;
use super::{Config, keys};

/// Keys whose values are paths, where `$` has a meaning.
const PATHS: [&str; 3] = ["job.url_list", "job.output_folder", "job.tmp_dir"];

impl Config {
    /// The configuration as commented YAML, every key with its value.
    pub fn to_yaml(&self) -> String {
        let values = serde_json::to_value(self).unwrap_or(Json::Null);
        let mut text = String::new();
        for key in keys::keys() {
            let value = key.path.split('.').try_fold(&values, |value, name| value.get(name));
            // A section that is null has no keys to show.
            let Some(value) = value else { continue };
            let depth = key.path.matches('.').count();
            let indent = "  ".repeat(depth);
            let name = key.path.rsplit('.').next().unwrap_or(&key.path);
            if depth == 0 && !text.is_empty() {
                text.push('\n');
            }
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{indent}# {}", key.description);
            let _ = match key.section && !value.is_null() {
                true => writeln!(text, "{indent}{name}:"),
                false => writeln!(text, "{indent}{name}: {}", flow(&escaped(&key.path, value))),
            };
        }
        text
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
