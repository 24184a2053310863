//! Spans of a video: how they are written, and what clips they make.
//!
//! ```text
//! a cell, cuts, subtitles ──parse──► spans ──rules──► pieces ──plan──► stretches of frames
//! ```

mod literal;
mod parse;
mod plan;
#[cfg(test)]
mod properties;
mod rules;
pub mod subtitles;

pub use literal::literal;
pub use parse::{Spans, Style, is_list_of_spans, parse};
pub use plan::{Frames, Planned, plan};
pub use rules::Rules;

/// From second to second of a video, the end excluded.
pub type Span = (f64, f64);
