//! What can be wrong with a subsampler's settings.

/// One setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Below the subsampler's name, dotted: `args.max_length`.
    pub key: String,
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl Problem {
    pub fn new(key: impl Into<String>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into(), help: help.into() }
    }
}
