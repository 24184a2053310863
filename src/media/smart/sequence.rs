//! The sequence parameter set of H.264: what it says, and how far frames are reordered, where it does not say that.

use super::bits::{Bits, Writer};

/// Profiles whose sets tell chroma and depth (ITU-T H.264, 7.3.2.1.1).
pub const HIGH: [u8; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// Sample aspect ratios by `aspect_ratio_idc` (table E-1).
const ASPECTS: [(u32, u32); 17] = [
    (0, 1),
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];

/// Level, and macroblocks of the frames that its decoders hold (table A-1). Level 1b holds what level 1 does.
const LEVELS: [(u8, u32); 19] = [
    (9, 396),
    (10, 396),
    (11, 900),
    (12, 2376),
    (13, 2376),
    (20, 2376),
    (21, 4752),
    (22, 8100),
    (30, 8100),
    (31, 18_000),
    (32, 20_480),
    (40, 32_768),
    (41, 32_768),
    (42, 34_816),
    (50, 110_400),
    (51, 184_320),
    (60, 696_320),
    (61, 696_320),
    (62, 696_320),
];
/// No decoder holds more frames.
const MOST_FRAMES: u32 = 16;

/// What a sequence parameter set says of the pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence {
    pub id: u32,
    pub profile: u8,
    /// Bits of constraints, as the set has them.
    pub constraints: u8,
    pub level: u8,
    /// `chroma_format_idc`: 1 is 4:2:0, 2 is 4:2:2.
    pub chroma: u32,
    /// Bits of luma and of chroma.
    pub depth: (u32, u32),
    /// Size as coded, in macroblocks.
    pub size: (u32, u32),
    /// Frames that may be referred to.
    references: u32,
    /// No fields, neither pictures nor macroblocks of them.
    pub is_progressive: bool,
    /// Sample aspect ratio; 0:1 where it is not told.
    pub aspect: (u32, u32),
    /// Pixels of 4:2:0 that are cut off, in pairs: left, right, top, bottom.
    crop: [u32; 4],
}

/// What a decoder finds out of a set before it decodes anything: of one that leaves nothing to guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Pixels that are shown.
    pub size: (u32, u32),
    pub aspect: (u32, u32),
    pub usability: Usability,
    /// Frames that are shown behind a frame that comes after them.
    pub reordered: u32,
}

/// Usability information (E.1.1) that says how pictures look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usability {
    aspect: (u32, u32),
    /// Where the signal is described: whether its range is full.
    pub is_full: Option<bool>,
    /// Numbers of primaries, transfer and matrix.
    pub colour: Option<[u32; 3]>,
    /// `chroma_sample_loc_type_top_field`
    pub place: Option<u32>,
}

impl Sequence {
    /// Reads a unit; `None`: it is damaged.
    pub fn read(unit: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(unit);
        let head = Self::head(&mut bits)?;
        let aspect = if bits.flag()? { aspect(&mut bits)? } else { (0, 1) };
        Some(Self { aspect, ..head })
    }

    /// All before the usability information.
    fn head(bits: &mut Bits) -> Option<Self> {
        let profile = u8::try_from(bits.number(8)?).ok()?;
        let constraints = u8::try_from(bits.number(8)?).ok()?;
        let level = u8::try_from(bits.number(8)?).ok()?;
        let id = bits.unsigned().filter(|id| *id < 32)?;
        let (chroma, depth) = if HIGH.contains(&profile) { formats(bits)? } else { (1, (8, 8)) };
        skip_order(bits)?;
        let references = bits.unsigned().filter(|count| *count <= MOST_FRAMES)?;
        bits.flag()?;
        let size = (bits.unsigned()?.checked_add(1)?, bits.unsigned()?.checked_add(1)?);
        let is_progressive = bits.flag()?;
        if !is_progressive {
            bits.flag()?;
        }
        bits.flag()?;
        let mut crop = [0; 4];
        if bits.flag()? {
            for side in &mut crop {
                *side = bits.unsigned()?;
            }
        }
        let aspect = (0, 1);
        Some(Self { id, profile, constraints, level, chroma, depth, size, references, is_progressive, aspect, crop })
    }

    /// What a unit tells of pictures in frames of 4:2:0 with 8 bits; `None`: of others, or where a decoder would have to
    /// look at slices to know.
    pub fn told(unit: &[u8]) -> Option<Told> {
        let mut bits = Bits::new(unit);
        let head = Self::head(&mut bits)?;
        if (head.chroma, head.depth, head.is_progressive) != (1, (8, 8), true) || !bits.flag()? {
            return None;
        }
        let usability = usability(&mut bits)?;
        // Without limits of the stream, how far frames are reordered is a guess.
        if !bits.flag()? {
            return None;
        }
        bits.flag()?;
        for _ in 0..4 {
            bits.unsigned()?;
        }
        let reordered = bits.unsigned().filter(|count| *count <= MOST_FRAMES)?;
        let side = |blocks: u32, from: u32, to: u32| {
            let cut = from.checked_add(to)?.checked_mul(2)?;
            blocks.checked_mul(16)?.checked_sub(cut).filter(|pixels| *pixels > 0)
        };
        let [left, right, top, bottom] = head.crop;
        let size = (side(head.size.0, left, right)?, side(head.size.1, top, bottom)?);
        Some(Told { size, aspect: usability.aspect, usability, reordered })
    }

    /// The unit, saying that a frame has at most `depth` frames before it that are shown behind it, where it does not say so
    /// already. `None`: it is damaged.
    ///
    /// A decoder that is not told has to guess, from the first frames, and loses some where more are reordered later: behind
    /// an edge, where none are.
    pub fn with_depth(unit: &[u8], depth: u32) -> Option<Vec<u8>> {
        let mut bits = Bits::new(unit);
        let head = Self::head(&mut bits)?;
        let mut out = Writer::default();
        if bits.flag()? {
            usability(&mut bits)?;
            out.copy(&bits);
            if bits.flag()? {
                bits.flag()?;
                for _ in 0..4 {
                    bits.unsigned()?;
                }
                if bits.unsigned()? >= depth {
                    return Some(unit.to_vec());
                }
            }
        } else {
            // The flag that was read, set; and none of the eight kinds of information before the one that is added.
            bits.back();
            out.copy(&bits);
            out.number(1 << 8, 9);
        }
        out.number(1, 1);
        // No limits of vectors, or of bytes: what is taken to be where nothing is said.
        out.number(1, 1);
        for limit in [0, 0, 16, 16] {
            out.unsigned(limit);
        }
        out.unsigned(depth);
        out.unsigned(head.frames().max(head.references).max(depth).min(MOST_FRAMES));
        Some(out.finish(*unit.first()?))
    }

    /// Frames that a decoder of this level has to hold (A.3.1, `MaxDpbFrames`).
    fn frames(&self) -> u32 {
        let found = LEVELS.iter().rev().find(|(level, _)| *level <= self.level);
        let blocks = self.size.0.saturating_mul(self.size.1).max(1);
        (found.map_or(0, |(_, held)| *held) / blocks).clamp(1, MOST_FRAMES)
    }

    /// Whether pictures of both can follow one another in one stream without a new decoder.
    pub fn continues(&self, other: &Self) -> bool {
        let of = |set: &Self| (set.chroma, set.depth, set.size, set.is_progressive);
        of(self) == of(other)
    }
}

/// Everything of the usability information before the limits of the stream (E.1.1).
fn usability(bits: &mut Bits) -> Option<Usability> {
    let aspect = aspect(bits)?;
    if bits.flag()? {
        bits.flag()?;
    }
    let (mut is_full, mut colour) = (None, None);
    if bits.flag()? {
        bits.number(3)?;
        is_full = Some(bits.flag()?);
        if bits.flag()? {
            colour = Some([bits.number(8)?, bits.number(8)?, bits.number(8)?]);
        }
    }
    let mut place = None;
    if bits.flag()? {
        place = Some(bits.unsigned()?);
        bits.unsigned()?;
    }
    if bits.flag()? {
        bits.number(32)?;
        bits.number(32)?;
        bits.flag()?;
    }
    let mut has_buffer = false;
    for _ in 0..2 {
        if bits.flag()? {
            has_buffer = true;
            skip_buffer(bits)?;
        }
    }
    if has_buffer {
        bits.flag()?;
    }
    bits.flag()?;
    Some(Usability { aspect, is_full, colour, place })
}

/// Parameters of the reference decoder's buffer (E.1.2).
fn skip_buffer(bits: &mut Bits) -> Option<()> {
    let count = bits.unsigned().filter(|count| *count < 32)?;
    bits.number(8)?;
    for _ in 0..=count {
        bits.unsigned()?;
        bits.unsigned()?;
        bits.flag()?;
    }
    bits.number(20)?;
    Some(())
}

/// Chroma format and depths.
fn formats(bits: &mut Bits) -> Option<(u32, (u32, u32))> {
    let chroma = bits.unsigned()?;
    if chroma == 3 {
        bits.flag()?;
    }
    let depth = (bits.unsigned()?.checked_add(8)?, bits.unsigned()?.checked_add(8)?);
    bits.flag()?;
    if bits.flag()? {
        for list in 0..if chroma == 3 { 12 } else { 8 } {
            if bits.flag()? {
                skip_scaling(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some((chroma, depth))
}

fn skip_scaling(bits: &mut Bits, length: u32) -> Option<()> {
    let (mut last, mut next) = (8, 8);
    for _ in 0..length {
        if next != 0 {
            next = (last + bits.signed()?).rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

/// How frames are numbered and ordered.
fn skip_order(bits: &mut Bits) -> Option<()> {
    bits.unsigned()?;
    match bits.unsigned()? {
        0 => {
            bits.unsigned()?;
        }
        1 => {
            bits.flag()?;
            bits.signed()?;
            bits.signed()?;
            for _ in 0..bits.unsigned().filter(|count| *count < 256)? {
                bits.signed()?;
            }
        }
        _ => {}
    }
    Some(())
}

/// The first field of the usability information.
fn aspect(bits: &mut Bits) -> Option<(u32, u32)> {
    if !bits.flag()? {
        return Some((0, 1));
    }
    let told = match bits.number(8)? {
        255 => (bits.number(16)?, bits.number(16)?),
        index => ASPECTS.get(usize::try_from(index).ok()?).copied().unwrap_or((0, 1)),
    };
    Some(if told.0 == 0 || told.1 == 0 { (0, 1) } else { told })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What x264 wrote for High 4:2:0 of 8 bits, 320x180, two frames of reordering.
    pub const SPS: [u8; 26] = [
        0x67, 0x64, 0x00, 0x0C, 0xAC, 0xD9, 0x41, 0x41, 0x9F, 0x9F, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00,
        0x00, 0x03, 0x03, 0x20, 0xF1, 0x42, 0x99, 0x60,
    ];

    #[test]
    fn what_is_said_already_stays_and_all_else_is_kept() {
        assert_eq!(Sequence::with_depth(&SPS, 2).unwrap(), SPS);
        let deeper = Sequence::with_depth(&SPS, 4).unwrap();
        assert_ne!(deeper, SPS);
        assert_eq!(Sequence::read(&deeper), Sequence::read(&SPS));
        assert_eq!(Sequence::with_depth(&deeper, 4).unwrap(), deeper);
        assert_eq!(Sequence::with_depth(&deeper, 3).unwrap(), deeper);
        // The same set without any usability information: the last flag of the head is cleared, and the end marked.
        let mut bits = Bits::new(&SPS);
        Sequence::head(&mut bits).unwrap();
        let mut out = Writer::default();
        out.copy(&bits);
        out.number(0, 1);
        let bare = out.finish(0x67);
        let told = Sequence::with_depth(&bare, 2).unwrap();
        assert_eq!(Sequence::read(&told), Sequence::read(&bare));
        assert_eq!(Sequence::with_depth(&told, 2).unwrap(), told);
        assert!(told.len() > bare.len() && told.len() < SPS.len());
    }

    #[test]
    fn damaged_sets_are_none() {
        for length in 0..SPS.len() - 1 {
            let _ = Sequence::read(&SPS[..length]);
            let _ = Sequence::with_depth(&SPS[..length], 3);
        }
        assert_eq!(Sequence::read(&SPS[..6]), None);
        assert_eq!(Sequence::with_depth(&SPS[..20], 3), None);
    }

    #[test]
    fn levels_hold_as_many_frames_as_the_table_says() {
        assert!(LEVELS.is_sorted());
        let of = |level, size| Sequence { level, size, ..Sequence::read(&SPS).unwrap() }.frames();
        assert_eq!((of(40, (120, 68)), of(31, (80, 45)), of(51, (240, 135)), of(10, (11, 9))), (4, 5, 5, 4));
        assert_eq!((of(62, (8, 8)), of(1, (400, 400))), (16, 1));
    }
}
