use std::convert::Infallible;
use std::io::Cursor;

use super::*;

struct Bytes(Vec<u8>);

impl Target for Bytes {
    type Error = Infallible;

    fn write_at(&mut self, at: u64, bytes: &[u8]) -> Result<(), Infallible> {
        let at = at as usize;
        self.0.resize(self.0.len().max(at + bytes.len()), 0);
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}

const TEXT: Type = Type::new(Kind::Text, 5);

fn sample_file(samples: usize) -> Vec<u8> {
    let (mut writer, mut out) = (Writer::default(), Bytes(Vec::new()));
    for n in 0..samples {
        let text = writer.small(&mut out, TEXT, &[], b"hello", &[("n", Attribute::Integer(n as i64))]).unwrap();
        let Ok(()) = writer.link(&format!("folder/{n:05}"), "txt", text) else { panic!() };
    }
    let mut chunks = Chunks::new(Type::new(Kind::Float, 4), &[200, 300], 3).unwrap();
    for n in 0..3u8 {
        chunks.push(&mut writer, &mut out, &[n; 200 * 300 * 4]).unwrap();
    }
    let flow = chunks.finish(&mut writer, &mut out, &[("fps", Attribute::Float(2.5))]).unwrap();
    writer.link("", "flow", flow).unwrap();
    writer.finish(&mut out).unwrap();
    out.0
}

fn read(bytes: Vec<u8>) -> Result<Vec<(Found, Vec<u8>)>, ReadError> {
    let mut reader = Reader::new(Cursor::new(bytes))?;
    let found = reader.datasets()?;
    found.into_iter().map(|found| Ok((found.clone(), reader.read(&found)?))).collect()
}

#[test]
fn what_was_written_is_found() {
    for samples in [0, 1, 8, 9, 300, 3000] {
        let found = read(sample_file(samples)).unwrap();
        assert_eq!(found.len(), samples + 1);
        let (flow, _) = &found[0];
        assert_eq!((flow.name.as_str(), flow.shape.as_slice(), flow.at), ("flow", &[3, 200, 300][..], None));
        for (n, (text, bytes)) in found[1..].iter().enumerate() {
            assert_eq!((&text.path, &text.name, &bytes[..]), (&format!("folder/{n:05}"), &"txt".into(), &b"hello"[..]));
        }
    }
    assert_eq!(sample_file(9), sample_file(9));
}

#[test]
fn cut_files_are_damaged_and_spoiled_ones_do_no_harm() {
    let whole = sample_file(9);
    for cut in (0..whole.len()).step_by(7) {
        assert!(read(whole[..cut].to_vec()).is_err(), "cut at {cut}");
    }
    for at in (0..whole.len()).step_by(3) {
        for value in [0, 1, 0xff] {
            let mut spoiled = whole.clone();
            spoiled[at] = value;
            // Any answer will do, as long as there is one.
            let _ = read(spoiled);
        }
    }
}

#[test]
fn a_name_is_a_group_or_a_dataset() {
    let (mut writer, mut out) = (Writer::default(), Bytes(Vec::new()));
    let text = writer.small(&mut out, TEXT, &[], b"hello", &[]).unwrap();
    writer.link("a", "b", text).unwrap();
    assert_eq!(writer.link("a/b", "c", text), Err(Clash("a/b".into())));
    assert_eq!(writer.link("a", "b", text), Err(Clash("a/b".into())));
}

#[test]
fn shapes_that_cannot_be_chunked() {
    let of = Type::new(Kind::Float, 2);
    for shape in [&[0, 4][..], &[1, 1 << 40], &[u64::MAX, 2], &[1 << 20, 1 << 26]] {
        assert!(Chunks::new(of, shape, 1).is_none(), "{shape:?}");
    }
    assert!(Chunks::new(of, &[], 5).is_some());
}

/// Takes whatever comes, and keeps nothing.
struct Nowhere;

impl Target for Nowhere {
    type Error = Infallible;

    fn write_at(&mut self, _: u64, _: &[u8]) -> Result<(), Infallible> {
        Ok(())
    }
}

#[test]
fn memory_and_room_do_not_depend_on_what_comes() {
    // Noise and rest: what compresses not at all, and what compresses well.
    let noise: Vec<u8> = (0u32..120 * 80 * 4).map(|n| (n.wrapping_mul(0x9e37_79b9) >> 13) as u8).collect();
    for (shape, slice) in [([120, 80, 2], &noise[..]), ([120, 80, 2], &[0; 120 * 80 * 4])] {
        let (mut writer, mut chunks) =
            (Writer::default(), Chunks::new(Type::new(Kind::Float, 2), &shape, 1000).unwrap());
        let most = chunks.most_bytes(400);
        let measured = allocation_counter::measure(|| {
            for _ in 0..400 {
                chunks.push(&mut writer, &mut Nowhere, slice).unwrap();
            }
            chunks.finish(&mut writer, &mut Nowhere, &[]).unwrap();
        });
        assert!(measured.bytes_max < 2 << 20, "{} bytes for 15 MB", measured.bytes_max);
        let len = writer.finish(&mut Nowhere).unwrap();
        assert!(len <= most, "{len} bytes, and room for {most}");
    }
}
