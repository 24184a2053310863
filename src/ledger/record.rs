//! The commit record: what the ledger reads and writes of a shard's `_stats.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Format of the `clipmill` object.
pub const RECORD_VERSION: u32 = 1;

/// One file of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    pub bytes: u64,
    /// Hex.
    pub sha256: String,
}

/// The `clipmill` object of a `_stats.json`. A writer may add fields of its own to it; they are left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitRecord {
    pub version: u32,
    pub plan_hash: String,
    /// 0, or the retry that wrote the shard.
    pub generation: u32,
    pub attempt: u32,
    /// The owner's nonce, hex: with generation and attempt it names the partial files.
    pub nonce: String,
    /// Final name (`00000.tar`) to what it holds.
    pub files: BTreeMap<String, FileRecord>,
}

/// What must stand in a `_stats.json` for its shard to be done.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Committed {
    /// Samples in the shard.
    pub count: u64,
    pub successes: u64,
    /// Failure class to number of samples.
    #[serde(default)]
    pub status_dict: BTreeMap<String, u64>,
    pub clipmill: CommitRecord,
}

/// What a stats file turned out to be.
#[derive(Debug)]
pub(super) enum Parsed {
    Ours(Box<Committed>),
    /// Whole JSON, and not a commit record.
    Foreign(String),
    /// No JSON: cut in half, or empty.
    Broken(String),
}

pub(super) fn parse(name: &str, bytes: &[u8]) -> Parsed {
    let value: serde_json::Value = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(error) => return Parsed::Broken(error.to_string()),
    };
    match serde_json::from_value::<Committed>(value) {
        Ok(committed) if committed.clipmill.version > RECORD_VERSION => {
            Parsed::Foreign(format!("format {} is newer than this clipmill", committed.clipmill.version))
        }
        Ok(committed) => match committed.clipmill.files.keys().find(|file| extension(name, file).is_none()) {
            Some(file) => Parsed::Foreign(format!("it names `{file}`, which is no file of this shard")),
            None => Parsed::Ours(Box::new(committed)),
        },
        Err(error) => Parsed::Foreign(error.to_string()),
    }
}

/// The extension of a shard's file: `tar` of `00000.tar`. `None` for a name that could lead anywhere else.
pub(super) fn extension<'a>(name: &str, file: &'a str) -> Option<&'a str> {
    let extension = file.strip_prefix(name)?.strip_prefix('.')?;
    let plain = !extension.is_empty() && extension.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    plain.then_some(extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_lead_out_of_the_shard() {
        assert_eq!(extension("00001", "00001.tar"), Some("tar"));
        for bad in ["00001", "00001.", "00002.tar", "00001./../x", "00001.a/b", "../00001.tar"] {
            assert_eq!(extension("00001", bad), None, "{bad}");
        }
    }

    #[test]
    fn cut_files_are_broken_and_others_are_foreign() {
        let whole = br#"{"count":2,"successes":1,"clipmill":{"version":1,"plan_hash":"p","generation":0,"attempt":1,
            "nonce":"00","files":{"00001.tar":{"bytes":3,"sha256":"ab"}},"more":true},"duration":0.5}"#;
        assert!(matches!(parse("00001", whole), Parsed::Ours(_)));
        for cut in 0..whole.len() {
            assert!(matches!(parse("00001", &whole[..cut]), Parsed::Broken(_)), "cut at {cut}");
        }
        assert!(matches!(parse("00001", b"{\"count\":2,\"successes\":1}"), Parsed::Foreign(_)));
        assert!(matches!(parse("00002", whole), Parsed::Foreign(_)));
    }
}
