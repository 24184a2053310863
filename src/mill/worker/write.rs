//! Outputs on their way to the rank.

use std::fs::File;
use std::io::Write;

use serde_json::{Map, Value};

use crate::mill::limits::Limits;
use crate::mill::wire::Region;
use crate::sample::{Failure, FailureClass};

/// One output sample, as a handler made it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Made {
    /// Its JSON fields.
    pub meta: Map<String, Value>,
    /// Extension without the dot (letters, digits, `.`, `_`, `-`), and bytes.
    pub members: Vec<(String, Vec<u8>)>,
}

/// Writes all members one after the other into the outputs' file.
pub(super) fn write(made: Vec<Made>, file: &File, limits: &Limits) -> Result<Vec<Region>, Failure> {
    let total = made.iter().flat_map(|made| &made.members).map(|(_, bytes)| bytes.len() as u64).sum::<u64>();
    if total > limits.output_bytes {
        let what = format!("the sample's outputs have {total} bytes, over the limit of {}", limits.output_bytes);
        return Err(Failure::new(FailureClass::OutputTooLarge, what));
    }
    let mut file = file;
    let mut offset = 0;
    let mut regions = Vec::with_capacity(made.len());
    for output in made {
        let mut members = Vec::with_capacity(output.members.len());
        for (extension, bytes) in output.members {
            file.write_all(&bytes).map_err(|error| {
                Failure::new(FailureClass::DecoderMemory, format!("no room for the outputs: {error}"))
            })?;
            members.push((extension, offset, bytes.len() as u64));
            offset += bytes.len() as u64;
        }
        regions.push(Region { meta: output.meta, members });
    }
    Ok(regions)
}
