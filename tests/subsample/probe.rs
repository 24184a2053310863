//! FFProbeSubsampler says what ffprobe says.

use serde_json::Value;

use crate::lab::{Lab, ffprobe};

/// `format.filename` is where the file happened to lie; `probe_score` and the tags' order are none of the file's.
fn told(mut found: Value) -> Value {
    if let Some(format) = found["format"].as_object_mut() {
        format.shift_remove("filename");
    }
    found
}

#[test]
fn fields_are_ffprobes() {
    let lab = Lab::new();
    let picture = "-f lavfi -i testsrc2=d=1:s=97x63:r=30000/1001 -f lavfi -i sine=d=1:r=44100";
    lab.make(
        "a.mp4",
        &format!("{picture} -pix_fmt yuv444p -c:v libx264 -preset ultrafast -c:a aac -metadata title=Tëst"),
    );
    lab.make("b.mkv", &format!("{picture} -s 96x64 -c:v libx264 -preset ultrafast -c:a libopus"));
    lab.make("c.webm", "-f lavfi -i testsrc2=d=1:s=96x64:r=25 -c:v libvpx -deadline realtime");
    let files = ["a.mp4", "b.mkv", "c.webm"];
    let made = lab.run(&lab.table(&files), "{FFProbeSubsampler: {args: {extract_keyframes: true}}}", &[]);
    assert_eq!(made.len(), 3);
    for (sample, file) in made.values().zip(files) {
        let meta = &sample.meta["video_metadata"];
        let expected = told(ffprobe(&lab.path(file), "-show_format -show_streams"));
        let found = told(meta.clone());
        assert_eq!(found["streams"], expected["streams"], "{file}");
        assert_eq!(found["format"], expected["format"], "{file}");
        let folder = lab.folder.path().to_str().unwrap();
        assert!(!meta.to_string().contains(folder), "{meta}");
        assert!(meta["keyframe_timestamps"].as_array().is_some_and(|times| !times.is_empty()), "{meta}");
    }
}
