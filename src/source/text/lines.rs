//! txt: one URL per line.

use super::super::cells::{MAX_URL_BYTES, Place, Problem, bytes_cell};
use super::super::{ReadError, RowRef, SourceError, TableSpec, columns};
use super::blocks::Blocks;

/// Bytes of a line that are kept: enough to see that it is too long, and to cut it at a character.
const KEPT_BYTES: usize = MAX_URL_BYTES + 1;

/// Pushes all lines that are not blank; returns their number.
pub fn read<E>(
    blocks: &mut Blocks,
    spec: &TableSpec,
    skip_rows: u64,
    sink: &mut dyn FnMut(RowRef<'_>) -> Result<(), E>,
) -> Result<u64, ReadError<E>> {
    let columns = columns(spec);
    let [column] = columns.as_slice() else {
        return Err(SourceError::Columns { message: "a txt input holds URLs only".to_owned() }.into());
    };
    let mut scratch = String::new();
    let mut rows = 0;
    each_line(blocks, KEPT_BYTES, |line, raw| {
        if raw.trim_ascii().is_empty() {
            return Ok(());
        }
        rows += 1;
        if rows <= skip_rows {
            return Ok(());
        }
        let mut problem = Problem::at(Place::Line(line));
        let cells = [bytes_cell(raw, column, &mut scratch, &mut problem)];
        sink(RowRef { cells: &cells, problem: problem.into_failure() }).map_err(ReadError::Sink)
    })?;
    Ok(rows)
}

/// Calls `each` with the 1-based number and the first bytes of each line: `kept` of them, or some more. A line ends with LF, CRLF or CR.
pub fn each_line<E: From<SourceError>>(
    blocks: &mut Blocks,
    kept: usize,
    mut each: impl FnMut(u64, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut line = 1;
    let mut after_cr = false;
    // The start of a line whose end is in another block.
    let mut begun = Vec::new();
    loop {
        let data = blocks.data();
        if data.is_empty() {
            if blocks.fill()? {
                continue;
            }
            return if begun.is_empty() { Ok(()) } else { each(line, &begun) };
        }
        if std::mem::take(&mut after_cr) && data.first() == Some(&b'\n') {
            blocks.advance(1);
            continue;
        }
        let end = memchr::memchr2(b'\n', b'\r', data);
        let part = data.get(..end.unwrap_or(data.len())).unwrap_or_default();
        let used = part.len() + usize::from(end.is_some());
        if end.is_some() && begun.is_empty() {
            each(line, part)?;
        } else {
            begun.extend_from_slice(part.get(..kept.saturating_sub(begun.len())).unwrap_or(part));
            if end.is_some() {
                each(line, &begun)?;
                begun.clear();
            }
        }
        if let Some(end) = end {
            line += 1;
            after_cr = data.get(end) == Some(&b'\r');
        }
        blocks.advance(used);
    }
}
