//! Tables to rows: txt, csv, tsv, json, parquet and Arrow, streamed in constant memory.
//!
//! A table is *pushed*: [`read`] calls a sink once per row with borrowed cells, so that a row costs no allocation. What
//! is wrong with one row travels with that row ([`RowRef::problem`]); what is wrong with the whole file is a
//! [`SourceError`].
//!
//! ```text
//! inputs ─► files ─► read ─► text/ (blocks ─► records, lines or objects) ─┐
//!                        └─► columnar/ (parquet, Arrow) ──────────────────┴─► RowRef ─► sink
//! ```
//!
//! A further format is one more reader beside these, and one more arm in [`read_from`] and [`kinds`].

mod cells;
mod columnar;
mod error;
mod fingerprint;
mod inputs;
mod spec;
pub mod tars;
mod text;

use std::path::Path;

use crate::config::InputFormat;
use crate::sample::{Cell, ColumnKind, Failure};

pub use cells::{MAX_CELL_BYTES, MAX_URL_BYTES};
pub use error::{ReadError, SourceError};
pub use fingerprint::{Fingerprint, ends_at_line, fingerprint_quick, hash_file, hash_prefix};
pub use inputs::inputs;
pub use spec::{PlanColumn, Role, TableSpec, columns};
pub use text::MAX_RECORD_BYTES;

/// One row of a table.
#[derive(Debug)]
pub struct RowRef<'a> {
    /// One cell per column of [`columns`], in its order.
    pub cells: &'a [Cell<'a>],
    /// Why the row cannot be used; its cells are then kept as far as they could be read.
    pub problem: Option<Failure>,
}

/// What a whole read has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputStats {
    /// Rows of the file, also those that were skipped.
    pub rows: u64,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Modification time, nanoseconds since 1970.
    pub mtime_ns: i64,
    /// SHA-256 of the file's bytes, hex; none where [`ReadOptions::hash`] was off.
    pub sha256: Option<String>,
}

/// How to read a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadOptions {
    /// Rows at the start that the sink does not get: they were planned before the table grew.
    pub skip_rows: u64,
    /// Whether to compute the SHA-256 of the content. For a text table it rides along with the read; for a Parquet
    /// file it reads all of the file, also the columns that nobody asked for.
    pub hash: bool,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { skip_rows: 0, hash: true }
    }
}

/// Reads all rows of the table at `path` in order, and hashes its content on the way.
///
/// # Errors
/// What is wrong with the file as a whole, or whatever `sink` returned: the read stops there.
pub fn read<E>(
    path: &Path,
    spec: &TableSpec,
    sink: &mut dyn FnMut(RowRef<'_>) -> Result<(), E>,
) -> Result<InputStats, ReadError<E>> {
    read_from(path, spec, ReadOptions::default(), sink)
}

/// As [`read`], with options.
///
/// A table with rows, all of which are skipped, is no error.
pub fn read_from<E>(
    path: &Path,
    spec: &TableSpec,
    options: ReadOptions,
    sink: &mut dyn FnMut(RowRef<'_>) -> Result<(), E>,
) -> Result<InputStats, ReadError<E>> {
    spec.check()?;
    let before = fingerprint_quick(path)?;
    let read = match spec.format {
        InputFormat::Txt | InputFormat::Csv | InputFormat::Tsv | InputFormat::Json | InputFormat::Jsonl => {
            text::read(path, spec, options, sink)?
        }
        InputFormat::Parquet | InputFormat::Arrow => columnar::read(path, spec, options, sink)?,
        InputFormat::Webdataset => return Err(SourceError::NotATable { path: path.to_owned() }.into()),
    };
    let after = fingerprint_quick(path)?;
    if before != after {
        return Err(SourceError::Changed { path: path.to_owned() }.into());
    }
    if read.rows == 0 {
        return Err(SourceError::Empty { path: path.to_owned() }.into());
    }
    Ok(InputStats { rows: read.rows, bytes: before.size, mtime_ns: before.mtime_ns, sha256: read.sha256 })
}

/// The kind of each column of [`columns`], from the file's header or schema alone.
///
/// None: the file does not say (a text table, or a Parquet column of nulls only), so the kind is decided over the cells.
///
/// # Errors
/// As [`read`]: a needed column that is missing, named twice, or of a type that cannot be stored.
pub fn kinds(path: &Path, spec: &TableSpec) -> Result<Vec<Option<ColumnKind>>, SourceError> {
    spec.check()?;
    match spec.format {
        InputFormat::Txt | InputFormat::Csv | InputFormat::Tsv | InputFormat::Json | InputFormat::Jsonl => {
            text::check_header(path, spec)?
        }
        InputFormat::Parquet | InputFormat::Arrow => return columnar::kinds(path, spec),
        InputFormat::Webdataset => return Err(SourceError::NotATable { path: path.to_owned() }),
    }
    Ok(columns(spec).iter().map(|column| column.fixed).collect())
}

/// The kinds that all files agree on, as [`kinds`]; looks at headers and schemas only.
///
/// # Errors
/// As [`kinds`] for the first file that has one; [`SourceError::KindsDiffer`] where two files store a column with
/// different types.
pub fn common_kinds<P: AsRef<Path>>(paths: &[P], spec: &TableSpec) -> Result<Vec<Option<ColumnKind>>, SourceError> {
    let names = columns(spec);
    // For each column, the kind and the file that first said so.
    let mut agreed: Vec<Option<(ColumnKind, &Path)>> = vec![None; names.len()];
    for path in paths {
        let path = path.as_ref();
        for ((slot, kind), column) in agreed.iter_mut().zip(kinds(path, spec)?).zip(&names) {
            match (&slot, kind) {
                (_, None) => {}
                (None, Some(kind)) => *slot = Some((kind, path)),
                (Some((known, _)), Some(kind)) if *known == kind => {}
                (Some((known, first)), Some(kind)) => {
                    return Err(SourceError::KindsDiffer {
                        column: column.source_name.clone(),
                        first: first.to_path_buf(),
                        first_kind: *known,
                        second: path.to_owned(),
                        second_kind: kind,
                    });
                }
            }
        }
    }
    Ok(agreed.into_iter().map(|slot| slot.map(|(kind, _)| kind)).collect())
}

/// Whether a file that grew may begin with what was planned of it. The index of a Parquet or an Arrow file stands at its
/// end, and packed bytes tell nothing of lines.
///
/// # Errors
/// The file cannot be read.
pub fn can_grow(path: &Path, format: InputFormat) -> Result<bool, SourceError> {
    match format {
        InputFormat::Txt | InputFormat::Csv | InputFormat::Tsv | InputFormat::Jsonl => Ok(!text::is_packed(path)?),
        InputFormat::Json | InputFormat::Parquet | InputFormat::Arrow | InputFormat::Webdataset => Ok(false),
    }
}

/// What a format's reader reports.
struct Read {
    rows: u64,
    sha256: Option<String>,
}
