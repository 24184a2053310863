//! `motion` and `motion_max`.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::lab::{H264, Lab, footage};

fn motion(lab: &Lab, args: Value, paths: &[PathBuf]) -> Vec<(f64, f64)> {
    let fields = lab.look(json!({"MotionSubsampler": {"args": args}}), paths);
    let number = |fields: &Value, name: &str| fields[name].as_f64().unwrap_or_else(|| panic!("no {name}: {fields}"));
    fields.iter().map(|fields| (number(fields, "motion"), number(fields, "motion_max"))).collect()
}

/// Black and white in turn, so many times a second.
fn blinking(lab: &Lab, name: &str, rate: f64, fps: f64, encoding: &str) -> PathBuf {
    let blink = format!("geq=lum='if(mod(floor(T*{rate}+0.01),2),235,16)':cb=128:cr=128");
    lab.make(name, &format!("-f lavfi -i color=s=96x64:r={fps}:d=4,{blink} {encoding}"))
}

#[test]
fn known_motion() {
    let lab = Lab::new();
    let lossless = "-c:v ffv1 -pix_fmt yuv420p";
    let paths = [
        blinking(&lab, "a.mkv", 5.0, 25.0, lossless),
        // Once a second: of five comparisons a second one differs, at whatever frame rate the same thing is stored.
        blinking(&lab, "b.mkv", 1.0, 25.0, lossless),
        blinking(&lab, "c.mkv", 1.0, 60.0, lossless),
        blinking(&lab, "d.mkv", 1.0, 1.0, lossless),
        blinking(&lab, "e.mkv", 1.0, 10.0, "-c:v ffv1 -strict -1 -pix_fmt yuv422p10le"),
        lab.make("still.mkv", &format!("-f lavfi -i smptebars=s=96x64:d=2 {lossless}")),
    ];
    let got = motion(&lab, json!({}), &paths);
    assert_eq!(got[0], (1.0, 1.0));
    for n in [1, 2, 4] {
        assert!((got[n].0 - 0.158).abs() < 0.01 && got[n].1 > 0.99, "{n}: {got:?}");
    }
    assert_eq!(got[3], (0.2, 1.0), "pictures that stand still in between count");
    assert_eq!(got[5], (0.0, 0.0));
    // Every frame is looked at, and every fifth differs.
    let fast = motion(&lab, json!({"fps": 25}), &paths[..1]);
    assert!((fast[0].0 - 0.19).abs() < 0.011, "{fast:?}");
}

#[test]
fn the_same_scene_has_the_same_motion() {
    let lab = Lab::new();
    let bikes = footage("bikes.mp4");
    let encode = |name: &str, options: &str| {
        let fast = "-c:v libx264 -preset ultrafast -crf 12";
        lab.make(name, &format!("-i {} {fast} {options}", bikes.display()))
    };
    let paths = [
        bikes.clone(),
        encode("fast.mp4", "-r 50"),
        encode("slow.mp4", "-r 10"),
        encode("small.mp4", "-vf scale=214:90"),
        encode("ten.mp4", "-pix_fmt yuv420p10le"),
        encode("full.mkv", "-vf scale=out_range=full -pix_fmt yuvj420p"),
    ];
    let got = motion(&lab, json!({}), &paths);
    assert!((0.05..0.2).contains(&got[0].0), "{got:?}");
    for (path, (mean, _)) in paths.iter().zip(&got) {
        assert!((mean / got[0].0 - 1.0).abs() < 0.06, "{}: {mean} is not {}", path.display(), got[0].0);
    }
}

#[test]
fn clips_have_their_own_and_a_single_picture_has_none() {
    let lab = Lab::new();
    let scenes = [("smptebars", 2.0), ("testsrc2", 2.0)];
    let path = lab.scenes("a.mp4", "160x90", &scenes, &format!("{H264} -g 25 -sc_threshold 0"));
    for precision in ["exact", "low"] {
        let config = json!({
            "job": {"clip_col": "clips"},
            "subsampling": {
                "MotionSubsampler": {"args": {}},
                "ClippingSubsampler": {"args": {"precision": precision}}
            }
        });
        let clips = lab.run(&config, &[(path.clone(), "[[0,2],[2,4],[0,4]]")]);
        let motion: Vec<f64> = clips.iter().map(|clip| clip.json["motion"].as_f64().unwrap()).collect();
        // The change from one scene to the other is neither's motion.
        assert!(motion[0] < 1e-3 && motion[1] > 0.01 && motion[2] > motion[0], "{precision}: {motion:?}");
        assert!(clips[2].json["motion_max"].as_f64() > clips[1].json["motion_max"].as_f64(), "{precision}");
    }
    let one = lab.make("one.mp4", &format!("-f lavfi -i testsrc2=s=96x64 -frames:v 1 {H264}"));
    let fields = &lab.look(json!({"MotionSubsampler": {"args": {}}}), &[one])[0];
    assert_eq!(
        (&fields["status"], &fields["motion"], &fields["motion_max"]),
        (&json!("success"), &Value::Null, &Value::Null)
    );
}
