//! Subtitles that are none cost their own sample at most.

use serde_json::{Value, json};

use crate::lab::Lab;
use crate::subtitle_lab::Member::{File, Text};
use crate::subtitle_lab::{CLIPS, failures, job, table, tar, texts};

#[test]
fn whatever_a_column_holds() {
    let lab = Lab::new();
    lab.make("a.mp4", "-f lavfi -i testsrc2=d=2:s=64x48:r=25 -preset ultrafast");
    let list = |lines: Value| json!({"en": lines}).to_string();
    let huge = "x".repeat(300_000);
    let cases = [
        list(json!([{"start": 0, "end": 1, "lines": [huge]}, {"start": 0, "end": 1, "lines": ["kept"]}])),
        list(json!([{"start": 1, "end": 0, "lines": ["x"]}, {"start": "NaN", "end": 1, "lines": ["x"]}])),
        list(json!([{"start": 50, "end": 60, "lines": ["beyond"]}])),
        format!("WEBVTT\n\n{}", " ".repeat(2_000_000)),
        "{\"en\": [".into(),
        "[[[[[[[[".repeat(20_000),
        "<html>404</html>".into(),
        "true".into(),
    ];
    let rows: Vec<(&str, &str)> = cases.iter().map(|case| ("a.mp4", case.as_str())).collect();
    let made = job(&lab, &table(&lab, &rows), CLIPS, "out");
    assert_eq!(texts(&made), [("00000000_00000", "kept")]);
    assert_eq!(made["00000000_00000"].meta["subtitles_dropped"], 1);
    let found = failures(&made);
    let classes: Vec<&str> = found.iter().map(|(_, class, _)| *class).collect();
    let none = "no_subtitles";
    assert_eq!(classes, [none, "no_clips", none, none, none, none]);
    assert!(found[0].2.ends_with("ends where it begins, or before (the first of 2 problems)"), "{found:?}");
    assert_eq!(made["00000003"].meta["error_class"], "field_too_large");
}

/// More lines than anyone says: those that are too many are dropped, and what would fill memory and disk is refused.
#[test]
fn tens_of_thousands_of_lines() {
    let lab = Lab::new();
    lab.make("a.mp4", "-f lavfi -i testsrc2=d=2:s=64x48:r=25 -preset ultrafast");
    let file = |name: &str, line: &dyn Fn(u32) -> String| {
        let lines: String = (0..60_000).map(line).collect();
        lab.write(name, format!("WEBVTT\n\n00:00.000 --> 00:01.000\ngood\n\n{lines}"));
    };
    file("far.vtt", &|n| format!("{:02}:00:00.000 --> 99:00:00.000\n{n}\n\n", 1 + n % 90));
    file("long.vtt", &|n| format!("00:00.{:03} --> 90:00:00.000\n{n}\n\n", n % 7));
    let input = tar(
        &lab,
        &[("0.mp4", File("a.mp4")), ("0.vtt", File("far.vtt")), ("1.mp4", File("a.mp4")), ("1.vtt", File("long.vtt"))],
    );
    let made = job(&lab, &input, CLIPS, "out");
    assert_eq!(texts(&made), [("0_00000", "good")]);
    let far = &made["0_00000"].meta;
    assert_eq!((&far["clips_dropped"], &far["subtitles_dropped"]), (&json!(49_999), &json!(10_001)));
    let found = failures(&made);
    assert!(found.len() == 1 && found[0].2.contains("the outputs would have more than"), "{found:?}");

    let meta = json!({"cut": vec![[0.0, 1.0]; 6]}).to_string();
    let input = tar(&lab, &[("0.json", Text(meta)), ("0.mp4", File("a.mp4")), ("0.vtt", File("long.vtt"))]);
    let made = job(&lab, &input, "{job: {clip_col: cut}, subsampling: {ClippingSubsampler: {args: {}}}}", "cut");
    let meta = &made["0_00005"].meta;
    assert_eq!((&meta["clip_subtitles"], &meta["subtitles_dropped"]), (&json!([]), &json!(60_001)));
}

#[test]
fn whatever_lies_beside_the_media() {
    let lab = Lab::new();
    lab.make("a.mp4", "-f lavfi -i testsrc2=d=2:s=64x48:r=25 -preset ultrafast");
    lab.write("latin1.vtt", b"WEBVTT\n\n00:00.000 --> 00:01.000\ncaf\xe9\n");
    lab.write("empty.vtt", b"");
    let good = || Text("WEBVTT\n\n00:00.000 --> 00:01.000\ngood\n".into());
    let srt = "1\n00:00:00,000 --> 00:00:01,000\nsrt\n";
    let input = tar(
        &lab,
        &[
            ("0.mp4", File("a.mp4")),
            ("0.fr.vtt", File("latin1.vtt")),
            ("1.mp4", File("a.mp4")),
            ("1.en.vtt", good()),
            ("1.fr.vtt", File("latin1.vtt")),
            ("2.mp4", File("a.mp4")),
            ("2.vtt", File("empty.vtt")),
            ("3.mp4", File("a.mp4")),
            ("3.vtt", Text(srt.into())),
            ("4.vtt", good()),
            ("5.mp4", File("a.mp4")),
            ("5.json", Text("{\"yt_meta_dict\": {\"subtitles\": {\"en\": [{\"start\": NaN}]}}}".into())),
        ],
    );
    let made = job(&lab, &input, CLIPS, "out");
    assert_eq!(made["1_00000"].text("txt"), "good");
    assert_eq!(made["1_00000"].meta["subtitles_dropped"], 1);
    let found: Vec<(&str, &str)> = failures(&made).iter().map(|(key, class, _)| (*key, *class)).collect();
    let none = "no_subtitles";
    assert_eq!(found, [("0", none), ("2", none), ("3", none), ("5", "bad_row")]);
    assert!(failures(&made)[0].2.ends_with("a .vtt member is not UTF-8"), "{:?}", failures(&made));
    // Without media there is nothing to cut.
    assert_eq!(made["4"].extensions(), ["vtt"]);
}

/// Another clip source does not fail for what the subtitles are.
#[test]
fn clips_by_a_column_bear_bad_subtitles() {
    let lab = Lab::new();
    lab.make("a.mp4", "-f lavfi -i testsrc2=d=2:s=64x48:r=25 -preset ultrafast");
    let meta = json!({"cut": [[0, 1]], "yt_meta_dict": {"subtitles": {"en": "<html>"}}});
    let input = tar(&lab, &[("0.json", Text(meta.to_string())), ("0.mp4", File("a.mp4"))]);
    let config = "{job: {clip_col: cut}, subsampling: {ClippingSubsampler: {args: {}}}}";
    let made = job(&lab, &input, config, "out");
    let meta = &made["0_00000"].meta;
    assert_eq!((&meta["clip_subtitles"], &meta["subtitles_dropped"]), (&json!([]), &json!(1)));
}
