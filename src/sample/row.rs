//! One row of the input table.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Failure;

/// The type of a table column over the whole table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    String,
    Integer,
    Float,
    Boolean,
    /// Lists, structs, or a mix: kept as JSON.
    Json,
}

/// A column as samples carry it: the name is the one in a sample's JSON (`url`, `caption`, `clips`, or the additional
/// column's own name).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    pub kind: ColumnKind,
}

/// Fields that every sample's JSON has, or may have, whatever the table holds: no additional column can be called so.
pub const RESERVED_FIELDS: [&str; 8] =
    ["key", "status", "error_message", "error_class", "yt_meta_dict", "clips", "caption", "url"];

/// One input row, in the plan's column order: additional columns first, then `clips`, `caption`, `url`.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Position within its shard, from 0.
    pub index: u32,
    /// One value per plan column; `Null` where the table had nothing.
    pub cells: Vec<Value>,
    /// Set when the row itself is unusable (invalid UTF-8, too few fields): the sample fails with it, unfetched.
    pub problem: Option<Failure>,
}
