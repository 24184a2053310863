//! csv and tsv: a header, then records.

use std::path::Path;

use crate::config::InputFormat;
use crate::sample::{Cell, FailureClass};

use super::super::cells::{Place, Problem, bytes_cell, null_cell, recycle};
use super::super::{PlanColumn, ReadError, RowRef, SourceError, TableSpec, columns};
use super::blocks::Blocks;
use super::quotes::text_after_closing_quote;
use super::records::Records;

/// A needed column and where it stands in the table.
struct Needed {
    column: PlanColumn,
    index: usize,
}

struct Header {
    needed: Vec<Needed>,
    /// Columns of the table, needed or not.
    width: usize,
}

/// Both formats have the same quoting rules (RFC 4180), as they have in Arrow and pandas.
fn delimiter(format: InputFormat) -> u8 {
    if format == InputFormat::Tsv { b'\t' } else { b',' }
}

pub fn check_header(path: &Path, blocks: &mut Blocks, spec: &TableSpec) -> Result<(), SourceError> {
    let mut records = Records::new(path, blocks, delimiter(spec.format));
    read_header(path, &mut records, spec).map(|_| ())
}

/// Pushes all rows; returns their number.
pub fn read<E>(
    path: &Path,
    blocks: &mut Blocks,
    spec: &TableSpec,
    skip_rows: u64,
    sink: &mut dyn FnMut(RowRef<'_>) -> Result<(), E>,
) -> Result<u64, ReadError<E>> {
    let delimiter = delimiter(spec.format);
    let mut records = Records::new(path, blocks, delimiter);
    let header = read_header(path, &mut records, spec)?;
    let mut scratch = vec![String::new(); header.needed.len()];
    let mut spare = Vec::with_capacity(header.needed.len());
    let mut rows = 0;
    while records.advance()? {
        rows += 1;
        if rows <= skip_rows {
            continue;
        }
        let mut problem = Problem::at(Place::Line(records.first_line()));
        check_record(&records, header.width, delimiter, &mut problem);
        let mut cells: Vec<Cell<'_>> = spare;
        for (Needed { column, index }, scratch) in header.needed.iter().zip(&mut scratch) {
            cells.push(match records.field(*index) {
                Some(raw) => bytes_cell(raw, column, scratch, &mut problem),
                None => null_cell(column, &mut problem),
            });
        }
        sink(RowRef { cells: &cells, problem: problem.into_failure() }).map_err(ReadError::Sink)?;
        spare = recycle(cells);
    }
    Ok(rows)
}

/// Notes a record that has not the header's shape, or has swallowed its neighbours.
fn check_record(records: &Records<'_>, width: usize, delimiter: u8, problem: &mut Problem) {
    let (first, last) = (records.first_line(), records.last_line());
    if records.len() != width {
        let plural = if records.len() == 1 { "" } else { "s" };
        let what = format_args!("{} field{plural} where the header has {width}", records.len());
        if last > first {
            let what = format_args!("{what}; the row reaches to line {last}: is a quote not closed?");
            problem.row(FailureClass::BadRow, what);
        } else {
            problem.row(FailureClass::BadRow, what);
        }
    } else if last > first && text_after_closing_quote(records.raw(), delimiter) {
        let what = format_args!("a quote is not closed; it has swallowed the rows up to line {last}");
        problem.row(FailureClass::BadRow, what);
    }
}

fn read_header(path: &Path, records: &mut Records<'_>, spec: &TableSpec) -> Result<Header, SourceError> {
    if !records.advance()? {
        return Err(SourceError::Empty { path: path.to_owned() });
    }
    let names: Vec<String> = (0..records.len())
        .map(|index| String::from_utf8_lossy(records.field(index).unwrap_or_default()).into_owned())
        .collect();
    let find = |column: PlanColumn| {
        let mut found = names.iter().enumerate().filter(|(_, name)| **name == column.source_name);
        let Some((index, _)) = found.next() else {
            return Err(SourceError::missing_column(path, &column.source_name, &names));
        };
        match found.count() {
            0 => Ok(Needed { column, index }),
            more => {
                Err(SourceError::DuplicateColumn { path: path.to_owned(), column: column.source_name, count: more + 1 })
            }
        }
    };
    let needed = columns(spec).into_iter().map(find).collect::<Result<_, _>>()?;
    Ok(Header { needed, width: names.len() })
}
