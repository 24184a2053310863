//! Sizes, frame rates and single frames, against the ffmpeg program.

use crate::lab::{Lab, Sample, ffprobe, frames, video};

const INPUT: &str = "-preset ultrafast -bf 0";

fn one(made: &crate::lab::Samples) -> &Sample {
    assert_eq!(made.len(), 1);
    &made["00000000"]
}

#[test]
fn sizes_by_mode_and_shape() {
    let lab = Lab::new();
    let sources = [("wide", "128x72"), ("tall", "72x128"), ("narrow", "48x160"), ("odd", "127x71")];
    for (name, size) in sources {
        let format = if name == "odd" { "-pix_fmt yuv444p" } else { "" };
        lab.make(&format!("{name}.mp4"), &format!("-f lavfi -i testsrc2=d=0.4:s={size}:r=25 {format} {INPUT}"));
    }
    let files: Vec<String> = sources.iter().map(|(name, _)| format!("{name}.mp4")).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let table = lab.table(&files);
    let cases = [
        ("scale", "{video_size: 64, resize_mode: scale, shorter_side: true}"),
        ("height", "{video_size: 64, resize_mode: scale}"),
        ("square", "{video_size: 64, resize_mode: \"scale,crop,pad\"}"),
        ("pad", "{width: 200, height: 180, resize_mode: pad}"),
    ];
    for (mode, args) in cases {
        let made = lab.run(&table, &format!("{{ResolutionSubsampler: {{args: {args}}}}}"), &[]);
        for (sample, (name, _)) in made.values().zip(sources) {
            let (width, height, count) = video(&lab.member(sample, "mp4"));
            assert_eq!(count, 10, "{mode} {name}");
            assert!(width % 2 == 0 && height % 2 == 0, "{mode} {name}: {width}x{height}");
            match mode {
                "scale" => assert_eq!(width.min(height), 64, "{name}: {width}x{height}"),
                "height" => assert_eq!(height, 64, "{name}"),
                "square" => assert_eq!((width, height), (64, 64), "{name}"),
                _ => assert_eq!((width, height), (200, 180), "{name}"),
            }
        }
    }
}

/// Scaled and thinned out, every frame's pixels are those that ffmpeg gives; lossless, so that they can be compared.
#[test]
fn frame_rates_are_ffmpegs_frame_for_frame() {
    let lab = Lab::new();
    lab.make("a.mp4", &format!("-f lavfi -i testsrc2=d=3:s=128x96:r=30000/1001 {INPUT}"));
    lab.make("vfr.mkv", "-i a.mp4 -vf select='not(mod(n,7))+not(mod(n,3))' -fps_mode vfr -preset ultrafast");
    let lossless = ["encoding.crf=0", "encoding.preset=ultrafast"];
    for file in ["a.mp4", "vfr.mkv"] {
        let table = lab.table(&[file]);
        for rate in ["5", "7.5", "40"] {
            let steps = format!(
                "{{ResolutionSubsampler: {{args: {{video_size: 64, resize_mode: scale}}}}, FrameSubsampler: {{args: {{frame_rate: {rate}}}}}}}"
            );
            let made = lab.run(&table, &steps, &lossless);
            let found = frames(&lab.member(one(&made), "mp4"), "null");
            let expected = frames(&lab.path(file), &format!("fps={rate},scale=-2:64,format=yuv420p"));
            assert_eq!(found.len(), expected.len(), "{file} at {rate}");
            let differ = found.iter().zip(&expected).filter(|(a, b)| a != b).count();
            assert_eq!(differ, 0, "{file} at {rate}: of {} frames", found.len());
        }
    }
}

#[test]
fn single_frames_are_pictures() {
    let lab = Lab::new();
    lab.make("a.mp4", &format!("-f lavfi -i testsrc2=d=4:s=96x64:r=25 {INPUT} -g 25 -sc_threshold 0"));
    let table = lab.table(&["a.mp4"]);
    for (method, expected) in
        [("first_frame", &["jpg"][..]), ("keyframe", &["0000.jpg", "0001.jpg", "0002.jpg", "0003.jpg"])]
    {
        let steps = format!("{{FrameSubsampler: {{args: {{downsample_method: {method}}}}}}}");
        let made = lab.run(&table, &steps, &[]);
        let found: Vec<&str> = one(&made).members.keys().map(String::as_str).filter(|e| e.ends_with("jpg")).collect();
        assert_eq!(found, expected);
        for extension in found {
            let stream = ffprobe(&lab.member(one(&made), extension), "-show_streams")["streams"][0].clone();
            assert_eq!(
                [&stream["codec_name"], &stream["width"].to_string().into(), &stream["height"].to_string().into()],
                ["mjpeg", "96", "64"]
            );
        }
    }
}
