//! Parameter sets of H.264: what a decoder has to know before the first slice.

use super::NotSmart;
use super::bits::Bits;
use super::sequence::{HIGH, Sequence, Told};
use super::units::{Framing, kind, kind_of};

/// The parameter sets of a stream, by their numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sets {
    sequences: Vec<(Sequence, Vec<u8>)>,
    pictures: Vec<(u32, Vec<u8>)>,
}

impl Sets {
    /// Those of a stream's header (`extradata`), and how its packets hold units.
    pub fn of_header(header: &[u8]) -> Result<(Self, Framing), NotSmart> {
        let mut sets = Self::default();
        if header.first() != Some(&1) {
            for unit in Framing::StartCodes.units(header).unwrap_or_default() {
                sets.add(unit)?;
            }
            return Ok((sets, Framing::StartCodes));
        }
        let (units, size) = counted(header).ok_or(NotSmart::Damaged)?;
        for unit in units {
            sets.add(unit)?;
        }
        Ok((sets, Framing::Lengths(size)))
    }

    /// Adds a unit, where it is a parameter set.
    ///
    /// # Errors
    /// [`NotSmart::Changes`]: there is another set of this number.
    pub fn add(&mut self, unit: &[u8]) -> Result<(), NotSmart> {
        match kind_of(unit) {
            kind::SPS => {
                let set = Sequence::read(unit).ok_or(NotSmart::Damaged)?;
                match self.sequences.iter().find(|(known, _)| known.id == set.id) {
                    Some((_, known)) if known != unit => return Err(NotSmart::Changes),
                    Some(_) => {}
                    None => self.sequences.push((set, unit.to_vec())),
                }
            }
            kind::PPS => {
                let id = Bits::new(unit).unsigned().filter(|id| *id < 256).ok_or(NotSmart::Damaged)?;
                match self.pictures.iter().find(|(known, _)| *known == id) {
                    Some((_, known)) if known != unit => return Err(NotSmart::Changes),
                    Some(_) => {}
                    None => self.pictures.push((id, unit.to_vec())),
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The one description of the pictures.
    ///
    /// # Errors
    /// [`NotSmart::Changes`]: there are several that differ; [`NotSmart::Damaged`]: there is none.
    pub fn sequence(&self) -> Result<Sequence, NotSmart> {
        let (first, _) = self.sequences.first().ok_or(NotSmart::Damaged)?;
        if self.pictures.is_empty() {
            return Err(NotSmart::Damaged);
        }
        let is_one = self.sequences.iter().all(|(set, _)| set.continues(first) && set.aspect == first.aspect);
        if is_one { Ok(*first) } else { Err(NotSmart::Changes) }
    }

    /// What the one unit that describes the pictures tells of them, see [`Sequence::told`].
    pub fn told(&self) -> Option<Told> {
        match self.sequences.as_slice() {
            [(_, unit)] if !self.pictures.is_empty() => Sequence::told(unit),
            _ => None,
        }
    }

    /// A number that neither kind of set has, small enough for both.
    pub fn free_id(&self) -> Option<u32> {
        let is_taken = |id: u32| {
            self.sequences.iter().any(|(set, _)| set.id == id) || self.pictures.iter().any(|(known, _)| *known == id)
        };
        (0..32).find(|id| !is_taken(*id))
    }

    /// The header of a file that holds pictures of all these sets (`avcC`, ISO/IEC 14496-15, 5.3.3.1): its packets have
    /// lengths of four bytes, and no frame has more than `depth` before it that are shown behind it. `None`: too many sets,
    /// or too long ones.
    pub fn header(&self, depth: u32) -> Option<Vec<u8>> {
        let sets = || self.sequences.iter().map(|(set, _)| set);
        let profile = sets().map(|set| set.profile).max()?;
        let constraints = sets().fold(0xFF, |all, set| all & set.constraints);
        let level = sets().map(|set| set.level).max()?;
        let mut header = vec![1, profile, constraints, level, 0xFF];
        header.push(0xE0 | u8::try_from(self.sequences.len()).ok().filter(|count| *count < 32)?);
        for (_, unit) in &self.sequences {
            push(&mut header, &Sequence::with_depth(unit, depth)?)?;
        }
        header.push(u8::try_from(self.pictures.len()).ok()?);
        for (_, unit) in &self.pictures {
            push(&mut header, unit)?;
        }
        if HIGH.contains(&profile) {
            let set = self.sequence().ok()?;
            let depth = |bits: u32| u8::try_from(bits - 8).ok().map(|depth| 0xF8 | depth);
            header.extend([0xFC | u8::try_from(set.chroma).ok()?, depth(set.depth.0)?, depth(set.depth.1)?, 0]);
        }
        Some(header)
    }
}

fn push(header: &mut Vec<u8>, unit: &[u8]) -> Option<()> {
    header.extend(u16::try_from(unit.len()).ok()?.to_be_bytes());
    header.extend(unit);
    Some(())
}

/// The units of an `avcC` header, and the bytes of the lengths in the packets.
fn counted(header: &[u8]) -> Option<(Vec<&[u8]>, usize)> {
    let size = usize::from(header.get(4)? & 3) + 1;
    let mut units = Vec::new();
    let mut at = 5;
    for mask in [0x1F, 0xFF] {
        let count = header.get(at)? & mask;
        at += 1;
        for _ in 0..count {
            let length = usize::from(u16::from_be_bytes(*header.get(at..)?.first_chunk()?));
            units.push(header.get(at + 2..at + 2 + length)?);
            at += 2 + length;
        }
    }
    Some((units, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What x264 wrote for High 4:2:0 of 8 bits, 320x180, sample aspect ratio 1:1.
    const SPS: [u8; 26] = [
        0x67, 0x64, 0x00, 0x0C, 0xAC, 0xD9, 0x41, 0x41, 0x9F, 0x9F, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00,
        0x00, 0x03, 0x03, 0x20, 0xF1, 0x42, 0x99, 0x60,
    ];
    const PPS: [u8; 6] = [0x68, 0xEB, 0xE3, 0xCB, 0x22, 0xC0];

    #[test]
    fn headers_hold_what_they_were_made_of() {
        let mut sets = Sets::default();
        sets.add(&SPS).unwrap();
        sets.add(&PPS).unwrap();
        let set = sets.sequence().unwrap();
        assert_eq!((set.id, set.profile, set.level, set.chroma, set.depth), (0, 100, 12, 1, (8, 8)));
        assert_eq!((set.size, set.is_progressive, set.aspect), ((20, 12), true, (1, 1)));
        assert_eq!(sets.free_id(), Some(1));
        let header = sets.header(2).unwrap();
        let (again, framing) = Sets::of_header(&header).unwrap();
        assert_eq!((&again, framing), (&sets, Framing::Lengths(4)));
        let marked = [&[0, 0, 0, 1], &SPS[..], &[0, 0, 1], &PPS[..]].concat();
        assert_eq!(Sets::of_header(&marked).unwrap(), (sets, Framing::StartCodes));
        for length in 0..header.len() {
            let _ = Sets::of_header(&header[..length]);
        }
    }

    #[test]
    fn a_second_set_of_the_same_number_is_a_change() {
        let mut sets = Sets::default();
        sets.add(&PPS).unwrap();
        sets.add(&PPS).unwrap();
        assert_eq!(sets.sequence(), Err(NotSmart::Damaged));
        let mut other = PPS;
        other[5] = 0xC8;
        assert_eq!(sets.add(&other), Err(NotSmart::Changes));
        assert_eq!(sets.add(&SPS[..6]), Err(NotSmart::Damaged));
    }
}
