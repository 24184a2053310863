//! How far an attempt got.

use serde::{Deserialize, Serialize};

/// The state that a later attempt can go on from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Rows of the shard that are wholly in the files.
    pub rows: u32,
    pub files: Vec<Prefix>,
}

/// The first bytes of a partial file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prefix {
    /// What follows the attempt in the file's name: `tar`.
    pub suffix: String,
    /// Bytes.
    pub len: u64,
    /// Of these bytes.
    #[serde(with = "as_hex")]
    pub sha256: [u8; 32],
}

mod as_hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&crate::sample::hex(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(deserializer)?;
        decode(&text).ok_or_else(|| D::Error::custom("expected 64 hex digits"))
    }

    fn decode(text: &str) -> Option<[u8; 32]> {
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        Some(bytes)
    }
}
