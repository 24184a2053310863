//! An MP4 file's index before its media, so that it can be played while it comes in.

/// A finished file, perhaps in another order than that in which it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct FileBytes {
    bytes: Vec<u8>,
    /// The index is to stand before the media.
    plan: Option<Plan>,
}

impl FileBytes {
    /// As it was written.
    pub fn plain(bytes: Vec<u8>) -> Self {
        Self { bytes, plan: None }
    }

    /// The index (`moov`) of an MP4 or QuickTime file before the media: what FFmpeg's own `+faststart` has to open the file
    /// once more for. A file of another shape, or over 4 GiB with short offsets, stays as it is: it is as valid.
    ///
    /// The bytes are not moved: most of a file is media.
    pub fn index_first(mut bytes: Vec<u8>) -> Self {
        let plan = plan(&bytes).filter(|plan| {
            let Some(index) = bytes.get_mut(plan.index..plan.end) else { return false };
            let by = index.len() as u64;
            shift(index, by, false).is_some() && shift(index, by, true).is_some()
        });
        Self { bytes, plan }
    }

    /// The whole file, copied into one piece.
    pub fn to_vec(&self) -> Vec<u8> {
        self.pieces().concat()
    }

    /// The file's bytes, one piece behind the other.
    pub fn pieces(&self) -> [&[u8]; 4] {
        let whole = self.bytes.len();
        let Plan { media, index, end } = self.plan.unwrap_or(Plan { media: whole, index: whole, end: whole });
        let ranges = [0..media, index..end, media..index, end..whole];
        ranges.map(|range| self.bytes.get(range).unwrap_or_default())
    }
}

/// Where the media begins, and the index behind it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Plan {
    media: usize,
    index: usize,
    end: usize,
}

fn plan(file: &[u8]) -> Option<Plan> {
    let mut media = None;
    let mut at = 0;
    while let Some((kind, _, end)) = next_box(file, at) {
        match &kind {
            b"moov" => return Some(Plan { media: media?, index: at, end }),
            b"mdat" => media = media.or(Some(at)),
            _ => {}
        }
        at = end;
    }
    None
}

/// Kind of the box at `at`, where its content begins, where it ends.
fn next_box(bytes: &[u8], at: usize) -> Option<([u8; 4], usize, usize)> {
    let rest = bytes.get(at..)?;
    let short = u32::from_be_bytes(*rest.first_chunk()?);
    let kind: [u8; 4] = *rest.get(4..)?.first_chunk()?;
    let (header, size) = match short {
        1 => (16, u64::from_be_bytes(*rest.get(8..)?.first_chunk()?)),
        size => (8, u64::from(size)),
    };
    let size = usize::try_from(size).ok().filter(|size| *size >= header && *size <= rest.len())?;
    Some((kind, at + header, at + size))
}

/// Looks at (or, with `is_done`, raises) all chunk offsets below the box at the start of `bytes`. `None`: one does not fit.
fn shift(bytes: &mut [u8], by: u64, is_done: bool) -> Option<()> {
    let mut at = 0;
    while let Some((kind, content, end)) = next_box(bytes, at) {
        let inside = bytes.get_mut(content..end)?;
        match &kind {
            b"moov" | b"trak" | b"mdia" | b"minf" | b"stbl" => shift(inside, by, is_done)?,
            b"stco" => {
                for offset in inside.get_mut(8..)?.as_chunks_mut::<4>().0 {
                    let raised = u32::try_from(u64::from(u32::from_be_bytes(*offset)) + by).ok()?;
                    if is_done {
                        *offset = raised.to_be_bytes();
                    }
                }
            }
            b"co64" => {
                for offset in inside.get_mut(8..)?.as_chunks_mut::<8>().0 {
                    let raised = u64::from_be_bytes(*offset).checked_add(by)?;
                    if is_done {
                        *offset = raised.to_be_bytes();
                    }
                }
            }
            _ => {}
        }
        at = end;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [&(content.len() as u32 + 8).to_be_bytes(), kind.as_slice(), content].concat()
    }

    fn file(offset: u32) -> Vec<u8> {
        let stco = boxed(b"stco", &[[0; 4], 1_u32.to_be_bytes(), offset.to_be_bytes()].concat());
        let deep = [b"stbl", b"minf", b"mdia", b"trak", b"moov"];
        let moov = deep.iter().fold(stco, |content, kind| boxed(kind, &content));
        [boxed(b"ftyp", b"isom"), boxed(b"mdat", b"media"), moov].concat()
    }

    #[test]
    fn the_index_moves_before_the_media_and_its_offsets_go_along() {
        let bytes = FileBytes::index_first(file(20)).to_vec();
        assert_eq!(bytes.len(), file(20).len());
        assert_eq!(&bytes[16..20], b"moov");
        let at = bytes.windows(4).position(|window| window == b"stco").unwrap();
        let offset = u32::from_be_bytes(*bytes[at + 12..].first_chunk().unwrap()) as usize;
        assert_eq!(&bytes[offset..offset + 5], b"media");
    }

    #[test]
    fn what_cannot_be_moved_stays() {
        for bytes in [file(u32::MAX), b"no boxes at all".to_vec(), Vec::new(), file(20)[..30].to_vec()] {
            assert_eq!(FileBytes::index_first(bytes.clone()).to_vec(), bytes);
        }
    }

    #[test]
    fn what_stands_behind_the_index_stays_there() {
        let behind = boxed(b"free", b"behind");
        let bytes = FileBytes::index_first([file(20), behind.clone()].concat()).to_vec();
        assert_eq!(&bytes[16..20], b"moov");
        assert!(bytes.ends_with(&behind));
    }
}
