//! Frames: as many as ffprobe counts, at the same times, with the bytes that ffmpeg decodes.

use std::fmt::Write as _;
use std::path::Path;

use clipmill::media::{DecodeOptions, DecodeReport, YuvFrame};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::lab::{Lab, PICTURE, TONE, ffprobe, footage, open, run};

struct Decoded {
    pts: Vec<Option<i64>>,
    seconds: Vec<f64>,
    sizes: Vec<(usize, usize)>,
    hashes: Vec<String>,
    report: DecodeReport,
}

fn decode(path: &Path) -> Decoded {
    let mut media = open(path);
    // The second pass must be like the first.
    media.packets(0).unwrap();
    let mut decoder = media.decoder(DecodeOptions::default()).unwrap();
    let (mut pts, mut seconds, mut sizes, mut hashes) = (vec![], vec![], vec![], vec![]);
    while let Some(mut frame) = decoder.next_frame().unwrap() {
        pts.push(frame.pts);
        seconds.push(frame.seconds);
        let yuv = frame.yuv().unwrap();
        sizes.push((yuv.width, yuv.height));
        hashes.push(hash(&yuv));
    }
    Decoded { pts, seconds, sizes, hashes, report: decoder.report() }
}

/// SHA-256 over the planes without padding, as `ffmpeg -f framehash` takes it.
fn hash(frame: &YuvFrame<'_>) -> String {
    let mut hash = Sha256::new();
    let bytes = if frame.depth > 8 { 2 } else { 1 };
    for (index, plane) in frame.planes.iter().enumerate() {
        let (across, down) = if index == 0 { (0, 0) } else { frame.chroma_shift };
        let (row, rows) = (frame.width.div_ceil(1 << across) * bytes, frame.height.div_ceil(1 << down));
        for line in 0..rows {
            hash.update(&plane[line * frame.strides[index]..][..row]);
        }
    }
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn framehash(path: &Path) -> Vec<String> {
    let input = path.to_str().unwrap();
    let hashes = "-map 0:v:0 -vsync passthrough -f framehash -hash sha256 -".split(' ');
    let arguments: Vec<&str> =
        ["-nostdin", "-v", "error", "-noautorotate", "-i", input].into_iter().chain(hashes).collect();
    let lines = run("ffmpeg", &arguments);
    let frames = lines.lines().filter(|line| !line.starts_with('#'));
    frames.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

fn assert_as_ffprobe(path: &Path) -> Decoded {
    let got = decode(path);
    let want = ffprobe(path, "-select_streams v:0 -show_frames");
    let want = want["frames"].as_array().unwrap();
    let pts: Vec<Option<i64>> =
        want.iter().map(|frame| frame.get("best_effort_timestamp").and_then(Value::as_i64)).collect();
    assert_eq!(got.pts, pts, "{}", path.display());
    assert!(!pts.is_empty());
    let start: f64 = ffprobe(path, "-show_format")["format"]["start_time"].as_str().unwrap().parse().unwrap();
    for (seconds, frame) in got.seconds.iter().zip(want) {
        let Some(time) = frame["best_effort_timestamp_time"].as_str() else { continue };
        assert!(
            (seconds - (time.parse::<f64>().unwrap() - start)).abs() < 2e-6,
            "{}: {seconds} {time}",
            path.display()
        );
    }
    got
}

#[test]
fn frames_and_times_are_ffprobes_and_bytes_are_ffmpegs() {
    let lab = Lab::new();
    let h264 = "-c:v libx264 -preset ultrafast -bf 2 -g 12";
    let cases = [
        ("h264.mp4", format!("{PICTURE} {TONE} {h264} -pix_fmt yuv420p -c:a aac")),
        ("h264_422.mkv", format!("{PICTURE} {h264} -pix_fmt yuv422p")),
        ("h264_444.mkv", format!("{PICTURE} {h264} -pix_fmt yuv444p")),
        ("h264_10.mkv", format!("{PICTURE} {h264} -pix_fmt yuv422p10le")),
        (
            "hevc10.mp4",
            format!("{PICTURE} -c:v libx265 -preset ultrafast -x265-params log-level=none -pix_fmt yuv420p10le"),
        ),
        ("vp9.webm", format!("{PICTURE} {TONE} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus")),
        ("mpeg4.avi", format!("{PICTURE} -c:v mpeg4 -bf 2")),
        ("stream.ts", format!("{PICTURE} {TONE} {h264} -pix_fmt yuv420p -c:a aac")),
        ("full_range.avi", format!("{PICTURE} -c:v mjpeg -pix_fmt yuvj420p")),
        ("odd.mkv", "-f lavfi -i testsrc2=d=1:s=321x181 -c:v ffv1 -pix_fmt yuv420p".to_owned()),
        ("narrow.mkv", "-f lavfi -i testsrc2=d=1:s=48x270 -c:v libx264 -preset ultrafast -pix_fmt yuv420p".to_owned()),
        ("one.mp4", format!("{PICTURE} -frames:v 1 {h264} -pix_fmt yuv420p")),
    ];
    for (name, arguments) in cases {
        let path = lab.make(name, &arguments);
        let got = assert_as_ffprobe(&path);
        assert_eq!(got.hashes, framehash(&path), "{name}");
        let report = DecodeReport { frames: got.pts.len() as u64, ..Default::default() };
        let guessed = got.pts.iter().filter(|pts| pts.is_none()).count() as u64;
        assert_eq!(got.report, DecodeReport { guessed_times: guessed, ..report }, "{name}");
    }
    for name in ["bikes.mp4", "bigbuckbunny.mp4"] {
        let path = footage(name);
        assert_eq!(assert_as_ffprobe(&path).hashes, framehash(&path), "{name}");
    }
}

#[test]
fn edit_lists_offsets_and_variable_rates_keep_their_times() {
    let lab = Lab::new();
    let h264 = "-c:v libx264 -preset ultrafast -bf 2 -g 25";
    lab.make("whole.mp4", &format!("{PICTURE} {TONE} {h264} -c:a aac"));
    // Cut between keyframes: packets before the edit list's start are decoded and not shown.
    let cut = assert_as_ffprobe(&lab.make("cut.mp4", "-ss 0.5 -i whole.mp4 -c copy"));
    assert!(cut.pts.len() < 45, "{}", cut.pts.len());
    // Video that starts later than its audio: the container's start counts.
    let late =
        assert_as_ffprobe(&lab.make("late.mkv", "-itsoffset 0.7 -i whole.mp4 -i whole.mp4 -map 0:v -map 1:a -c copy"));
    assert!((late.seconds[0] - 0.7).abs() < 0.05, "{}", late.seconds[0]);
    assert_as_ffprobe(
        &lab.make("negative.mkv", "-i whole.mp4 -c copy -output_ts_offset -0.5 -avoid_negative_ts disabled"),
    );
    let uneven = "select=not(mod(n\\,3))+lt(n\\,10)";
    let vfr = assert_as_ffprobe(&lab.make("vfr.mkv", &format!("{PICTURE} -vf {uneven} -vsync vfr {h264}")));
    assert!(
        vfr.seconds.windows(2).any(|two| two[1] - two[0] > 0.1)
            && vfr.seconds.windows(2).any(|two| two[1] - two[0] < 0.05)
    );
}

#[test]
fn frames_without_any_time_get_increasing_ones() {
    let lab = Lab::new();
    let raw = lab.make("raw.h264", &format!("{PICTURE} -c:v libx264 -preset ultrafast -bf 0 -f h264"));
    let got = decode(&raw);
    assert_eq!(got.pts.len(), 50);
    assert!(got.seconds.windows(2).all(|two| two[0] < two[1]), "{:?}", got.seconds);
}

#[test]
fn a_change_of_size_is_survived_and_told() {
    let lab = Lab::new();
    for (name, size) in [("a.ts", "320x180"), ("b.ts", "160x120")] {
        lab.make(name, &format!("-f lavfi -i testsrc2=d=1:s={size} -c:v libx264 -preset ultrafast"));
    }
    let both = [std::fs::read(lab.path("a.ts")).unwrap(), std::fs::read(lab.path("b.ts")).unwrap()].concat();
    let path = lab.write("both.ts", &both);
    let got = assert_as_ffprobe(&path);
    assert_eq!(got.report.size_changes, 1);
    assert_eq!((got.sizes[0], got.sizes[got.sizes.len() - 1]), ((320, 180), (160, 120)));
}

#[test]
fn other_pixel_formats_become_planar_yuv_of_the_nearest_kind() {
    let lab = Lab::new();
    for (format, depth, shift) in [
        ("gray", 8, (1, 1)),
        ("rgb24", 8, (0, 0)),
        ("bgra", 8, (0, 0)),
        ("yuv420p12le", 10, (1, 1)),
        ("yuv444p16le", 10, (0, 0)),
        ("yuva420p", 8, (1, 1)),
        ("yuv410p", 8, (1, 1)),
    ] {
        let path =
            lab.make("any.mkv", &format!("-f lavfi -i testsrc2=d=0.2:s=64x48 -pix_fmt {format} -c:v ffv1 -strict -1"));
        let mut media = open(&path);
        let mut decoder = media.decoder(DecodeOptions::default()).unwrap();
        let mut frame = decoder.next_frame().unwrap().unwrap();
        let yuv = frame.yuv().unwrap();
        assert_eq!((yuv.depth, yuv.chroma_shift, yuv.width, yuv.height), (depth, shift, 64, 48), "{format}");
        assert!(yuv.planes[0].iter().any(|luma| *luma != yuv.planes[0][0]), "{format}: a picture");
    }
}

#[test]
fn keyframes_alone_can_be_decoded() {
    let lab = Lab::new();
    let path =
        lab.make("a.mp4", &format!("{PICTURE} -c:v libx264 -preset ultrafast -g 10 -keyint_min 10 -sc_threshold 0"));
    let mut media = open(&path);
    let mut decoder = media.decoder(DecodeOptions { keyframes_only: true, ..Default::default() }).unwrap();
    let mut times = vec![];
    while let Some(frame) = decoder.next_frame().unwrap() {
        assert!(frame.is_key);
        times.push((frame.seconds * 10.0).round() as i64);
    }
    assert_eq!(times, [0, 4, 8, 12, 16]);
}
