//! Black and static stretches, as the ffmpeg program finds them.

use std::path::Path;
use std::process::Command;

use clipmill::subsample::black_static::Settings;
use clipmill::subsample::still::Stills;
use serde_json::{Map, Value, json};

use crate::lab::{Lab, footage};
use crate::watch::watch;

const X264: &str = "-c:v libx264 -preset ultrafast -crf 18";

fn found(path: &Path, settings: Value) -> Map<String, Value> {
    let settings: Settings = serde_json::from_value(settings).unwrap();
    watch(path, |_| Box::new(Stills::new(&settings)))
}

/// The numbers behind `keys` in what a filter prints, one after the other.
fn printed(path: &Path, filter: &str, keys: [&str; 2]) -> Vec<[f64; 2]> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "info", "-i"]).arg(path).args(["-vf", filter, "-f", "null", "-"]);
    let text = String::from_utf8(command.output().unwrap().stderr).unwrap();
    let number = |key: &str| -> Vec<f64> {
        let words: Vec<&str> = text.split_whitespace().flat_map(|word| word.split_inclusive(':')).collect();
        let at = words.iter().enumerate().filter(|(_, word)| word.trim_end_matches(':').ends_with(key));
        at.filter_map(|(n, _)| words.get(n + 1)?.parse().ok()).collect()
    };
    let [starts, ends] = keys.map(number);
    assert_eq!(starts.len(), ends.len(), "{text}");
    starts.into_iter().zip(ends).map(|(start, end)| [start, end]).collect()
}

fn assert_near(got: &Value, want: &[[f64; 2]], path: &Path) {
    let got: Vec<[f64; 2]> = serde_json::from_value(got.clone()).unwrap();
    assert_eq!(got.len(), want.len(), "{}: {got:?}, not {want:?}", path.display());
    assert!(!want.is_empty(), "{} has none", path.display());
    for (got, want) in got.iter().flatten().zip(want.iter().flatten()) {
        // What ffmpeg prints has six digits.
        assert!((got - want).abs() < 1e-4, "{}: {got}, not {want}", path.display());
    }
}

/// Real footage that is black from 1.0 to 1.6 s and from 2.4 to 2.5 s, and stands still from 3.2 to 4.2 s.
fn film(lab: &Lab, name: &str, more: &str, encoder: &str) -> std::path::PathBuf {
    let bikes = footage("bikes.mp4");
    let black = "drawbox=c=black:t=fill:enable='between(t,1,1.56)+between(t,2.4,2.46)'";
    let filter = format!("{black},select='not(between(n,81,104))',fps=25,trim=end=5{more}");
    lab.make(name, &format!("-i {} -vf {filter} {encoder}", bikes.display()))
}

#[test]
fn black_stretches_are_those_of_blackdetect() {
    let lab = Lab::new();
    for path in [
        film(&lab, "plain.mp4", "", X264),
        film(&lab, "deep.mkv", ",scale=320:180", &format!("{X264} -pix_fmt yuv420p10le")),
        film(&lab, "full.mp4", ",scale=320:180", &format!("{X264} -pix_fmt yuvj420p")),
        film(&lab, "fading.mp4", ",fade=in:40:15", X264),
        film(&lab, "varying.mkv", ",setpts='(N+floor(N/3)*2)/50/TB'", &format!("{X264} -vsync vfr")),
    ] {
        let got = found(&path, json!({"black_min_duration": 0.05}));
        let want = printed(&path, "blackdetect=d=0.05", ["black_start", "black_end"]);
        assert_near(&got["black_segments"], &want, &path);
        let strict = json!({"black_min_duration": 0.3, "pixel_black_th": 0.3, "picture_black_ratio_th": 0.8});
        let want = printed(&path, "blackdetect=d=0.3:pix_th=0.3:pic_th=0.8", ["black_start", "black_end"]);
        assert_near(&found(&path, strict)["black_segments"], &want, &path);
    }
}

#[test]
fn static_stretches_are_those_of_freezedetect() {
    let lab = Lab::new();
    for path in [
        film(&lab, "plain.mp4", "", X264),
        film(&lab, "deep.mkv", ",scale=320:180", &format!("{X264} -pix_fmt yuv420p10le")),
        film(&lab, "odd.mkv", ",scale=175:99", "-c:v ffv1 -pix_fmt yuv420p"),
    ] {
        let got = found(&path, json!({"static_noise": 0.003, "static_min_duration": 0.5}));
        let want = printed(&path, "freezedetect=n=0.003:d=0.5", ["freeze_start", "freeze_end"]);
        assert_near(&got["static_segments"], &want, &path);
    }
}

#[test]
fn shares_are_of_the_whole_video() {
    let lab = Lab::new();
    let still = lab.make("still.mp4", &format!("-f lavfi -i color=black:d=3:s=64x64:r=25 {X264}"));
    let got = found(&still, json!({}));
    assert_eq!(got["black_segments"], json!([[0.0, 3.0]]));
    assert_eq!(got["static_segments"], json!([[0.0, 3.0]]));
    assert_eq!((&got["black_ratio"], &got["static_ratio"]), (&json!(1.0), &json!(1.0)));
    let moving = found(&footage("bikes.mp4"), json!({}));
    assert_eq!(moving["black_segments"], json!([]));
    assert_eq!((&moving["black_ratio"], &moving["static_ratio"]), (&json!(0.0), &json!(0.0)));
}
