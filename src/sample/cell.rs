//! One cell of the input table, on its way into the plan.

/// A cell, borrowed where it can be.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    /// The table had nothing here.
    Null,
    /// Text of an untyped table: its type is decided over the whole table.
    Text(&'a str),
    /// A typed value.
    Json(serde_json::Value),
}
