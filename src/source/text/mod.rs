//! Text tables: csv, tsv, txt, json; as they are, or packed by gzip or zstd.

mod blocks;
mod delimited;
mod lines;
mod objects;
mod packed;
mod quotes;
mod records;
mod sniff;

use std::path::Path;

use crate::config::InputFormat;

use super::{Read, ReadError, ReadOptions, RowRef, SourceError, TableSpec};

pub use packed::is_packed;
pub use records::MAX_RECORD_BYTES;

/// Reads a text table.
pub fn read<E>(
    path: &Path,
    spec: &TableSpec,
    options: ReadOptions,
    sink: &mut dyn FnMut(RowRef<'_>) -> Result<(), E>,
) -> Result<Read, ReadError<E>> {
    let (rows, sha256) = blocks::stream(path, options.hash, |blocks| {
        sniff::skip_bom(path, blocks)?;
        match spec.format {
            InputFormat::Txt => lines::read(blocks, spec, options.skip_rows, sink),
            InputFormat::Json | InputFormat::Jsonl => objects::read(path, blocks, spec, options.skip_rows, sink),
            _ => delimited::read(path, blocks, spec, options.skip_rows, sink),
        }
    })?;
    Ok(Read { rows, sha256 })
}

/// Refuses a table whose header lacks a needed column, or names it twice.
pub fn check_header(path: &Path, spec: &TableSpec) -> Result<(), SourceError> {
    let (found, _) = blocks::stream(path, false, |blocks| {
        sniff::skip_bom(path, blocks)?;
        match spec.format {
            InputFormat::Txt => Ok(()),
            InputFormat::Json | InputFormat::Jsonl => objects::check_header(path, blocks, spec),
            _ => delimited::check_header(path, blocks, spec),
        }
    })?;
    Ok(found)
}
