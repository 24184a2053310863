//! A small language for conditions on a sample's JSON: `duration >= 2 and motion > 0.03`.
//!
//! ```text
//! or         = and { "or" and }
//! and        = not { "and" not }
//! not        = "not" not | comparison
//! comparison = sum [ ("==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not" "in") sum ]
//! sum        = product { ("+" | "-") product }
//! product    = unary { ("*" | "/") unary }
//! unary      = "-" unary | primary
//! primary    = number | text | "true" | "false" | "null" | "(" or ")" | "[" [ or { "," or } ] "]"
//!            | ("len" | "lower" | "contains" | "has") "(" or { "," or } ")"
//!            | name { "." name | "[" digits "]" }
//! ```
//!
//! It can neither loop nor call anything, and its size and depth are limited, so that each evaluation is short. What can
//! be known to be wrong without a sample is an error of the parser. What it means is written in doc/subsamplers.md.

mod eval;
mod kind;
mod lex;
mod parse;
mod print;
#[cfg(test)]
mod tests;
mod tree;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use tree::Expr;

/// A condition that was found good.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    /// As it was written.
    text: String,
    root: Expr,
}

/// Why a text is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct SyntaxError {
    /// Characters, from 1.
    pub column: usize,
    pub message: String,
}

/// Values of a sample that an operator cannot work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{part}` cannot be worked out: {what}")]
pub struct Clash {
    /// The part of the expression.
    pub part: String,
    pub what: String,
}

impl Expression {
    /// Reads a condition.
    ///
    /// # Errors
    /// Where it breaks the grammar or a limit, or combines what can never be combined.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        Ok(Self { text: text.to_owned(), root: parse::parse(text)? })
    }

    /// Whether a sample with these fields meets the condition. What is missing meets none.
    ///
    /// # Errors
    /// A value is of a kind that its operator cannot work with.
    pub fn holds(&self, meta: &Map<String, Value>) -> Result<bool, Clash> {
        eval::holds(&self.root, meta)
    }

    /// The fields that it looks at, by their first name, in no particular order; some more than once.
    pub fn fields(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.root.visit(&mut |part| {
            if let Expr::Path(path) = part {
                names.push(path.root.as_str());
            }
        });
        names
    }
}

/// In the fewest brackets.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
