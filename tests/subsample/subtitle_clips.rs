//! `captions_are_subtitles`: each line of the subtitles is a clip, and its caption.

use serde_json::{Value, json};

use crate::lab::{Lab, video};
use crate::subtitle_lab::Member::{File, Text};
use crate::subtitle_lab::{CLIPS, failures, job, table, tar, texts};

const VTT: &str = "WEBVTT\n\n00:00.520 --> 00:02.000\n<c>Hello</c> &amp; welcome\n\n\
    00:02.000 --> 00:03.000 align:start\nHello &amp; welcome\ntwo\n\n00:01.000 --> 00:00.500\nbackwards\n\n\
    00:19.000 --> 00:25.000\nto the\nend\n\n00:30.000 --> 00:31.000\nbeyond\n";

#[test]
fn a_column_of_subtitles() {
    let lab = Lab::new();
    lab.long();
    let en = json!([{"start": "00:00:01.000", "end": "00:00:02.000", "lines": ["one"]}, {"start": "NaN", "end": 3, "lines": ["x"]}]);
    let de = json!([{"start": 0.2, "end": 1.2, "lines": ["ei"]}, {"start": 1.2, "end": 9, "lines": ["ns"]}]);
    let both = json!({"en": en, "de": de}).to_string();
    let table = table(&lab, &[("long.mp4", VTT), ("long.mp4", &both), ("long.mp4", ""), ("long.mp4", "rubbish")]);
    let made = job(&lab, &table, CLIPS, "out");
    assert_eq!(
        texts(&made),
        [
            ("00000000_00000", "Hello & welcome"),
            ("00000000_00001", "two"),
            ("00000000_00002", "to the end"),
            ("00000001_00000", "one")
        ]
    );
    let none =
        "the sample has no subtitles: neither in `yt_meta_dict`, nor in a field `subtitles`, nor as .vtt members";
    let rubbish = "the subtitles cannot be used: they are neither WebVTT nor JSON";
    assert_eq!(failures(&made), [("00000002", "no_subtitles", none), ("00000003", "no_subtitles", rubbish)]);

    let first = &made["00000000_00000"];
    assert_eq!(first.meta["clips"], json!([["00:00:00.520", "00:00:02.000"]]));
    assert_eq!(first.meta["caption"], "Hello & welcome");
    assert_eq!((&first.meta["clips_dropped"], &first.meta["subtitles_dropped"]), (&json!(1), &json!(1)));
    let said = json!([{"start": "00:00:00.000", "end": "00:00:01.480", "lines": {"und": ["Hello & welcome"]}}]);
    assert_eq!(first.meta["clip_subtitles"], said);
    assert_eq!(video(&lab.member(first, "mp4")), (160, 90, 37));
    assert_eq!(
        (first.meta["subtitles"].as_str(), &made["00000000_00001"].meta["subtitles"]),
        (Some(VTT), &Value::Null)
    );
    assert_eq!(made["00000000_00002"].meta["clips"], json!([["00:00:19.000", "00:00:20.000"]]));
    let said = &made["00000001_00000"].meta["clip_subtitles"];
    assert_eq!(said[0], json!({"start": "00:00:00.000", "end": "00:00:00.200", "lines": {"de": ["ei"]}}));
    assert_eq!(said[1]["lines"], json!({"en": ["one"], "de": ["ns"]}));
}

/// The rules of ClippingSubsampler hold, and a line in pieces is the caption of each.
#[test]
fn lines_by_the_rules_of_clipping() {
    let lab = Lab::new();
    lab.long();
    let line = |start: f64, end: f64, text: &str| json!({"start": start, "end": end, "lines": [text]});
    let lines = json!([line(5.0, 5.4, "short"), line(2.0, 4.5, "long"), line(3.0, 4.0, "over it")]).to_string();
    let table = table(&lab, &[("long.mp4", &lines)]);
    let rules = |rules: &str| {
        let config = CLIPS.replace("precision: exact", &format!("precision: exact, {rules}"));
        let made = job(&lab, &table, &config, "out");
        std::fs::remove_dir_all(lab.path("out")).unwrap();
        made
    };
    let made = rules("min_length: 0.45, max_length: 1");
    let spans: Vec<(&str, f64)> =
        made.values().map(|clip| (clip.text("txt"), clip.meta["clip"]["start"].as_f64().unwrap())).collect();
    assert_eq!(spans, [("long", 2.0), ("long", 3.0), ("long", 4.0), ("over it", 3.0)]);
    assert_eq!(made["00000000_00000"].meta["clips_dropped"], 1);
    let made = rules("max_length: 1, max_length_strategy: first");
    assert_eq!(made.values().map(|clip| clip.text("txt")).collect::<Vec<_>>(), ["short", "long", "over it"]);
}

fn meta(key: &str, site: &Value) -> String {
    json!({"url": "https://example.com/v", "key": key, "status": "success", "error_message": null, "yt_meta_dict": site})
        .to_string()
}

#[test]
fn tars_with_stored_subtitles_and_members_beside_the_media() {
    let lab = Lab::new();
    lab.long();
    let site = json!({"info": {"title": "t"}, "subtitles": {
        "en": [{"start": "00:00:01.000", "end": "00:00:02.000", "lines": ["stored"]}, {"start": "00:00:04.000", "end": "00:00:05.000", "lines": ["again"]}],
        "fr": [{"start": "00:00:01.000", "end": "00:00:05.000", "lines": ["tout"]}],
    }});
    let vtt = |text: &str| Text(format!("WEBVTT\n\n00:06.000 --> 00:07.000\n{text}\n"));
    let old = json!({"subtitles": [{"start": "00:00:03.000", "end": "00:00:04.000", "lines": ["old shape"]}]});
    let input = tar(
        &lab,
        &[
            ("0.json", Text(meta("0", &site))),
            ("0.mp4", File("long.mp4")),
            ("0.txt", Text("the whole video".into())),
            ("0.en.vtt", vtt("not this one")),
            ("1.json", Text(meta("1", &Value::Null))),
            ("1.de.vtt", vtt("daneben")),
            ("1.en.vtt", vtt("beside")),
            ("1.mp4", File("long.mp4")),
            ("1.npy", Text("carried over".into())),
            ("2.mp4", File("long.mp4")),
            ("2.vtt", vtt("no json")),
            ("3.json", Text(meta("3", &old))),
            ("3.mp4", File("long.mp4")),
            ("4.json", Text(meta("4", &json!({})))),
            ("4.mp4", File("long.mp4")),
            ("5.json", Text(meta("5", &json!({"subtitles": {"en": [], "fr": "404"}})))),
            ("5.mp4", File("long.mp4")),
            ("5.en.vtt", vtt("instead")),
        ],
    );
    let made = job(&lab, &input, CLIPS, "out");
    assert_eq!(
        texts(&made),
        [
            ("0_00000", "stored"),
            ("0_00001", "again"),
            ("1_00000", "daneben"),
            ("2_00000", "no json"),
            ("3_00000", "old shape"),
            ("5_00000", "instead")
        ]
    );
    assert_eq!(
        failures(&made).iter().map(|(key, class, _)| (*key, *class)).collect::<Vec<_>>(),
        [("4", "no_subtitles")]
    );
    let (first, second) = (&made["0_00000"], &made["0_00001"]);
    assert_eq!((&first.meta["yt_meta_dict"], &second.meta["yt_meta_dict"]), (&site, &json!({})));
    assert_eq!((&first.meta["caption"], &first.meta["input_caption"]), (&json!("stored"), &json!("the whole video")));
    assert_eq!(first.meta["clip_subtitles"][0]["lines"], json!({"en": ["stored"], "fr": ["tout"]}));
    assert_eq!(made["1_00000"].meta["clip_subtitles"][0]["lines"], json!({"de": ["daneben"], "en": ["beside"]}));
    // The times of the members beside are the whole video's.
    assert_eq!(first.extensions(), ["mp4", "txt"]);
    assert_eq!(made["1_00000"].extensions(), ["mp4", "npy", "txt"]);
}

/// Fetched first and cut later gives what one job gives; clips are not cut again by the subtitles of their parent.
#[test]
fn chains_of_jobs() {
    let lab = Lab::new();
    lab.long();
    let table = table(&lab, &[("long.mp4", VTT)]);
    let at_once = job(&lab, &table, CLIPS, "once");
    job(&lab, &table, "{}", "fetched");
    let in_steps = job(&lab, &lab.path("fetched/00000.tar"), CLIPS, "clips");
    assert_eq!(in_steps.keys().collect::<Vec<_>>(), at_once.keys().collect::<Vec<_>>());
    for (key, sample) in &at_once {
        assert_eq!(in_steps[key].meta, sample.meta, "{key}");
        assert!(in_steps[key].members == sample.members, "the members of {key}");
    }

    let small = "{subsampling: {ResolutionSubsampler: {args: {video_size: 32, resize_mode: scale}}}, encoding: {preset: ultrafast}}";
    let small = job(&lab, &lab.path("clips/00000.tar"), small, "small");
    assert_eq!(texts(&small), texts(&at_once));
    for (key, sample) in &small {
        assert_eq!(sample.meta["clip_subtitles"], at_once[key].meta["clip_subtitles"], "{key}");
    }

    let again = job(&lab, &lab.path("small/00000.tar"), CLIPS, "again");
    let keys: Vec<&str> = again.keys().map(String::as_str).collect();
    assert_eq!(keys, ["00000000_00000_00000", "00000000_00001_00000", "00000000_00002_00000"]);
    let whole = json!([["00:00:00.000", "00:00:01.480"]]);
    assert_eq!(again["00000000_00000_00000"].meta["clips"], whole, "times within the clip");

    let cut = "{job: {clip_col: cut}, subsampling: {ClippingSubsampler: {args: {precision: exact}}}, encoding: {preset: ultrafast}}";
    let members = |sample: &crate::lab::Sample| {
        lab.write("clip.mp4", &sample.members["mp4"]);
        let mut meta = sample.meta.clone();
        meta["cut"] = json!([[0.48, 9], [1.2, 1.4]]);
        meta.to_string()
    };
    let meta = members(&small["00000000_00000"]);
    let cut = job(&lab, &tar(&lab, &[("c.json", Text(meta)), ("c.mp4", File("clip.mp4"))]), cut, "cut");
    let said = json!([{"start": "00:00:00.000", "end": "00:00:01.000", "lines": {"und": ["Hello & welcome"]}}]);
    assert_eq!(cut["c_00000"].meta["clip_subtitles"], said, "clips by a column say what is said in them, too");
    assert_eq!(cut["c_00001"].meta["clip_subtitles"][0]["end"], "00:00:00.200");
}

/// Sound alone is cut, too, and clips can be chosen by what is said in them.
#[test]
fn sound_alone_and_filters() {
    let lab = Lab::new();
    lab.long();
    lab.make("sound.m4a", "-i long.mp4 -vn -c:a copy");
    let lines =
        "WEBVTT\n\n00:01.000 --> 00:02.000\none\n\n00:02.500 --> 00:04.000\ntwo\n\n00:04.000 --> 00:05.000\nthree\n";
    let table = table(&lab, &[("long.mp4", lines), ("sound.m4a", lines)]);
    let config = CLIPS.replace("{storage", "{job: {encode_formats: {audio: m4a}}, storage");
    let config =
        config.replace("subsampling: {", "subsampling: {FilterSubsampler: {args: {expression: \"'e' in caption\"}}, ");
    let made = job(&lab, &table, &config, "out");
    let of =
        |key: &str| (made[key].meta["status"].as_str().unwrap(), made[key].text("txt"), made[key].extensions().len());
    for key in ["00000000", "00000001"] {
        let found = ["0", "1", "2"].map(|n| format!("{key}_0000{n}"));
        let found: Vec<_> = found.iter().map(|key| of(key)).collect();
        assert_eq!(found, [("success", "one", 2), ("filtered", "two", 1), ("success", "three", 2)], "{key}");
    }
    let said = json!([{"start": "00:00:00.000", "end": "00:00:01.000", "lines": {"und": ["three"]}}]);
    assert_eq!(made["00000001_00002"].meta["clip_subtitles"], said);
    let again = job(
        &lab,
        &lab.path("out/00000.tar"),
        &CLIPS.replace("{storage", "{job: {encode_formats: {audio: m4a}}, storage"),
        "again",
    );
    assert_eq!(again["00000001_00002_00000"].meta["clips"][0][0], "00:00:00.000");
    assert_eq!(again["00000001_00002_00000"].text("txt"), "three");
}
