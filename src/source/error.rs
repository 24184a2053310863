//! What can be wrong with an input as a whole.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::error::Class;
use crate::sample::ColumnKind;

/// An input that no plan can be made from.
#[derive(Debug, Error)]
pub enum SourceError {
    #[error("no input: `url_list` names no file")]
    NoInput,
    #[error("{path}: no such file or folder{hint}", path = path.display())]
    Missing { path: PathBuf, hint: String },
    #[error("{url}: tables are read from a mounted file system only; copy the table there first")]
    Remote { url: String },
    #[error("{pattern}: the pattern matches no file")]
    NoMatch { pattern: String },
    #[error("{pattern}: not a valid pattern: {reason}")]
    BadPattern { pattern: String, reason: String },
    #[error("{path}: {what}, where a table file is expected", path = path.display())]
    NotAFile { path: PathBuf, what: &'static str },
    #[error("{path}: the folder holds no `*.{extension}`{others}", path = path.display())]
    EmptyFolder { path: PathBuf, extension: &'static str, others: String },
    #[error(
        "{first} and {second}: one looks like the other, packed, and each row would be planned twice; remove one, or name \
         the files",
        first = first.display(), second = second.display()
    )]
    Twins { first: PathBuf, second: PathBuf },
    #[error("{path}: the file name is not valid UTF-8, so the plan cannot store it; rename the file", path = path.display())]
    NonUtf8Path { path: PathBuf },
    #[error(
        "{second} is the same file as {first}: its rows would be fetched twice; name it once",
        first = first.display(), second = second.display()
    )]
    Duplicate { first: PathBuf, second: PathBuf },
    #[error("{path}: cannot {action}: {source}", path = path.display())]
    Io { path: PathBuf, action: &'static str, source: io::Error },
    #[error("{path}: a tar has samples, not rows; please report this", path = path.display())]
    NotATable { path: PathBuf },
    #[error("{path}: the table has no rows", path = path.display())]
    Empty { path: PathBuf },
    #[error("{path}: the file is {found}; {advice}", path = path.display())]
    Encoding { path: PathBuf, found: &'static str, advice: &'static str },
    #[error(
        "{path}: the tar is compressed ({found}), and its samples cannot be reached without unpacking; unpack it first",
        path = path.display()
    )]
    Compressed { path: PathBuf, found: &'static str },
    #[error(
        "{path}: its shard would be called as the file is, and that cannot be a shard's name; rename the file",
        path = path.display()
    )]
    ShardName { path: PathBuf },
    #[error(
        "{first} and {second} would both become the shard `{name}`: shards keep the names of their tars; rename one, or \
         run a job for each folder",
        first = first.display(), second = second.display()
    )]
    SameShard { name: String, first: PathBuf, second: PathBuf },
    #[error("{message}")]
    Columns { message: String },
    #[error("{path}: no column `{column}`{nearest}; the table has: {present}{hint}", path = path.display())]
    MissingColumn { path: PathBuf, column: String, nearest: String, present: String, hint: &'static str },
    #[error("{path}: the table has {count} columns named `{column}`; rename all but one", path = path.display())]
    DuplicateColumn { path: PathBuf, column: String, count: usize },
    #[error(
        "{path}, line {line}: a quote opens here and is not closed by the end of the file; close it, or double the \
         quote (`\"\"`) where it is part of the text",
        path = path.display()
    )]
    UnclosedQuote { path: PathBuf, line: u64 },
    #[error(
        "{path}, line {line}: the record that begins here has more than {limit} {unit}; most likely a quote is not \
         closed: close it, or double it (`\"\"`) where it is part of the text",
        path = path.display()
    )]
    RecordTooLong { path: PathBuf, line: u64, limit: usize, unit: &'static str },
    #[error("{path}: column `{column}` is of type {found}; {want}", path = path.display())]
    WrongType { path: PathBuf, column: String, found: String, want: &'static str },
    #[error(
        "column `{column}` is {first_kind:?} in {first} but {second_kind:?} in {second}; write both with the same type",
        first = first.display(), second = second.display()
    )]
    KindsDiffer { column: String, first: PathBuf, first_kind: ColumnKind, second: PathBuf, second_kind: ColumnKind },
    #[error("{path}: not a readable Parquet file, or cut short or damaged ({reason}); write or copy it again", path = path.display())]
    Parquet { path: PathBuf, reason: String },
    #[error("{path}: the {packing}-compressed file is cut short or damaged ({reason}); write or copy it again", path = path.display())]
    Packed { path: PathBuf, packing: &'static str, reason: String },
    #[error("{path}: not readable JSON: {reason}", path = path.display())]
    Json { path: PathBuf, reason: String },
    #[error("{path}: not a readable Arrow file, or cut short or damaged ({reason}); write or copy it again", path = path.display())]
    Arrow { path: PathBuf, reason: String },
    #[error("{path}: the file changed while it was read; start again when nothing writes to it", path = path.display())]
    Changed { path: PathBuf },
    #[error(
        "{path}: the file has {size} bytes, fewer than the {wanted} that were planned: it shrank or was replaced",
        path = path.display()
    )]
    Shrank { path: PathBuf, size: u64, wanted: u64 },
}

impl SourceError {
    /// Always the job: without its input nothing can be planned.
    pub fn class(&self) -> Class {
        Class::Job
    }

    pub(super) fn io(path: &Path, action: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { path: path.to_owned(), hint: String::new() },
            io::ErrorKind::IsADirectory => Self::NotAFile { path: path.to_owned(), what: "a folder" },
            _ => Self::Io { path: path.to_owned(), action, source },
        }
    }

    /// A needed column that is not among `present`.
    pub(super) fn missing_column(path: &Path, column: &str, present: &[String]) -> Self {
        let nearest = nearest(column, present.iter().map(String::as_str))
            .map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"));
        let hint = match present {
            [one] if one.contains('\t') => " (the header holds tabs: is `input_format` tsv?)",
            [one] if one.contains(',') => " (the header holds commas: is `input_format` csv?)",
            [one] if one.contains(';') => " (the header holds semicolons: write the table with commas)",
            _ => "",
        };
        Self::MissingColumn {
            path: path.to_owned(),
            column: column.to_owned(),
            nearest,
            present: listed(present),
            hint,
        }
    }
}

/// The error of a read: the table's, or the one that the sink returned.
#[derive(Debug, Error)]
pub enum ReadError<E> {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("{0}")]
    Sink(E),
}

/// The candidate most like `name`, where one is alike at all.
pub(super) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let folded = name.to_lowercase();
    candidates
        .map(|candidate| (strsim::jaro_winkler(&folded, &candidate.trim().to_lowercase()), candidate))
        .filter(|(score, _)| *score > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// Column names for a message: not more than a screen takes.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 40;
    const NAME_CHARS: usize = 60;
    if names.is_empty() {
        return "no columns".to_owned();
    }
    let mut text = String::new();
    for (index, name) in names.iter().take(SHOWN).enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        let cut: String = name.chars().take(NAME_CHARS).collect();
        let dots = if cut.len() < name.len() { "…" } else { "" };
        text.push_str(&format!("{separator}`{}{dots}`", cut.escape_debug()));
    }
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}
