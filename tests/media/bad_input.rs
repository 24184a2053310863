//! Bad media: each has a stable class, a message that says why, and the same message every time.

use std::fs::File;
use std::path::Path;

use clipmill::fetch::Container;
use clipmill::media::{DecodeOptions, DecodeReport, Limits, Media, MediaError};
use clipmill::sample::{Failure, FailureClass};

use crate::lab::{Lab, PICTURE, TONE, open_as};

fn decode(path: &Path, container: Container, limits: Limits) -> Result<DecodeReport, MediaError> {
    let mut media = Media::open(File::open(path).unwrap(), container, limits)?;
    let mut decoder = media.decoder(DecodeOptions::default())?;
    while let Some(mut frame) = decoder.next_frame()? {
        frame.yuv()?;
    }
    Ok(decoder.report())
}

fn failure_with(path: &Path, container: Container, limits: Limits) -> Failure {
    let one = || Failure::from(decode(path, container, limits).expect_err("this cannot be used"));
    let first = one();
    assert_eq!(first, one(), "the same message every time");
    assert!(!first.message.contains("@ 0x"), "an address: {}", first.message);
    assert!(!first.message.contains('/'), "a path: {}", first.message);
    first
}

fn failure(path: &Path, container: Container) -> Failure {
    failure_with(path, container, Limits::default())
}

fn whole(lab: &Lab) -> Vec<u8> {
    let video = "-c:v libx264 -preset ultrafast -g 10 -pix_fmt yuv420p";
    std::fs::read(lab.make("whole.mp4", &format!("{PICTURE} {TONE} {video} -c:a aac -movflags +faststart"))).unwrap()
}

#[test]
fn bytes_that_are_no_media() {
    let lab = Lab::new();
    let empty = failure(&lab.write("empty", b""), Container::Unknown);
    assert_eq!(empty.class, FailureClass::Empty);
    let page = lab.write("page", b"<!doctype html><html><body>Please log in</body></html>".repeat(40).as_slice());
    for container in [Container::Unknown, Container::Mp4, Container::MpegTs] {
        let failure = failure(&page, container);
        assert!(matches!(failure.class, FailureClass::NotMedia | FailureClass::NotDecodable), "{failure:?}");
    }
    assert_eq!(failure(&page, Container::Unknown).class, FailureClass::NotMedia);
    for name in ["picture.png", "picture.jpg"] {
        let picture = lab.make(name, "-f lavfi -i testsrc=s=64x64 -frames:v 1");
        assert_eq!(failure(&picture, Container::Unknown).class, FailureClass::NotMedia, "{name}");
    }
    let noise: Vec<u8> = (0..50_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    assert_eq!(failure(&lab.write("noise", &noise), Container::Unknown).class, FailureClass::NotMedia);
}

#[test]
fn a_container_is_only_read_as_what_it_was_sniffed_as() {
    let lab = Lab::new();
    let bytes = whole(&lab);
    let path = lab.write("whole", &bytes);
    assert_eq!(failure(&path, Container::Matroska).class, FailureClass::NotMedia);
    // Nor does a playlist open the file that it names.
    let list = format!("ffconcat version 1.0\nfile '{}'\n", lab.path("whole").display());
    assert_eq!(failure(&lab.write("list", list.as_bytes()), Container::Unknown).class, FailureClass::NotMedia);
    let hls =
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n", lab.path("whole").display());
    assert_eq!(failure(&lab.write("hls", hls.as_bytes()), Container::Unknown).class, FailureClass::NotMedia);
}

#[test]
fn truncated_files() {
    let lab = Lab::new();
    let bytes = whole(&lab);
    // Without its index, which the muxer writes last unless told otherwise.
    let last = std::fs::read(lab.make("last.mp4", "-i whole.mp4 -c copy")).unwrap();
    let no_index = failure(&lab.write("no_index", &last[..last.len() / 2]), Container::Mp4);
    assert_eq!(no_index.class, FailureClass::NotDecodable);
    assert!(no_index.message.contains("moov atom not found"), "{}", no_index.message);
    // With it, the first frames are there, and the report says that the rest is not.
    let half = lab.write("half", &bytes[..bytes.len() / 2]);
    let report = decode(&half, Container::Mp4, Limits::default()).unwrap();
    assert!(report.ended_early && report.frames > 5 && report.frames < 45, "{report:?}");
    for cut in [1, 10, 40, 300] {
        let path = lab.write("short", &bytes[..cut]);
        let class = failure(&path, Container::Mp4).class;
        // Cut inside the index, what is left of it may list a stream of no known kind.
        let known = [FailureClass::NotDecodable, FailureClass::NotMedia, FailureClass::NoVideo];
        assert!(known.contains(&class), "{cut} bytes: {class}");
    }
}

#[test]
fn headers_that_promise_too_much_are_refused_before_a_decoder_is_opened() {
    let lab = Lab::new();
    let path = lab.make("small.mkv", &format!("{PICTURE} -c:v ffv1"));
    let avi = lab.make("small.avi", &format!("{PICTURE} -c:v mpeg4"));
    let huge = with_size(std::fs::read(avi).unwrap(), 100_000);
    let huge = failure(&lab.write("huge", &huge), Container::Avi);
    assert_eq!(huge.class, FailureClass::MediaLimit);
    assert!(huge.message.contains("100000x100000"), "{}", huge.message);
    let limits = Limits { max_pixels: 320 * 180 - 1, ..Limits::default() };
    assert_eq!(failure_with(&path, Container::Matroska, limits).class, FailureClass::MediaLimit);
    let limits = Limits { max_duration: 1.5, ..Limits::default() };
    assert_eq!(failure_with(&path, Container::Matroska, limits).class, FailureClass::MediaLimit);
    let limits = Limits { max_packets: 20, ..Limits::default() };
    assert_eq!(failure_with(&path, Container::Matroska, limits).class, FailureClass::MediaLimit);
    let limits = Limits { max_streams: 0, ..Limits::default() };
    assert_eq!(failure_with(&path, Container::Matroska, limits).class, FailureClass::MediaLimit);
    let exact = Limits { max_pixels: 320 * 180, max_packets: 50, max_streams: 1, ..Limits::default() };
    assert_eq!(decode(&path, Container::Matroska, exact).unwrap().frames, 50);
}

/// An AVI file whose stream header says another size: two little-endian integers behind `strf`, the chunk's length and
/// the header's own.
fn with_size(mut bytes: Vec<u8>, size: u32) -> Vec<u8> {
    let at = bytes.windows(4).position(|four| four == b"strf").unwrap() + 12;
    bytes[at..at + 4].copy_from_slice(&size.to_le_bytes());
    bytes[at + 4..at + 8].copy_from_slice(&size.to_le_bytes());
    bytes
}

#[test]
fn streams_that_are_missing() {
    let lab = Lab::new();
    let audio = lab.make("audio.m4a", &format!("{TONE} -c:a aac"));
    assert_eq!(failure(&audio, Container::Mp4).class, FailureClass::NoVideo);
    let silent = lab.make("silent.mp4", &format!("{PICTURE} -c:v libx264 -preset ultrafast"));
    let error = open_as(&silent, Container::Mp4).unwrap().audio().unwrap_err();
    assert_eq!(error.failure_class(), FailureClass::NoAudio);
}

#[test]
fn damaged_packets_are_counted_and_skipped_up_to_the_limit() {
    let lab = Lab::new();
    let path = lab.make("a.mkv", "-f lavfi -i testsrc2=d=2:s=128x96:r=25 -c:v ffv1 -slicecrc 0 -g 1");
    let mut media = open_as(&path, Container::Matroska).unwrap();
    let packets = media.packets(0).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    for packet in packets.iter().skip(3).take(10) {
        // The packet's data follows its block header.
        let start = packet.position.unwrap() as usize + 8;
        bytes[start..start + 40].fill(0xff);
    }
    let path = lab.write("damaged", &bytes);
    let report = decode(&path, Container::Matroska, Limits::default()).unwrap();
    assert!(report.corrupt_packets + report.damaged_frames > 0, "{report:?}");
    assert!(report.frames >= 40, "{report:?}");
}
