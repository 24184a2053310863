//! NAL units of H.264: how packets and headers hold them.

use memchr::memmem;

/// `nal_unit_type` (ITU-T H.264, table 7-1).
pub mod kind {
    /// A slice of a picture that others may refer past.
    pub const SLICE: u8 = 1;
    /// A slice of a picture that nothing behind it refers past.
    pub const IDR: u8 = 5;
    pub const SEI: u8 = 6;
    pub const SPS: u8 = 7;
    pub const PPS: u8 = 8;
    pub const DELIMITER: u8 = 9;
    pub const FILLER: u8 = 12;
}

/// A unit's type.
pub fn kind_of(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |header| header & 0x1F)
}

/// How units are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Each has its length before it, in so many bytes: mp4, mov, mkv.
    Lengths(usize),
    /// Start codes between them (Annex B): TS, AVI.
    StartCodes,
}

impl Framing {
    /// The units of a packet. `None`: it is damaged.
    pub fn units(self, bytes: &[u8]) -> Option<Vec<&[u8]>> {
        match self {
            Framing::Lengths(size) => with_lengths(bytes, size),
            Framing::StartCodes => Some(with_start_codes(bytes)),
        }
    }
}

fn with_lengths(mut bytes: &[u8], size: usize) -> Option<Vec<&[u8]>> {
    let mut units = Vec::new();
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_at_checked(size)?;
        let length = head.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
        let (unit, rest) = rest.split_at_checked(length)?;
        if !unit.is_empty() {
            units.push(unit);
        }
        bytes = rest;
    }
    Some(units)
}

fn with_start_codes(bytes: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> = memmem::find_iter(bytes, &[0, 0, 1]).map(|at| at + 3).collect();
    let ends = starts.iter().skip(1).map(|next| next - 3).chain([bytes.len()]);
    let units = starts.iter().zip(ends).map(|(start, end)| bytes.get(*start..end).unwrap_or_default());
    // A unit ends with a bit that is set: zeros behind it are padding, or the longer form of the next start code.
    let trimmed = units.map(|unit| unit.get(..unit.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1)));
    trimmed.flatten().filter(|unit| !unit.is_empty()).collect()
}

/// A packet of these units with lengths of four bytes.
pub fn packed<'u>(units: impl Iterator<Item = &'u [u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for unit in units {
        // A packet has less than 2 GiB.
        bytes.extend(u32::try_from(unit.len()).unwrap_or(0).to_be_bytes());
        bytes.extend(unit);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_found_in_either_framing() {
        let units: [&[u8]; 3] = [&[0x67, 1, 2], &[0x68, 0, 5], &[0x65, 9]];
        let marked = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 0, 5, 0, 0, 1, 0x65, 9, 0, 0];
        assert_eq!(Framing::StartCodes.units(&marked).unwrap(), units);
        let counted = packed(units.into_iter());
        assert_eq!(Framing::Lengths(4).units(&counted).unwrap(), units);
        assert_eq!(Framing::Lengths(2).units(&[0, 2, 0x65, 9]).unwrap(), [&[0x65, 9]]);
        assert_eq!(units.map(kind_of), [kind::SPS, kind::PPS, kind::IDR]);
    }

    #[test]
    fn damaged_packets_have_no_units() {
        assert_eq!(Framing::Lengths(4).units(&[0, 0, 0, 9, 1]), None);
        assert_eq!(Framing::Lengths(4).units(&[0, 0]), None);
        assert_eq!(Framing::Lengths(4).units(&[0xFF; 8]), None);
        assert_eq!(Framing::StartCodes.units(&[1, 2, 3]).unwrap(), Vec::<&[u8]>::new());
    }
}
