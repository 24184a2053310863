//! Rules that hold for a cell whatever table it comes from: limits, UTF-8, the shape of clips.

use std::fmt;

use serde_json::Value;

use crate::sample::{Cell, Failure, FailureClass};
use crate::subsample::clips::{is_list_of_spans, literal};

use super::{PlanColumn, Role};

/// Longest cell that is kept, in bytes. A longer one is cut, and its row fails.
pub const MAX_CELL_BYTES: usize = 1 << 20;
/// Longest URL that is kept, in bytes: what servers and proxies commonly accept at most.
pub const MAX_URL_BYTES: usize = 8 << 10;

/// Where a row stands in its file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// 1-based physical line on which the row begins.
    Line(u64),
    /// 1-based row of a format that has no lines.
    Row(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line(line) => write!(f, "line {line}"),
            Place::Row(row) => write!(f, "row {row}"),
        }
    }
}

/// Collects what is wrong with a row: the first thing found is the one that counts.
pub(super) struct Problem {
    place: Place,
    found: Option<Failure>,
}

impl Problem {
    pub fn at(place: Place) -> Self {
        Self { place, found: None }
    }

    /// A problem of the row as a whole.
    pub fn row(&mut self, class: FailureClass, what: fmt::Arguments<'_>) {
        if self.found.is_none() {
            self.found = Some(Failure::new(class, format!("{}: {what}", self.place)));
        }
    }

    /// A problem of one cell.
    pub fn cell(&mut self, column: &PlanColumn, class: FailureClass, what: fmt::Arguments<'_>) {
        self.row(class, format_args!("column `{}`: {what}", column.source_name));
    }

    pub fn into_failure(self) -> Option<Failure> {
        self.found
    }
}

/// The cell that `raw` stands for. `scratch` holds the text where the bytes themselves are not valid.
pub(super) fn bytes_cell<'a>(
    raw: &'a [u8],
    column: &PlanColumn,
    scratch: &'a mut String,
    problem: &mut Problem,
) -> Cell<'a> {
    // Cut first: what is past the limit need not be looked at.
    let end = end_of_kept(raw, column);
    let kept = raw.get(..end).unwrap_or(raw);
    if kept.len() < raw.len() {
        note_cut(column, problem);
    }
    match std::str::from_utf8(kept) {
        Ok(text) => text_cell(text, column, problem),
        Err(error) => {
            let at = error.valid_up_to() + 1;
            problem.cell(column, FailureClass::InvalidUtf8, format_args!("not valid UTF-8 (byte {at} of the cell)"));
            scratch.clear();
            scratch.push_str(&String::from_utf8_lossy(kept));
            // Replacement characters are longer than what they replace, so it may be over the limit again.
            text_cell(scratch, column, problem)
        }
    }
}

/// The cell that `text` stands for.
pub(super) fn text_cell<'a>(text: &'a str, column: &PlanColumn, problem: &mut Problem) -> Cell<'a> {
    if text.is_empty() {
        return null_cell(column, problem);
    }
    let end = end_of_kept(text.as_bytes(), column);
    if end < text.len() {
        note_cut(column, problem);
    }
    let text = text.get(..end).unwrap_or(text);
    match column.role {
        Role::Url => url_cell(text, column, problem),
        Role::Clips => clips_cell(text, column, problem),
        Role::Caption | Role::Additional => {
            if text.as_bytes().contains(&0) {
                problem.cell(column, FailureClass::BadRow, format_args!("holds a NUL byte"));
            }
            Cell::Text(text)
        }
    }
}

/// The cell of a column that has nothing in this row.
pub(super) fn null_cell<'a>(column: &PlanColumn, problem: &mut Problem) -> Cell<'a> {
    if column.role == Role::Url {
        problem.cell(column, FailureClass::NoUrl, format_args!("no URL"));
    }
    Cell::Null
}

fn limit(column: &PlanColumn) -> usize {
    if column.role == Role::Url { MAX_URL_BYTES } else { MAX_CELL_BYTES }
}

/// How many bytes of a cell are kept: all, or as many whole characters as the limit allows.
fn end_of_kept(raw: &[u8], column: &PlanColumn) -> usize {
    let limit = limit(column);
    if raw.len() <= limit {
        return raw.len();
    }
    let is_continuation = |at: &usize| raw.get(*at).is_some_and(|byte| byte & 0xC0 == 0x80);
    // A character has at most three continuation bytes; in other bytes there is no boundary to respect.
    (limit - 3..=limit).rev().find(|at| !is_continuation(at)).unwrap_or(limit)
}

/// The cell's length itself is not told: a reader may have dropped the end before it was counted.
pub(super) fn note_cut(column: &PlanColumn, problem: &mut Problem) {
    problem.cell(column, FailureClass::FieldTooLarge, format_args!("longer than {} bytes", limit(column)));
}

fn url_cell<'a>(text: &'a str, column: &PlanColumn, problem: &mut Problem) -> Cell<'a> {
    // A fold instead of `any`: it never stops early, so it compiles to vector code. Control characters are rare.
    if text.bytes().fold(false, |found, byte| found | (byte <= b' ')) {
        let inner = text.trim();
        if inner.is_empty() {
            return null_cell(column, problem);
        }
        if inner.bytes().any(|byte| byte < b' ') {
            let what = format_args!("the URL holds a line break or another control character (is a quote not closed?)");
            problem.cell(column, FailureClass::BadRow, what);
        }
    }
    Cell::Text(text)
}

fn clips_cell<'a>(text: &'a str, column: &PlanColumn, problem: &mut Problem) -> Cell<'a> {
    if text.trim().is_empty() {
        return Cell::Null;
    }
    match literal(text) {
        Ok(clips) => checked_clips(clips, column, problem),
        Err(error) => {
            problem.cell(column, FailureClass::BadRow, format_args!("not JSON ({error}); want [[start, end], …]"));
            Cell::Text(text)
        }
    }
}

/// A cell of clips whose shape is looked at: a list of [start, end], or one alone, each a number or a text.
pub(super) fn checked_clips<'a>(clips: Value, column: &PlanColumn, problem: &mut Problem) -> Cell<'a> {
    match &clips {
        Value::Null => return Cell::Null,
        list if is_list_of_spans(list) => {}
        _ => problem.cell(
            column,
            FailureClass::BadRow,
            format_args!("not a list of [start, end] with seconds or HH:MM:SS.f"),
        ),
    }
    Cell::Json(clips)
}

/// Empties a vector of cells for the next row, whose cells live shorter; the memory is kept.
pub(super) fn recycle<'b>(mut cells: Vec<Cell<'_>>) -> Vec<Cell<'b>> {
    cells.clear();
    // The standard library collects into the same allocation; nothing is left to map.
    cells.into_iter().map(|_| Cell::Null).collect()
}
