//! Tables in, rows out: what every format keeps, refuses and reports.

mod arrow_tables;
mod files;
mod objects;
mod packed;
mod parquet_tables;
mod properties;
mod text_bad;
mod text_good;

use std::path::{Path, PathBuf};

use clipmill::config::InputFormat;
use clipmill::sample::{Cell, Failure, FailureClass};
use clipmill::source::{InputStats, ReadError, ReadOptions, SourceError, TableSpec, read_from};
use serde_json::Value;
use tempfile::TempDir;

/// A cell that outlives its row.
#[derive(Debug, Clone, PartialEq)]
enum Kept {
    Null,
    Text(String),
    Json(Value),
}

#[derive(Debug, Clone, PartialEq)]
struct KeptRow {
    cells: Vec<Kept>,
    problem: Option<Failure>,
}

impl KeptRow {
    fn class(&self) -> Option<FailureClass> {
        self.problem.as_ref().map(|problem| problem.class)
    }

    fn message(&self) -> &str {
        self.problem.as_ref().map_or("", |problem| &problem.message)
    }
}

fn text(text: &str) -> Kept {
    Kept::Text(text.to_owned())
}

/// A spec with `url` and nothing else.
fn spec(format: InputFormat) -> TableSpec {
    TableSpec { format, url_col: "url".into(), caption_col: None, clip_col: None, additional: Vec::new() }
}

fn with_caption(format: InputFormat) -> TableSpec {
    TableSpec { caption_col: Some("caption".into()), ..spec(format) }
}

fn collect(path: &Path, spec: &TableSpec, options: ReadOptions) -> Result<(Vec<KeptRow>, InputStats), SourceError> {
    let mut rows = Vec::new();
    let read = read_from(path, spec, options, &mut |row| {
        let keep = |cell: &Cell<'_>| match cell {
            Cell::Null => Kept::Null,
            Cell::Text(text) => Kept::Text((*text).to_owned()),
            Cell::Json(value) => Kept::Json(value.clone()),
        };
        rows.push(KeptRow { cells: row.cells.iter().map(keep).collect(), problem: row.problem });
        Ok::<(), std::convert::Infallible>(())
    });
    match read {
        Ok(stats) => Ok((rows, stats)),
        Err(ReadError::Source(error)) => Err(error),
        Err(ReadError::Sink(never)) => match never {},
    }
}

/// A folder with one table in it.
struct Table {
    _folder: TempDir,
    path: PathBuf,
}

impl Table {
    fn new(bytes: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table");
        std::fs::write(&path, bytes).unwrap();
        Self { _folder: folder, path }
    }

    fn rows(&self, spec: &TableSpec) -> Vec<KeptRow> {
        collect(&self.path, spec, ReadOptions::default()).unwrap().0
    }

    fn error(&self, spec: &TableSpec) -> SourceError {
        // The rows would fill the screen.
        collect(&self.path, spec, ReadOptions::default()).map(|(_, stats)| stats).unwrap_err()
    }
}

/// The cells of a csv with `url` and `caption`; no row may have a problem.
fn csv_cells(bytes: impl AsRef<[u8]>) -> Vec<Vec<Kept>> {
    let rows = Table::new(bytes).rows(&with_caption(InputFormat::Csv));
    rows.into_iter()
        .map(|row| {
            assert_eq!(row.problem, None);
            row.cells
        })
        .collect()
}
