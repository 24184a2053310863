//! Bad media gets one clear status each. No rank dies of it, no row is lost, and the good samples beside it are whole.

use std::fs;

use serde_json::Value;

use crate::common::job::Ended;
use crate::lab::{Lab, Samples, samples, video};

const DECODES: &str =
    "{CutDetectionSubsampler: {args: {}}, ResolutionSubsampler: {args: {video_size: 48, resize_mode: scale}}}";
const PICTURE: &str = "-f lavfi -i testsrc2=d=2:s=96x64:r=25 -preset ultrafast -bf 0";

/// All files through the same job; each row must come out once.
#[track_caller]
fn run(lab: &Lab, files: &[&str], options: &[&str]) -> Samples {
    run_steps(lab, files, DECODES, options)
}

#[track_caller]
fn run_steps(lab: &Lab, files: &[&str], steps: &str, options: &[&str]) -> Samples {
    let table = lab.table(files);
    let options = [options, &["max_failed_fraction=1"]].concat();
    let ended = Ended::of(lab.command(&table, steps, "out", &options).output().unwrap()).expect(0);
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    crate::common::job::verify(&lab.path("out"));
    let made = samples(&lab.path("out"));
    assert_eq!(made.len(), files.len(), "{:?}", made.keys());
    made
}

fn key(n: usize) -> String {
    format!("{n:08}")
}

#[track_caller]
fn fails(made: &Samples, n: usize, status: &str, words: &str) {
    let sample = &made[&key(n)];
    let message = sample.meta["error_message"].as_str().unwrap_or_default();
    assert_eq!(sample.meta["status"], status, "{n}: {message}");
    assert!(message.contains(words), "{n}: {message}");
    assert!(sample.members.is_empty());
}

#[test]
fn what_is_no_video_says_so() {
    let lab = Lab::new();
    lab.make("good.mp4", PICTURE);
    lab.make("end.mp4", &format!("{PICTURE} -movflags +faststart"));
    let good = fs::read(lab.path("good.mp4")).unwrap();
    lab.write("no-moov.mp4", &good[..good.len() / 2]);
    lab.write("zero.mp4", "");
    lab.write("page.mp4", "<!DOCTYPE html><html><body>log in first</body></html>");
    lab.make("picture.png", "-f lavfi -i testsrc2=d=1:s=96x64:r=1 -frames:v 1");
    fs::rename(lab.path("picture.png"), lab.path("picture.mp4")).unwrap();
    lab.make("sound.mp4", "-f lavfi -i sine=d=1 -c:a aac");
    let files = ["good.mp4", "no-moov.mp4", "zero.mp4", "page.mp4", "picture.mp4", "sound.mp4", "end.mp4"];
    let made = run(&lab, &files, &[]);
    for n in [0, 6] {
        assert_eq!(made[&key(n)].meta["status"], "success");
        assert_eq!(video(&lab.member(&made[&key(n)], "mp4")).2, 50);
    }
    fails(&made, 1, "failed_to_subsample", "moov");
    fails(&made, 2, "failed_to_download", "empty");
    fails(&made, 3, "failed_to_download", "HTML");
    fails(&made, 4, "failed_to_download", "PNG");
    fails(&made, 5, "failed_to_subsample", "no video");
}

#[test]
fn odd_videos_are_made_all_the_same() {
    let lab = Lab::new();
    lab.make("one.mp4", &format!("{PICTURE} -frames:v 1"));
    lab.make("odd.mp4", "-f lavfi -i testsrc2=d=2:s=97x63:r=25 -pix_fmt yuv444p -preset ultrafast");
    lab.make("narrow.mp4", "-f lavfi -i testsrc2=d=2:s=48x96:r=25 -preset ultrafast");
    // An edit list that hides the first half second; times that begin before zero; one fps; no times at all.
    lab.make("gop.mp4", &format!("{PICTURE} -g 50"));
    lab.make("edits.mp4", "-ss 0.5 -i gop.mp4 -c copy");
    lab.make("negative.mkv", "-itsoffset -0.4 -i gop.mp4 -c copy -avoid_negative_ts disabled");
    lab.make("raw.h264", "-i gop.mp4 -c copy -bsf:v h264_mp4toannexb -f h264");
    lab.make("timeless.avi", "-fflags +genpts -i raw.h264 -c copy");
    let files = ["one.mp4", "odd.mp4", "narrow.mp4", "edits.mp4", "negative.mkv", "timeless.avi"];
    let made = run(&lab, &files, &[]);
    let size = |n: usize| {
        let sample = &made[&key(n)];
        assert_eq!(sample.meta["status"], "success", "{}", sample.meta);
        video(&lab.member(sample, "mp4"))
    };
    assert_eq!(size(0).2, 1);
    assert_eq!(size(1).2, 50);
    assert_eq!(size(1).1, 48);
    assert_eq!(size(2).1, 48);
    for n in [3, 4, 5] {
        let (_, height, frames) = size(n);
        assert!(height == 48 && (35..=50).contains(&frames), "{}: {frames} frames", files[n]);
    }
}

#[test]
fn a_file_cut_in_the_middle_gives_what_is_there_or_fails_with_a_reason() {
    let lab = Lab::new();
    lab.make("good.mp4", &format!("{PICTURE} -movflags +faststart"));
    let good = fs::read(lab.path("good.mp4")).unwrap();
    lab.write("cut.mp4", &good[..good.len() * 6 / 10]);
    let made = run(&lab, &["cut.mp4", "good.mp4"], &[]);
    assert_eq!(made[&key(1)].meta["status"], "success");
    let sample = &made[&key(0)];
    match sample.meta["status"].as_str() {
        Some("success") => {
            let frames = video(&lab.member(sample, "mp4")).2;
            assert_eq!(sample.meta["clip"]["frames"], frames);
            assert!((10..50).contains(&frames), "{frames}");
        }
        _ => fails(&made, 0, "failed_to_subsample", ""),
    }
    assert!(sample.meta["error_message"].is_null() || sample.meta["status"] != "success");
}

#[test]
fn a_header_that_asks_for_the_moon_is_refused() {
    let lab = Lab::new();
    lab.make("small.avi", "-f lavfi -i testsrc2=d=1:s=96x64:r=25 -c:v mjpeg");
    let mut bytes = fs::read(lab.path("small.avi")).unwrap();
    // BITMAPINFOHEADER: its size, then width and height.
    let at = bytes.windows(12).position(|w| w == [40, 0, 0, 0, 96, 0, 0, 0, 64, 0, 0, 0]).unwrap();
    for side in [at + 4, at + 8] {
        bytes[side..side + 4].copy_from_slice(&100_000u32.to_le_bytes());
    }
    lab.write("huge.avi", &bytes);
    lab.make("good.mp4", PICTURE);
    let made = run(&lab, &["huge.avi", "good.mp4"], &["limits.memory=400MiB"]);
    assert_eq!(made[&key(1)].meta["status"], "success");
    let sample = &made[&key(0)];
    if sample.meta["status"] == "success" {
        // The pictures themselves are small, and are believed.
        assert_eq!(video(&lab.member(sample, "mp4")).1, 48);
    } else {
        fails(&made, 0, "failed_to_subsample", "pixels");
    }
}

/// A worker's peak was 67 MiB here (resident, cuts detected as well).
#[test]
fn three_hours_take_no_more_memory_than_a_limit_of_200_mib() {
    let lab = Lab::new();
    lab.make("hours.mp4", "-f lavfi -i color=red:d=10800:s=64x48:r=1 -preset ultrafast -g 250");
    let steps = "{ResolutionSubsampler: {args: {video_size: 32, resize_mode: scale}}, FFProbeSubsampler: {args: {extract_keyframes: true}}}";
    let made = run_steps(&lab, &["hours.mp4"], steps, &["limits.memory=200MiB", "encoding.preset=ultrafast"]);
    let sample = &made[&key(0)];
    assert_eq!(sample.meta["status"], "success", "{}", sample.meta);
    assert_eq!(sample.meta["clip"]["frames"], Value::from(10800));
}
