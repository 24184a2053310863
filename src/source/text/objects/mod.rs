//! json and jsonl: a record is an object. Both names stand for both layouts, as both are common under both: an array of
//! objects (pandas' `orient="records"`), or one object per line.

mod array;
mod lines;
mod record;

use std::cell::Cell as Flag;
use std::path::Path;

use crate::sample::FailureClass;

use super::super::cells::{Place, Problem, recycle};
use super::super::{PlanColumn, ReadError, Role, RowRef, SourceError, TableSpec, columns};
use super::blocks::Blocks;
use record::{Record, cell};

/// Records that are looked at before a column that none of them has counts as missing.
const LOOKED_AT: u64 = 1000;
/// Names that a message shows come from so many records.
const NAMES_FROM: u64 = 20;

/// What a layout's reader hands over for each record.
enum Found {
    Record(Record),
    /// What is wrong with it.
    Bad(FailureClass, String),
}

/// Reads the records in order until `each` fails.
fn records<E>(
    path: &Path,
    blocks: &mut Blocks,
    wanted: &[String],
    each: &mut dyn FnMut(Place, Found) -> Result<(), ReadError<E>>,
) -> Result<(), ReadError<E>> {
    loop {
        let space = blocks.data().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        match blocks.data().get(space) {
            Some(b'[') => return array::read(path, blocks, wanted, each),
            Some(_) => return lines::read(blocks, wanted, each),
            // Blank lines at the start: their number counts for nobody.
            None => {
                blocks.advance(space);
                if !blocks.fill()? {
                    return Ok(());
                }
            }
        }
    }
}

/// The names that are read, each once.
fn wanted(columns: &[PlanColumn]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for column in columns {
        if !names.contains(&column.source_name) {
            names.push(column.source_name.clone());
        }
    }
    names
}

/// Pushes all rows; returns their number.
pub fn read<E>(
    path: &Path,
    blocks: &mut Blocks,
    spec: &TableSpec,
    skip_rows: u64,
    sink: &mut dyn FnMut(RowRef<'_>) -> Result<(), E>,
) -> Result<u64, ReadError<E>> {
    let columns = columns(spec);
    let wanted = wanted(&columns);
    let at = |column: &PlanColumn| wanted.iter().position(|name| *name == column.source_name).unwrap_or_default();
    let places: Vec<usize> = columns.iter().map(at).collect();
    let mut rows = 0;
    let mut spare = Vec::with_capacity(columns.len());
    records(path, blocks, &wanted, &mut |place, found| {
        rows += 1;
        if rows <= skip_rows {
            return Ok(());
        }
        let mut problem = Problem::at(place);
        let record = match found {
            Found::Record(record) => record,
            Found::Bad(class, what) => {
                problem.row(class, format_args!("{what}"));
                Record::empty(wanted.len())
            }
        };
        let mut cells = std::mem::take(&mut spare);
        let known = columns.iter().zip(&places);
        cells.extend(known.map(|(column, place)| cell(record.value(*place), record.bytes, column, &mut problem)));
        let pushed = sink(RowRef { cells: &cells, problem: problem.into_failure() }).map_err(ReadError::Sink);
        spare = recycle(cells);
        pushed
    })?;
    Ok(rows)
}

/// The look at the first records is over.
struct Seen;

/// Refuses a table whose first records lack a needed column all of them, or that are no records.
pub fn check_header(path: &Path, blocks: &mut Blocks, spec: &TableSpec) -> Result<(), SourceError> {
    let columns = columns(spec);
    let wanted = wanted(&columns);
    let mut missing = wanted.clone();
    let (mut present, mut rows, mut first_problem) = (Vec::new(), 0, None);
    let has_record = Flag::new(false);
    let looked = records(path, blocks, &wanted, &mut |place, found| {
        rows += 1;
        match found {
            Found::Record(record) => {
                has_record.set(true);
                check_types(path, &columns, &wanted, &record)?;
                missing.retain(|name| !record.names.contains(name));
                if rows <= NAMES_FROM {
                    present.extend(record.names.into_iter().filter(|name| !present.contains(name)).collect::<Vec<_>>());
                }
            }
            Found::Bad(_, what) => first_problem = first_problem.take().or(Some(format!("{place}: {what}"))),
        }
        let is_enough = rows >= LOOKED_AT || (missing.is_empty() && has_record.get());
        if is_enough { Err(ReadError::Sink(Seen)) } else { Ok(()) }
    });
    if let Err(ReadError::Source(error)) = looked {
        return Err(error);
    }
    match (first_problem, missing.first()) {
        (Some(reason), _) if !has_record.get() => Err(SourceError::Json { path: path.to_owned(), reason }),
        (_, Some(name)) if rows > 0 => Err(SourceError::missing_column(path, name, &present)),
        _ => Ok(()),
    }
}

/// Types that no row of the table can make good.
fn check_types(path: &Path, columns: &[PlanColumn], wanted: &[String], record: &Record) -> Result<(), SourceError> {
    for column in columns {
        let value = wanted.iter().position(|name| *name == column.source_name).and_then(|at| record.value(at));
        let Some(value) = value.filter(|value| !value.is_null() && !value.is_string()) else { continue };
        let (found, what) = (record::name_of(value), column.source_name.clone());
        let want = match column.role {
            Role::Url if value.is_object() => {
                "the file holds columns, not records: write it with `orient=\"records\"`, or one object per line"
            }
            Role::Url => "URLs must be text",
            Role::Caption => "captions must be text; join them, or save the column as an additional one",
            Role::Clips | Role::Additional => continue,
        };
        return Err(SourceError::WrongType { path: path.to_owned(), column: what, found: found.to_owned(), want });
    }
    Ok(())
}
