//! `downsample_method: yt_subtitle`: one picture for each line of the subtitles.

use std::process::Command;

use serde_json::json;

use crate::lab::{Lab, Sample, ffprobe};
use crate::subtitle_lab::Member::{File, Text};
use crate::subtitle_lab::{CLIPS, PICTURES, failures, job, table, tar, texts};

/// Luma of a picture, or of one frame of a video.
fn luma(path: &std::path::Path, filter: &str) -> Vec<u8> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-i"]).arg(path).args(["-vf", &format!("{filter},format=gray")]);
    let output = command.args(["-frames:v", "1", "-f", "rawvideo", "-"]).output().unwrap();
    assert!(output.status.success() && !output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn difference(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let sum: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.len() as f64
}

/// The frame of `long.mp4` that a picture is nearest to.
fn nearest(lab: &Lab, sample: &Sample, candidates: std::ops::Range<u64>) -> u64 {
    let picture = luma(&lab.member(sample, "jpg"), "null");
    let off = |n: &u64| difference(&picture, &luma(&lab.path("long.mp4"), &format!("select=eq(n\\,{n})")));
    candidates.min_by(|a, b| off(a).total_cmp(&off(b))).unwrap()
}

#[test]
fn each_line_is_a_picture_and_a_sample() {
    let lab = Lab::new();
    lab.long();
    let lines = "WEBVTT\n\n00:01.000 --> 00:02.000\none\n\n00:13.010 --> 00:14.000\ntwo\nrows\n\n\
        00:13.010 --> 00:13.500\nat once\n\n00:19.990 --> 00:30.000\nlast\n\n00:20.000 --> 00:21.000\nbeyond\n\nx --> y\nbad\n";
    let table = table(&lab, &[("long.mp4", lines), ("long.mp4", "")]);
    let made = job(&lab, &table, PICTURES, "out");
    let keys: Vec<&str> = made.keys().map(String::as_str).collect();
    assert_eq!(keys, ["00000000_0000", "00000000_0001", "00000000_0002", "00000000_0003", "00000001"]);
    assert_eq!(failures(&made)[0].1, "no_subtitles");
    let field = |name: &str| made.values().take(4).map(|one| one.meta[name].as_str().unwrap()).collect::<Vec<_>>();
    // The first frame at or after the line's start; the last one where there is none.
    assert_eq!(field("frame_time"), ["00:00:01.000", "00:00:13.040", "00:00:13.040", "00:00:19.960"]);
    assert_eq!(field("frame_subtitle"), ["one", "two rows", "at once", "last"]);
    for (key, frame) in [("00000000_0000", 25), ("00000000_0001", 326), ("00000000_0003", 499)] {
        let sample = &made[key];
        assert_eq!(sample.extensions(), ["jpg"], "the video would be stored with each line");
        assert_eq!((&sample.meta["clips_dropped"], &sample.meta["subtitles_dropped"]), (&json!(1), &json!(1)));
        assert_eq!(nearest(&lab, sample, frame - 1..(frame + 2).min(500)), frame, "{key}");
    }
    let config = "{storage: {captions_are_subtitles: true}, subsampling: {FrameSubsampler: {args: {downsample_method: \
                  yt_subtitle}}, ResolutionSubsampler: {args: {video_size: 32, resize_mode: scale}}}}";
    let small = job(&lab, &table, config, "small");
    assert_eq!(texts(&small).iter().map(|(_, text)| *text).collect::<Vec<_>>(), ["one", "two rows", "at once", "last"]);
    assert_eq!(crate::lab::video(&lab.member(&small["00000000_0001"], "jpg")).1, 32);
}

/// Over tars of video2dataset's and of this tool's; the times of a clip's lines are those within the clip.
#[test]
fn pictures_of_stored_samples_and_of_clips() {
    let lab = Lab::new();
    lab.long();
    let lines = json!([{"start": "00:00:02.000", "end": "00:00:03.000", "lines": ["a"]}, {"start": "00:00:04.000", "end": "00:00:05.000", "lines": ["b"]}]);
    let meta = json!({"key": "v", "status": "success", "error_message": null, "yt_meta_dict": {"info": {}, "subtitles": {"en": lines}}});
    // As video2dataset cuts: the times are those of the whole video.
    lab.make("clip.mp4", "-ss 4 -i long.mp4 -t 2 -c:v libx264 -preset ultrafast -an");
    let clip = json!({"key": "v_00001", "status": "success", "yt_meta_dict": {}, "clips": [["00:00:04.000", "00:00:06.000"]],
        "clip_subtitles": [{"start": "00:00:05.000", "end": "00:00:06.500", "lines": {"en": ["c"]}}]});
    let members = [
        ("v.json", Text(meta.to_string())),
        ("v.mp4", File("long.mp4")),
        ("v_00001.json", Text(clip.to_string())),
        ("v_00001.mp4", File("clip.mp4")),
    ];
    let input = tar(&lab, &members);
    let found = |made: &crate::lab::Samples| -> Vec<(String, String, String)> {
        let one = |(key, sample): (&String, &Sample)| {
            let field = |name: &str| sample.meta[name].as_str().unwrap().to_owned();
            (key.clone(), field("frame_time"), field("frame_subtitle"))
        };
        made.iter().map(one).collect()
    };
    let line = |key: &str, time: &str, text: &str| (key.to_owned(), time.to_owned(), text.to_owned());
    let made = job(&lab, &input, PICTURES, "stored");
    let want = [
        line("v_0000", "00:00:02.000", "a"),
        line("v_0001", "00:00:04.000", "b"),
        line("v_00001_0000", "00:00:01.000", "c"),
    ];
    let mut sorted = want.clone();
    sorted.sort();
    assert_eq!(found(&made), sorted);
    assert_eq!(nearest(&lab, &made["v_00001_0000"], 124..127), 125);
    assert_eq!(made["v_0001"].meta["yt_meta_dict"], json!({}));

    job(&lab, &input, CLIPS, "clips");
    let made = job(&lab, &lab.path("clips/00000.tar"), PICTURES, "pictures");
    let want = [
        line("v_00000_0000", "00:00:00.000", "a"),
        line("v_00001_0000", "00:00:00.000", "b"),
        line("v_00001_00000_0000", "00:00:00.000", "c"),
    ];
    assert_eq!(found(&made), want);
}

/// A line whose frame does not decode has no picture, and is counted; none is shown the frame of another time.
#[test]
fn frames_that_do_not_decode() {
    let lab = Lab::new();
    lab.make("a.mp4", "-f lavfi -i testsrc2=d=6:s=96x64:r=25 -preset ultrafast -g 50 -bf 0 -sc_threshold 0");
    let packets = ffprobe(&lab.path("a.mp4"), "-select_streams v -show_packets");
    let number = |packet: &serde_json::Value, name: &str| packet[name].as_str().unwrap().parse::<f64>().unwrap();
    let mut bytes = std::fs::read(lab.path("a.mp4")).unwrap();
    for packet in packets["packets"].as_array().unwrap() {
        let (time, at, len) =
            (number(packet, "pts_time"), number(packet, "pos") as usize, number(packet, "size") as usize);
        if (2.0..4.0).contains(&time) {
            bytes[at..at + len].fill(0);
        }
    }
    lab.write("a.mp4", bytes);
    let lines = "WEBVTT\n\n00:01.000 --> 00:02.000\nbefore\n\n00:03.000 --> 00:04.000\ninside\n\n00:05.000 --> 00:06.000\nafter\n";
    let made = job(&lab, &table(&lab, &[("a.mp4", lines)]), PICTURES, "out");
    let found: Vec<_> = made.values().map(|one| (&one.meta["frame_subtitle"], &one.meta["clips_dropped"])).collect();
    assert_eq!(found, [(&json!("before"), &json!(1)), (&json!("after"), &json!(1))]);
    let only = "WEBVTT\n\n00:03.000 --> 00:04.000\ninside\n";
    let made = job(&lab, &table(&lab, &[("a.mp4", only)]), PICTURES, "none");
    assert_eq!(failures(&made)[0].1, "not_decodable");
}
