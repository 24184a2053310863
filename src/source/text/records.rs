//! Bytes to CSV records, by `csv-core`.
//!
//! `csv::Reader` is built on the same parser. It is not used because it knows neither where a record begins (blank lines
//! and CRLF shift its line numbers) nor whether a quote was still open when the file ended, and because it reads
//! records of any size into memory.

use std::path::Path;

use csv_core::ReadRecordResult;

use super::super::SourceError;
use super::blocks::Blocks;

/// Longest record, in bytes of the file. Only an unclosed quote makes longer ones.
pub const MAX_RECORD_BYTES: usize = 32 << 20;
/// Most fields of a record.
const MAX_FIELDS: usize = 1 << 17;
/// Memory kept from one record to the next.
const KEPT_BYTES: usize = 4 << 20;

/// The records of a csv or tsv.
pub struct Records<'b> {
    path: &'b Path,
    blocks: &'b mut Blocks,
    parser: csv_core::Reader,
    /// The record's fields, one behind the other.
    fields: Vec<u8>,
    /// Where each field ends in `fields`.
    ends: Vec<usize>,
    count: usize,
    /// 1-based physical line of the next byte.
    line: u64,
    first_line: u64,
    /// The byte before the next one was a CR, which has ended a line already.
    after_cr: bool,
    /// Bytes of the record as they stand in earlier blocks.
    earlier: Vec<u8>,
    /// Where the record goes on in the current block.
    raw_start: usize,
}

impl<'b> Records<'b> {
    pub fn new(path: &'b Path, blocks: &'b mut Blocks, delimiter: u8) -> Self {
        Self {
            path,
            blocks,
            parser: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            fields: vec![0; 4096],
            ends: vec![0; 64],
            count: 0,
            line: 1,
            first_line: 1,
            after_cr: false,
            earlier: Vec::new(),
            raw_start: 0,
        }
    }

    /// Goes to the next record; false after the last. Blank lines are no records.
    pub fn advance(&mut self) -> Result<bool, SourceError> {
        if self.fields.len() > KEPT_BYTES {
            self.fields = vec![0; KEPT_BYTES];
        }
        self.count = 0;
        self.earlier.clear();
        self.earlier.shrink_to(KEPT_BYTES);
        if !self.skip_blank_lines()? {
            return Ok(false);
        }
        self.first_line = self.line;
        self.raw_start = self.blocks.position();
        self.parse_record()?;
        Ok(true)
    }

    /// Fields of this record.
    pub fn len(&self) -> usize {
        self.count
    }

    /// A field of this record, unquoted.
    pub fn field(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(..self.count)?.get(index)?;
        let start = if index == 0 { 0 } else { *self.ends.get(index - 1)? };
        self.fields.get(start..end)
    }

    /// 1-based physical line on which this record begins.
    pub fn first_line(&self) -> u64 {
        self.first_line
    }

    /// 1-based physical line on which this record ends.
    pub fn last_line(&self) -> u64 {
        self.line.saturating_sub(1).max(self.first_line)
    }

    /// The record as it stands in the file, without the part that stands in earlier blocks, and that part.
    pub fn raw(&self) -> (&[u8], &[u8]) {
        (&self.earlier, self.blocks.since(self.raw_start))
    }

    /// Steps over line ends up to a byte that is none; false at the end of the file.
    fn skip_blank_lines(&mut self) -> Result<bool, SourceError> {
        loop {
            match self.blocks.data().first() {
                None => {
                    if !self.blocks.fill()? {
                        return Ok(false);
                    }
                    continue;
                }
                Some(b'\n') if self.after_cr => self.after_cr = false,
                Some(b'\n') => self.line += 1,
                Some(b'\r') => {
                    self.line += 1;
                    self.after_cr = true;
                }
                Some(_) => {
                    self.after_cr = false;
                    return Ok(true);
                }
            }
            self.blocks.advance(1);
        }
    }

    fn parse_record(&mut self) -> Result<(), SourceError> {
        let mut used = 0;
        let mut at_end = false;
        loop {
            // A line end behind the last byte ends a last record that has none of its own. Where it does not, a quote
            // is open.
            let input = if at_end { b"\n" } else { self.blocks.data() };
            let fields = self.fields.get_mut(used..).unwrap_or_default();
            let ends = self.ends.get_mut(self.count..).unwrap_or_default();
            let line = self.parser.line();
            let (result, read, written, ended) = self.parser.read_record(input, fields, ends);
            used += written;
            self.count += ended;
            self.line += self.parser.line() - line;
            let last = read.checked_sub(1).and_then(|last| input.get(last)).copied();
            if !at_end {
                self.blocks.advance(read);
            }
            match result {
                ReadRecordResult::Record | ReadRecordResult::End => {
                    self.after_cr = last == Some(b'\r');
                    self.line += u64::from(self.after_cr);
                    return Ok(());
                }
                ReadRecordResult::OutputFull => self.fields.resize(self.fields.len() * 2, 0),
                ReadRecordResult::OutputEndsFull if self.ends.len() >= MAX_FIELDS => {
                    return Err(self.too_long(MAX_FIELDS, "fields"));
                }
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::InputEmpty if at_end => {
                    return Err(SourceError::UnclosedQuote { path: self.path.to_owned(), line: self.first_line });
                }
                ReadRecordResult::InputEmpty => {
                    self.earlier.extend_from_slice(self.blocks.since(self.raw_start));
                    if self.earlier.len() > MAX_RECORD_BYTES {
                        return Err(self.too_long(MAX_RECORD_BYTES, "bytes"));
                    }
                    at_end = !self.blocks.fill()?;
                    self.raw_start = self.blocks.position();
                }
            }
        }
    }

    fn too_long(&self, limit: usize, unit: &'static str) -> SourceError {
        SourceError::RecordTooLong { path: self.path.to_owned(), line: self.first_line, limit, unit }
    }
}
