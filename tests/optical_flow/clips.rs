//! Each clip has its own flow.

use serde_json::json;

use crate::lab::Lab;
use crate::npy::{Flow, clouds, config};

fn clips(precision: &str, formats: serde_json::Value) -> serde_json::Value {
    let mut config = config(formats, json!({"fps": 5, "dtype": "fp32"}));
    config["job"]["clip_col"] = json!("clips");
    config["subsampling"]["ClippingSubsampler"] = json!({"args": {"precision": precision}});
    config
}

#[test]
fn a_clip_has_the_flow_of_its_own_frames() {
    let lab = Lab::new();
    let path = clouds(&lab, "a.mp4", 6.0, "-g 50");
    // Out of order, overlapping, and the last with one frame alone.
    let rows = [(path.clone(), "[[3,5],[0.48,2],[1,4],[2,2.04]]")];
    let samples = lab.run(&clips("exact", json!({"video": "mp4"})), &rows);
    let keys: Vec<&str> = samples.iter().map(|sample| sample.key.as_str()).collect();
    assert_eq!(keys, ["00000000_00000", "00000000_00001", "00000000_00002", "00000000_00003"]);
    let times: Vec<Vec<f64>> =
        samples.iter().map(|s| serde_json::from_value(s.json["optical_flow_times"].clone()).unwrap()).collect();
    assert_eq!(times[0], [3.0, 3.2, 3.4, 3.6, 3.8, 4.0, 4.2, 4.4, 4.6, 4.8]);
    assert_eq!((times[1][0], times[1][1], times[1].len()), (0.48, 0.68, 8));
    assert_eq!((times[2][0], times[2][14], times[2].len()), (1.0, 3.8, 15));
    let flows = [0, 1, 2].map(|n: usize| Flow::of(&lab, keys[n]));
    assert_eq!([flows[0].shape[0], flows[1].shape[0], flows[2].shape[0]], [9, 7, 14]);
    // From 3 s to 3.8 s both have the same frames, and so the same four flows.
    let flow = 16 * 27 * 2;
    assert!(flows[0].values[..4 * flow] == flows[2].values[10 * flow..]);
    let alone = &samples[3];
    assert_eq!((alone.json["status"].as_str(), alone.media.as_slice()), (Some("success"), &["mp4".to_owned()][..]));
    assert!(alone.json["mean_optical_flow_magnitude"].is_null(), "{}", alone.json);
    assert_eq!(alone.json["mean_optical_flow_magnitude_per_frame"], json!([]));
    // The same without the videos, where frames that no flow needs are left out of the decode.
    let without = lab.run(&clips("exact", json!({})), &rows);
    assert_eq!(without[0].media, ["npy"]);
    assert!([0, 1, 2].map(|n: usize| Flow::of(&lab, keys[n])) == flows);
}

/// Copied clips begin at a keyframe; so does their flow.
#[test]
fn the_flow_of_a_copied_clip_is_that_of_its_file() {
    let lab = Lab::new();
    let path = clouds(&lab, "a.mp4", 6.0, "-g 50");
    let samples = lab.run(&clips("low", json!({"video": "mp4"})), &[(path, "[[2.5,4.5]]")]);
    assert_eq!(samples[0].json["clip"]["start"], 2.0);
    let cut = Flow::of(&lab, "00000000_00000");
    let tar = crate::job::members(&lab.output().join("00000.tar"));
    let (_, file) = tar.iter().find(|(name, _)| name.ends_with(".mp4")).unwrap();
    std::fs::write(lab.path("cut.mp4"), file).unwrap();
    lab.run(&config(json!({}), json!({"fps": 5, "dtype": "fp32"})), &[(lab.path("cut.mp4"), "")]);
    assert!(Flow::of(&lab, "00000000") == cut);
}

#[test]
fn cuts_become_clips_with_flows() {
    let lab = Lab::new();
    let scenes = [("smptebars", 2.0), ("testsrc2", 3.0)];
    let path = lab.scenes("a.mp4", "160x90", &scenes, &format!("{} -g 25", crate::lab::H264));
    let mut config = config(json!({}), json!({}));
    config["subsampling"]["CutDetectionSubsampler"] = json!({"cuts_are_clips": true, "args": {}});
    let samples = lab.run(&config, &[(path, "")]);
    let times = |n: usize| samples[n].json["optical_flow_times"].clone();
    assert_eq!((times(0), times(1)), (json!([0.0, 0.52, 1.0, 1.52]), json!([2.0, 2.52, 3.0, 3.52, 4.0, 4.52])));
    // The cut itself is nobody's movement.
    assert!(samples[0].json["max_optical_flow_magnitude"].as_f64().unwrap() < 0.4, "{}", samples[0].json);
    assert!(samples[1].json["max_optical_flow_magnitude"].as_f64().unwrap() > 0.5);
}

/// All packets but those of the frames that are looked at hold nothing but zeros: a decoder that met them would give up.
#[test]
fn frames_that_no_flow_needs_are_not_decoded() {
    let lab = Lab::new();
    let path = lab.make("a.mkv", "-f lavfi -i testsrc2=s=64x48:r=25:d=14 -c:v mjpeg -q:v 5");
    let intact = [(path.clone(), "")];
    let whole = lab.run(&config(json!({}), json!({})), &intact);
    let flow = Flow::of(&lab, "00000000");
    let mut bytes = std::fs::read(&path).unwrap();
    let list = std::process::Command::new("ffprobe")
        .args(["-v", "error", "-of", "csv=p=0", "-show_entries", "packet=pts_time,size,pos"])
        .arg(&path)
        .output()
        .unwrap();
    let times: Vec<f64> = serde_json::from_value(whole[0].json["optical_flow_times"].clone()).unwrap();
    for line in String::from_utf8(list.stdout).unwrap().lines() {
        let fields: Vec<&str> = line.split(',').collect();
        let (time, size, at): (f64, usize, usize) =
            (fields[0].parse().unwrap(), fields[1].parse().unwrap(), fields[2].parse().unwrap());
        if times.iter().all(|taken| (taken - time).abs() > 0.01) {
            // Behind the block's own header.
            bytes[at + 16..at + size].fill(0);
        }
    }
    std::fs::write(lab.path("b.mkv"), bytes).unwrap();
    let hollow = [(lab.path("b.mkv"), "")];
    lab.run(&config(json!({}), json!({})), &hollow);
    assert!(Flow::of(&lab, "00000000") == flow);
    // Something that looks at every frame does meet them.
    let mut all = config(json!({}), json!({}));
    all["subsampling"]["MotionSubsampler"] = json!({"args": {}});
    assert_eq!(lab.run(&all, &hollow)[0].json["error_class"], "not_decodable");
}
