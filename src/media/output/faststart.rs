//! An MP4 file's index before its media, so that it can be played while it comes in.

/// Moves the index (`moov`) of a finished MP4 or QuickTime file before the media. Done in place and in memory, as FFmpeg's
/// own `+faststart` has to open the file once more. A file of another shape, or over 4 GiB with short offsets, stays as it
/// is: it is as valid.
pub fn index_first(file: &mut [u8]) {
    let Some(plan) = plan(file) else { return };
    let Some(index) = file.get_mut(plan.index..plan.end) else { return };
    let by = index.len() as u64;
    if shift(index, by, false).is_none() || shift(index, by, true).is_none() {
        return;
    }
    if let Some(rest) = file.get_mut(plan.media..plan.end) {
        rest.rotate_right(plan.end - plan.index);
    }
}

/// Where the media begins, and the index behind it.
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
        let mut bytes = file(20);
        index_first(&mut bytes);
        assert_eq!(&bytes[16..20], b"moov");
        let at = bytes.windows(4).position(|window| window == b"stco").unwrap();
        let offset = u32::from_be_bytes(*bytes[at + 12..].first_chunk().unwrap()) as usize;
        assert_eq!(&bytes[offset..offset + 5], b"media");
    }

    #[test]
    fn what_cannot_be_moved_stays() {
        for mut bytes in [file(u32::MAX), b"no boxes at all".to_vec(), Vec::new(), file(20)[..30].to_vec()] {
            let before = bytes.clone();
            index_first(&mut bytes);
            assert_eq!(bytes, before);
        }
    }
}
