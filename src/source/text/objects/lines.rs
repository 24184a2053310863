//! One object per line.

use serde::de::DeserializeSeed;

use crate::sample::FailureClass;

use super::super::super::cells::Place;
use super::super::super::{MAX_RECORD_BYTES, ReadError};
use super::super::blocks::Blocks;
use super::super::lines::each_line;
use super::Found;
use super::record::Wanted;

/// Hands over each line that is not blank.
pub fn read<E>(
    blocks: &mut Blocks,
    wanted: &[String],
    each: &mut dyn FnMut(Place, Found) -> Result<(), ReadError<E>>,
) -> Result<(), ReadError<E>> {
    each_line(blocks, MAX_RECORD_BYTES + 1, |line, raw| {
        let text = raw.trim_ascii();
        if text.is_empty() { Ok(()) } else { each(Place::Line(line), found(text, wanted)) }
    })
}

fn found(text: &[u8], wanted: &[String]) -> Found {
    if text.len() > MAX_RECORD_BYTES {
        return Found::Bad(FailureClass::FieldTooLarge, format!("longer than {MAX_RECORD_BYTES} bytes"));
    }
    let mut from = serde_json::Deserializer::from_slice(text);
    let record = Wanted { names: wanted, all_names: true }.deserialize(&mut from);
    match record.and_then(|record| from.end().map(|()| record)) {
        Ok(Ok(mut record)) => {
            record.bytes = text.len();
            Found::Record(record)
        }
        Ok(Err(found)) => Found::Bad(FailureClass::BadRow, format!("{found} where an object is expected")),
        Err(error) => {
            let what = error.to_string();
            // The line that the parser means is always its first.
            let what = what.replace(" at line 1 column ", " at its byte ");
            Found::Bad(FailureClass::BadRow, format!("not a JSON object ({what})"))
        }
    }
}
