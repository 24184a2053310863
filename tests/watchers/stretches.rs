//! `black_segments` and `static_segments` against FFmpeg's `blackdetect` and `freezedetect`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::lab::{H264, Lab, footage, log_of, numbers, probed};

fn segments(fields: &Value, name: &str) -> Vec<(f64, f64)> {
    let list = fields[name].as_array().unwrap_or_else(|| panic!("no {name}: {fields}"));
    list.iter().map(|segment| (segment[0].as_f64().unwrap(), segment[1].as_f64().unwrap())).collect()
}

#[track_caller]
fn assert_near(got: &[(f64, f64)], want: &[(f64, f64)], what: &str) {
    let near = |a: f64, b: f64| (a - b).abs() < 1e-4;
    let same = got.len() == want.len() && got.iter().zip(want).all(|(a, b)| near(a.0, b.0) && near(a.1, b.1));
    assert!(same, "{what}: got {got:?}, FFmpeg has {want:?}");
}

/// What FFmpeg's filters find: black and frozen stretches.
///
/// `blackdetect` ends what lasts to the end with the time of the last frame, clipmill with that frame's end;
/// `freezedetect` says nothing of that end.
fn ffmpeg(path: &Path, black: &str, still: &str) -> [Vec<(f64, f64)>; 2] {
    let log = log_of(path, &format!("showinfo,blackdetect={black},freezedetect={still}"));
    let last = *numbers(&log, "pts_time:").last().unwrap();
    let rate = probed(path, "stream=avg_frame_rate");
    let (over, under) = rate.split_once('/').unwrap();
    let end = last + under.parse::<f64>().unwrap() / over.parse::<f64>().unwrap();
    let black_ends =
        numbers(&log, "black_end").into_iter().map(|time| if (time - last).abs() < 1e-4 { end } else { time });
    let still_ends = numbers(&log, "freeze_end").into_iter().chain([end]);
    [
        numbers(&log, "black_start").into_iter().zip(black_ends).collect(),
        numbers(&log, "freeze_start").into_iter().zip(still_ends).collect(),
    ]
}

const MOVING: &str = "testsrc2";
const BLACK: &str = "color=c=black";

/// Black, moving and still scenes in several kinds of files; frames of 25 a second.
fn media(lab: &Lab) -> Vec<PathBuf> {
    let scenes =
        [(BLACK, 2.48), (MOVING, 1.0), (BLACK, 2.0), (MOVING, 0.6), (BLACK, 1.96), (MOVING, 0.4), (BLACK, 3.0)];
    // A tenth of the luma from 16 to 235 is 37.9: greys of 25 and of 26 of 255 have 37 and 38.
    let greys = [("color=c=0x191919", 2.2), (MOVING, 0.4), ("color=c=0x1a1a1a", 2.4), (BLACK, 2.2), ("smptebars", 3.0)];
    let small = "160x90";
    let ten = "-c:v ffv1 -strict -1 -pix_fmt yuv420p10le";
    let letters = [
        ("color=c=black,drawbox=w=17:h=17:c=white:t=fill", 2.4),
        ("color=c=black,drawbox=w=16:h=16:c=white:t=fill", 2.4),
    ];
    let mut made = vec![
        lab.scenes("h264.mp4", small, &scenes, &format!("{H264} -bf 2")),
        lab.scenes("odd.mkv", "161x91", &scenes, "-c:v ffv1 -pix_fmt yuv444p"),
        lab.scenes("ten.mkv", small, &scenes, ten),
        lab.scenes("greys.mp4", small, &greys, H264),
        lab.scenes("greys10.mkv", small, &greys, ten),
        lab.scenes("full.avi", small, &greys, "-c:v mjpeg -q:v 2 -pix_fmt yuvj420p"),
        lab.scenes("moving.mp4", small, &[(MOVING, 3.0)], H264),
    ];
    lab.make("late.mkv", "-itsoffset 0.52 -i h264.mp4 -c copy");
    made.push(lab.make("offset.ts", "-i h264.mp4 -c copy -output_ts_offset 7"));
    let uneven = "select='not(mod(n\\,3))+lt(n\\,100)'";
    made.push(lab.make("uneven.mkv", &format!("-i h264.mp4 -vf {uneven} -vsync vfr {H264}")));
    let boxed = format!("-f lavfi -i {}:s=160x90:r=25:d=2.4 {H264}", BLACK);
    for (name, (source, _)) in ["box17.mp4", "box16.mp4"].into_iter().zip(letters) {
        let chain = source.split_once(',').unwrap().1;
        made.push(lab.make(name, &format!("{boxed} -vf {chain}")));
    }
    made
}

#[test]
fn black_and_still_stretches_are_ffmpegs() {
    let lab = Lab::new();
    let mut paths = media(&lab);
    paths.push(footage("carphone_pristine.mp4"));
    let cases = [
        (json!({}), "d=2:pic_th=0.98:pix_th=0.1", "n=0.001:d=2"),
        (
            json!({"black_min_duration": 0.1, "picture_black_ratio_th": 0.3, "pixel_black_th": 0.3,
                   "static_min_duration": 0.3, "noise": 0.02}),
            "d=0.1:pic_th=0.3:pix_th=0.3",
            "n=0.02:d=0.3",
        ),
    ];
    let mut found = [0, 0];
    for (args, black, still) in cases {
        let fields = lab.look(json!({"BlackStaticSubsampler": {"args": args}}), &paths);
        assert_eq!(fields.len(), paths.len());
        for (fields, path) in fields.iter().zip(&paths) {
            let what = format!("{} {args}", path.display());
            let (got_black, got_still) = (segments(fields, "black_segments"), segments(fields, "static_segments"));
            let [want_black, want_still] = ffmpeg(path, black, still);
            assert_near(&got_black, &want_black, &what);
            assert_near(&got_still, &want_still, &what);
            found[0] += got_black.len();
            found[1] += got_still.len();
        }
    }
    assert!(found[0] > 30 && found[1] > 40, "the media shows something: {found:?}");
}

#[test]
fn shares_are_those_of_the_video_and_of_each_clip() {
    let lab = Lab::new();
    let path = lab.scenes("a.mp4", "160x90", &[(MOVING, 2.0), (BLACK, 3.0), (MOVING, 1.0)], H264);
    let whole = &lab.look(json!({"BlackStaticSubsampler": {"args": {}}}), std::slice::from_ref(&path))[0];
    assert_eq!((&whole["black_segments"], &whole["black_ratio"]), (&json!([[2.0, 5.0]]), &json!(0.5)));
    assert_eq!((&whole["static_segments"], &whole["static_ratio"]), (&json!([[2.0, 5.0]]), &json!(0.5)));
    let config = json!({
        "job": {"clip_col": "clips"},
        "subsampling": {"BlackStaticSubsampler": {"args": {}}, "ClippingSubsampler": {"args": {"precision": "exact"}}}
    });
    let clips = lab.run(&config, &[(path.clone(), "[[0,1],[1,3],[3,4],[5,6]]")]);
    let field = |name: &str| clips.iter().map(|clip| clip.json[name].clone()).collect::<Vec<_>>();
    assert_eq!(field("black_segments"), [json!([]), json!([[2.0, 3.0]]), json!([[3.0, 4.0]]), json!([])]);
    assert_eq!(field("black_ratio"), [0.0, 0.5, 1.0, 0.0]);
    assert_eq!(field("static_ratio"), [0.0, 0.5, 1.0, 0.0]);
    assert!(!clips[0].json["black_ratio"].to_string().starts_with('-'), "no negative zero");
    let black = lab.scenes("black.mp4", "160x90", &[(BLACK, 3.0)], H264);
    let fields = &lab.look(json!({"BlackStaticSubsampler": {"args": {}}}), &[black])[0];
    assert_eq!((&fields["black_ratio"], &fields["black_segments"]), (&json!(1.0), &json!([[0.0, 3.0]])));
}

#[test]
fn stretches_are_cut_out_of_the_spans() {
    let lab = Lab::new();
    let path = lab.scenes("a.mp4", "160x90", &[(MOVING, 1.0), (BLACK, 2.4), (MOVING, 1.6), (BLACK, 2.2)], H264);
    let config = json!({
        "job": {"clip_col": "clips"},
        "subsampling": {
            "BlackStaticSubsampler": {"args": {"trim_clips": true}},
            "ClippingSubsampler": {"args": {"precision": "exact", "min_length": 0.3}}
        }
    });
    let rows = [(path.clone(), "[[0,7.2],[3.2,4],[0.5,1.2]]"), (path.clone(), "[[1.2,3]]")];
    let clips = lab.run(&config, &rows);
    let field = |name: &str| clips.iter().map(|clip| clip.json[name].clone()).collect::<Vec<_>>();
    let want = [json!([[0.0, 1.0]]), json!([[3.4, 5.0]]), json!([[3.4, 4.0]]), json!([[0.5, 1.0]]), json!([[1.2, 3]])];
    assert_eq!(field("clips"), want);
    assert_eq!(clips[4].json["error_class"], "no_clips");
    let message = clips[4].json["error_message"].as_str().unwrap();
    assert!(message.contains("outside its black and static stretches"), "{message}");
    assert!(clips[..4].iter().all(|clip| clip.json["black_ratio"] == 0.0 && clip.media == ["mp4"]));
}
