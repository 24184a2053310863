//! Smart clips from the table to the shard: those of `exact`, most of them copied.

use std::process::Command;

use serde_json::{Value, json};

use crate::common::job::{Ended, clipmill};
use crate::lab::{Lab, Sample, ffprobe, frames, video};

const SMART: &str = "{precision: smart}";

/// 8 seconds with a keyframe every two, and a tone.
fn source(lab: &Lab, name: &str, options: &str) {
    let input = "-f lavfi -i testsrc2=d=8:s=160x90:r=25 -f lavfi -i sine=d=8:r=44100";
    lab.make(name, &format!("{input} -c:v libx264 -preset fast -g 50 -sc_threshold 0 -c:a aac {options}"));
}

fn clip(sample: &Sample) -> &Value {
    &sample.meta["clip"]
}

/// Presentation times of the frames, as text.
fn times(lab: &Lab, sample: &Sample) -> Vec<String> {
    let probed = ffprobe(&lab.member(sample, "mp4"), "-select_streams v:0 -show_frames -show_entries frame=pts_time");
    let frames = probed["frames"].as_array().unwrap().iter();
    frames.map(|frame| frame["pts_time"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn smart_clips_are_those_of_exact_with_most_frames_copied() {
    let lab = Lab::new();
    source(&lab, "long.mp4", "");
    let whole = frames(&lab.path("long.mp4"), "null");
    let cell = "[[0, 8], [0.5, 6.5], [2, 4], [3.9, 5], [4.2, 5.9]]";
    let (smart, exact) = (lab.cut(cell, SMART), lab.cut(cell, "{precision: exact}"));
    assert_eq!(smart.len(), 5);
    let mut encoded = Vec::new();
    for (key, sample) in &smart {
        let (own, other) = (clip(sample), clip(&exact[key]));
        for field in ["start", "end", "frames", "width", "height", "asked"] {
            assert_eq!(own[field], other[field], "{own}");
        }
        assert_eq!(sample.meta["clips"], exact[key].meta["clips"]);
        assert_eq!(times(&lab, sample), times(&lab, &exact[key]), "{own}");
        let made = frames(&lab.member(sample, "mp4"), "null");
        let first = (own["start"].as_f64().unwrap() * 25.0).round() as usize;
        let copied = made.iter().zip(&whole[first..]).filter(|(made, source)| made == source).count();
        match own["cut"].as_str() {
            Some("smart") => assert_eq!((made.len() - copied) as u64, own["frames_encoded"].as_u64().unwrap(), "{own}"),
            cut => assert_eq!((cut, copied), (Some("encoded"), 0), "{own}"),
        }
        encoded.push((own["frames_encoded"].clone(), own["smart"].clone()));
        let sound = |sample: &Sample| {
            let packets = "-select_streams a -show_packets -show_data_hash md5 -show_entries packet=pts,data_hash";
            ffprobe(&lab.member(sample, "mp4"), packets)["packets"].clone()
        };
        assert_eq!(sound(sample), sound(&exact[key]), "{own}");
    }
    assert_eq!(encoded[0], (json!(0), Value::Null));
    assert!((37..45).contains(&encoded[1].0.as_u64().unwrap()), "{encoded:?}");
    assert!(encoded[2].0.as_u64().unwrap() <= 3, "{encoded:?}");
    assert_eq!(encoded[4].1, "no group of pictures that could be copied begins within the span");
}

#[test]
fn where_it_cannot_be_the_clip_is_exact_and_says_so() {
    let lab = Lab::new();
    source(&lab, "long.mp4", "");
    let table = lab.spans("long.mp4", "[[0.5, 7]]");
    let small = "{ClippingSubsampler: {args: {precision: smart}}, ResolutionSubsampler: {args: {video_size: 32, resize_mode: scale}}}";
    let alone = "{ClippingSubsampler: {args: {precision: smart}}}";
    for (steps, options, extension, why) in [
        (small, &[][..], "mp4", "the pictures change on the way, so that all of them are encoded"),
        (
            alone,
            &["encode_formats={video: webm}", "encoding.video_options={cpu-used: '8'}"],
            "webm",
            "the member is no mp4, mov or mkv",
        ),
        (
            alone,
            &["encoding.pixel_format=yuv444p"],
            "mp4",
            "`encoding` asks for another encoder, pixel format or further options",
        ),
        (
            alone,
            &["encoding.video_encoder=mpeg4"],
            "mp4",
            "`encoding` asks for another encoder, pixel format or further options",
        ),
    ] {
        let made = lab.run(&table, steps, options);
        let (sample, found) = made.values().next().map(|sample| (sample, clip(sample))).unwrap();
        assert_eq!((&found["cut"], &found["smart"]), (&json!("encoded"), &json!(why)), "{found}");
        assert_eq!(found["frames"], video(&lab.member(sample, extension)).2, "{found}");
    }
}

#[test]
fn a_frame_at_an_edge_that_cannot_be_decoded_makes_the_clip_exact() {
    let lab = Lab::new();
    source(&lab, "whole.mp4", "-bf 0");
    let packets =
        ffprobe(&lab.path("whole.mp4"), "-select_streams v:0 -show_packets -show_entries packet=pos,pts_time");
    let broken = &packets["packets"][30];
    let at: usize = broken["pos"].as_str().unwrap().parse().unwrap();
    let mut bytes = std::fs::read(lab.path("whole.mp4")).unwrap();
    // Behind the length and the unit's header: a slice that begins at no macroblock.
    bytes[at + 5..at + 9].copy_from_slice(&[0, 1, 0, 1]);
    lab.write("broken.mp4", bytes);
    let table = lab.spans("broken.mp4", "[[0.6, 7], [2.5, 7]]");
    let made = lab.run(&table, "{ClippingSubsampler: {args: {precision: smart}}}", &[]);
    let clips: Vec<&Value> = made.values().map(clip).collect();
    assert_eq!(
        (&clips[0]["cut"], &clips[0]["smart"]),
        (&json!("encoded"), &json!("frames at the edges could not be decoded"))
    );
    assert_eq!(clips[0]["frames"], 159);
    assert_eq!((&clips[1]["cut"], &clips[1]["smart"]), (&json!("smart"), &Value::Null), "{}", clips[1]);
}

#[test]
fn the_plan_says_it() {
    let lab = Lab::new();
    source(&lab, "long.mp4", "");
    let table = lab.spans("long.mp4", "[[0, 1]]");
    let mut command: Command = clipmill();
    let config = lab.write("plan.yaml", format!("subsampling: {{ClippingSubsampler: {{args: {SMART}}}}}\n"));
    command.arg("plan").arg(config).args(["-o", &format!("url_list={}", table.display()), "-o", "clip_col=clips"]);
    let output = command.args(["-o", &format!("output_folder={}", lab.path("out").display())]).output().unwrap();
    let ended = Ended::of(output).expect(0);
    let want = "passes: 1 decode of the clips' edges, copies whole groups of pictures and encodes the edges per clip \
                (H.264; else all of it), audio copied\n";
    assert!(ended.stdout.contains(want), "{}", ended.stdout);
}
