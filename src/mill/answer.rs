//! What goes into the pool, and what comes out.

use serde_json::{Map, Value};

use crate::sample::{Failure, Payload, Status, Usage};

/// One sample for a worker.
#[derive(Debug)]
pub struct Request {
    /// The whole media. Consumed: where it is still wanted, it is among the outputs.
    pub media: Payload,
    /// What to make of it. The pool does not look inside.
    pub recipe: Value,
    /// The sample's JSON fields so far.
    pub meta: Map<String, Value>,
}

/// What became of a sample.
#[derive(Debug, Default)]
pub struct Answer {
    /// What was made, in order. Empty on a failure.
    pub outputs: Vec<Output>,
    /// Why nothing was made.
    pub failure: Option<Failure>,
    /// On which processors it was made, all attempts together.
    pub usage: Usage,
    /// The last lines that the worker's libraries logged.
    pub log: Vec<String>,
}

/// One output sample.
#[derive(Debug)]
pub struct Output {
    /// Its JSON fields.
    pub meta: Map<String, Value>,
    /// Success or filtered.
    pub status: Status,
    /// Extension without the dot, and bytes.
    pub members: Vec<(String, Payload)>,
}
