//! Values that may be written in more than one form.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{Deserializer, Error, SeqAccess, Unexpected, Visitor};

/// One path or several.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes the accepted forms to schemars")]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// A count of bytes.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes the accepted forms to schemars")]
pub(super) enum Size {
    Bytes(u64),
    Text(String),
}

pub(super) fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct Forms;
    impl<'de> Visitor<'de> for Forms {
        type Value = Vec<String>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a path or a list of paths")
        }
        fn visit_str<E>(self, one: &str) -> Result<Self::Value, E> {
            Ok(vec![one.to_owned()])
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut many = Vec::new();
            while let Some(item) = seq.next_element()? {
                many.push(item);
            }
            Ok(many)
        }
    }
    deserializer.deserialize_any(Forms)
}

pub(super) fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    struct Forms;
    impl Visitor<'_> for Forms {
        type Value = u64;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number of bytes, or text such as `256MB` (10^6 bytes) or `1GiB` (2^30 bytes)")
        }
        fn visit_u64<E>(self, bytes: u64) -> Result<u64, E> {
            Ok(bytes)
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
            parse_size(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
        }
    }
    deserializer.deserialize_any(Forms)
}

/// `256MB`, `1.5 GiB`, `4096B`. A bare `256M` is refused: it is 2^20 to some tools and 10^6 to others.
fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit_at);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return None,
    };
    let number = number.trim();
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor);
    }
    let decimal = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let bytes = number.parse::<f64>().ok().filter(|_| decimal)? * factor as f64;
    // Above 2^53 a fraction of a byte count has no exact value.
    (bytes < 9e15).then_some(bytes.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, want) in [
            ("256MB", Some(256_000_000)),
            ("1GiB", Some(1 << 30)),
            (" 1.5 gib ", Some(3 << 29)),
            ("0B", Some(0)),
            ("16777216TiB", None),
            ("256M", None),
            ("MB", None),
            ("-1MB", None),
            ("1e3MB", None),
            ("256", None),
            ("", None),
        ] {
            assert_eq!(parse_size(text), want, "{text}");
        }
    }
}
