//! What fails alone, and what does not fail.

use serde_json::json;

use crate::lab::{H264, Lab, footage};
use crate::npy::{Flow, config};

#[test]
fn bad_samples_fail_alone_and_say_why() {
    let lab = Lab::new();
    let make = |name: &str, arguments: &str| (lab.make(name, arguments), "");
    let bikes = std::fs::read(footage("bikes.mp4")).unwrap();
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(lab.path(name), bytes).unwrap();
        (lab.path(name), "")
    };
    let good = (footage("carphone_pristine.mp4"), "");
    let rows = [
        good.clone(),
        make("one.mp4", "-f lavfi -i testsrc2=s=64x48:r=25 -frames:v 1 -pix_fmt yuv420p"),
        // Many frames, but one half second.
        make("short.mp4", &format!("-f lavfi -i testsrc2=s=64x48:r=25:d=0.4 {H264}")),
        make("sound.mp4", "-f lavfi -i sine=d=1"),
        write("cut.mp4", &bikes[..bikes.len() / 3]),
        write("text.mp4", b"no media at all"),
        write("empty.mp4", b""),
        // 16 lines of it would be 40000 wide.
        make("thin.mp4", "-f lavfi -i color=s=5000x2:r=5:d=1 -c:v ffv1 -f matroska"),
        good.clone(),
    ];
    let samples = lab.run(&config(json!({}), json!({})), &rows);
    let classes: Vec<Option<&str>> = samples.iter().map(|sample| sample.json["error_class"].as_str()).collect();
    let wants = ["too_short", "too_short", "no_video", "not_decodable", "not_media", "empty", "media_limit"];
    let wants: Vec<Option<&str>> = [None].into_iter().chain(wants.map(Some)).chain([None]).collect();
    assert_eq!(classes, wants);
    assert_eq!(samples[1].json["status"], "failed_to_subsample");
    assert!(samples[1].json["error_message"].as_str().unwrap().contains("optical flow needs two frames"));
    assert!(samples[1].json["mean_optical_flow_magnitude"].is_null() && samples[1].media.is_empty());
    assert!(Flow::of(&lab, &samples[0].key) == Flow::of(&lab, &samples[8].key));
}

/// Damage in the middle, another size in the middle, a clock that starts anew: there is a flow, of finite numbers.
#[test]
fn damaged_videos_have_the_flow_of_what_decodes() {
    let lab = Lab::new();
    let mut bytes = std::fs::read(footage("bikes.mp4")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 3000].fill(0x55);
    std::fs::write(lab.path("damaged.mp4"), &bytes).unwrap();
    let part = |name: &str, source: &str| {
        lab.make(name, &format!("-f lavfi -i {source} {H264} -f mpegts"));
        std::fs::read(lab.path(name)).unwrap()
    };
    let parts = [part("a.ts", "testsrc2=s=160x96:r=25:d=2"), part("b.ts", "testsrc2=s=96x160:r=25:d=2")].concat();
    std::fs::write(lab.path("joined.ts"), parts).unwrap();
    let odd = lab.make("odd.mkv", "-f lavfi -i testsrc2=s=66x4:r=25:d=2 -vf scale=33:2 -c:v ffv1 -pix_fmt gbrp");
    let deep = lab.make("deep.mkv", "-f lavfi -i testsrc2=s=64x48:r=25:d=2 -c:v ffv1 -pix_fmt yuv422p10le");
    let avi = lab.make("old.avi", "-f lavfi -i testsrc2=s=64x48:r=25:d=2 -c:v mpeg4 -bf 2");
    let rows = [lab.path("damaged.mp4"), lab.path("joined.ts"), odd, deep, avi].map(|path| (path, ""));
    let samples = lab.run(&config(json!({}), json!({})), &rows);
    for sample in &samples {
        assert_eq!(sample.json["status"], "success", "{}", sample.json);
    }
    let shapes: Vec<[usize; 4]> = samples.iter().map(|sample| Flow::of(&lab, &sample.key).shape).collect();
    // Of the joined streams the first decides the size.
    assert_eq!(shapes[1..], [[7, 16, 27, 2], [3, 16, 264, 2], [3, 16, 21, 2], [3, 16, 21, 2]]);
    assert!(shapes[0][0] >= 15 && shapes[0][1..] == [16, 38, 2], "{:?}", shapes[0]);
}

#[test]
fn a_limit_on_outputs_is_known_before_anything_is_decoded() {
    let lab = Lab::new();
    let mut config = config(json!({}), json!({"fps": 25, "resize_size": 200}));
    config["limits"] = json!({"output_bytes": 1_000_000});
    let samples = lab.run(&config, &[(footage("bikes.mp4"), "")]);
    assert_eq!(samples[0].json["error_class"], "output_too_large", "{}", samples[0].json);
}
