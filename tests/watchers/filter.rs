//! A filter through the whole program: what it drops is counted, and stays in the books.

use serde_json::{Value, json};

use crate::job::{Ended, clipmill, snapshot, stats, verify};
use crate::lab::{H264, Lab};

fn config(precision: &str, expression: &str) -> Value {
    json!({
        "job": {"clip_col": "clips", "max_failed_fraction": 0.0},
        "subsampling": {
            "FFProbeSubsampler": {"args": {}},
            "MotionSubsampler": {"args": {}},
            "ClippingSubsampler": {"args": {"precision": precision}},
            "FilterSubsampler": {"args": {"expression": expression}}
        }
    })
}

fn media(lab: &Lab) -> std::path::PathBuf {
    let scenes = [("smptebars", 2.0), ("testsrc2", 3.0)];
    lab.scenes("a.mp4", "160x90", &scenes, &format!("{H264} -g 25 -sc_threshold 0"))
}

#[test]
fn a_clip_that_is_filtered_is_counted_and_kept_in_the_books() {
    let lab = Lab::new();
    let path = media(&lab);
    let rows = [(path.clone(), "[[0,2],[2,4],[2.5,3.2]]"), (path.clone(), "[[0,1],[1,2]]")];
    for (precision, passes) in [
        ("exact", "passes: 2 decodes (what to encode depends on the whole video), 1 encode per clip, audio copied\n"),
        ("low", "passes: 1 decode, video copied per clip, audio copied\n"),
    ] {
        let config = config(precision, "duration >= 1 and motion > 0.001");
        let plan = Ended::of(lab.command("plan", &config, &rows).output().unwrap()).expect(0);
        assert!(plan.stdout.contains(passes), "{}", plan.stdout);
        let samples = lab.run(&config, &rows);
        let got: Vec<(&str, &str, usize)> = samples
            .iter()
            .map(|sample| (sample.key.as_str(), sample.json["status"].as_str().unwrap(), sample.media.len()))
            .collect();
        let last = if precision == "exact" { "filtered" } else { "success" };
        assert_eq!(got[0], ("00000000_00000", "filtered", 0));
        assert_eq!(got[1], ("00000000_00001", "success", 1));
        // Of copied clips the length counts that they have, from their keyframe on.
        assert_eq!((got[2].0, got[2].1), ("00000000_00002", last), "{}", samples[2].json);
        assert_eq!(got[3..], [("00000001_00000", "filtered", 0), ("00000001_00001", "filtered", 0)]);
        // What led to it can be read.
        assert!(samples[0].json["motion"].as_f64().unwrap() < 0.001, "{}", samples[0].json);
        assert_eq!((&samples[0].json["error_message"], &samples[0].json["clip"]), (&Value::Null, &Value::Null));
        let counts = stats(&lab.output(), "00000");
        assert_eq!((&counts["count"], &counts["successes"], &counts["filtered"]), (&json!(2), &json!(1), &json!(1)));
        assert_eq!((&counts["outputs"], &counts["status_dict"]), (&json!(5), &json!({"success": 1, "filtered": 1})));
        verify(&lab.output());
        let status = Ended::of(clipmill().arg("status").arg(lab.output()).output().unwrap()).expect(0);
        assert!(status.stdout.contains("1 succeeded, 0 failed, 1 filtered\n"), "{}", status.stdout);
    }
}

#[test]
fn the_books_are_the_same_without_members_and_with_other_workers() {
    let lab = Lab::new();
    let path = media(&lab);
    let rows: Vec<_> = (0..6).map(|_| (path.clone(), "[[0,2],[2,4]]")).collect();
    let mut config = config("low", "motion > 0.001");
    lab.run(&config, &rows);
    let first = snapshot(&lab.output());
    config["distribution"] = json!({"processes_count": 1});
    lab.run(&config, &rows);
    assert!(first == snapshot(&lab.output()), "the bytes depend on the workers");
    config["storage"] = json!({"failed_samples": false});
    let kept = lab.run(&config, &rows);
    assert_eq!(kept.len(), 6, "only what is wanted has members");
    assert_eq!(stats(&lab.output(), "00000")["outputs"], 12);
    verify(&lab.output());
}

#[test]
fn a_filter_by_what_is_known_before_costs_no_decode() {
    let lab = Lab::new();
    let path = media(&lab);
    let short = lab.make("short.mp4", "-i a.mp4 -t 1 -c copy");
    let config = |expression: &str| {
        json!({"subsampling": {
            "FFProbeSubsampler": {"args": {}},
            "FilterSubsampler": {"args": {"expression": expression}}
        }})
    };
    let rows = [(path.clone(), ""), (short.clone(), "")];
    let wide = config("duration >= 2 and video_metadata.streams[0].width == 160");
    let plan = Ended::of(lab.command("plan", &wide, &rows).output().unwrap()).expect(0);
    assert!(plan.stdout.contains("passes: headers read, no decode, media kept as it is\n"), "{}", plan.stdout);
    let samples = lab.run(&wide, &rows);
    assert_eq!((&samples[0].json["status"], samples[0].media.len()), (&json!("success"), 1));
    assert_eq!((&samples[1].json["status"], samples[1].media.len()), (&json!("filtered"), 0));
    // A whole video is kept or dropped by what was seen of it, too.
    let mut seen = config("motion > 0.01 and cuts.cuts_original_fps != null");
    seen["subsampling"]["MotionSubsampler"] = json!({"args": {}});
    seen["subsampling"]["CutDetectionSubsampler"] = json!({"args": {}});
    let samples = lab.run(&seen, &rows);
    assert_eq!((&samples[0].json["status"], samples[0].media.len()), (&json!("success"), 1), "{}", samples[0].json);
    assert_eq!((&samples[1].json["status"], samples[1].media.len()), (&json!("filtered"), 0), "{}", samples[1].json);
}

#[test]
fn cuts_become_copied_clips_and_are_filtered() {
    let lab = Lab::new();
    let path = media(&lab);
    let config = json!({"subsampling": {
        "CutDetectionSubsampler": {"cuts_are_clips": true, "args": {}},
        "ClippingSubsampler": {"args": {"precision": "low"}},
        "FilterSubsampler": {"args": {"expression": "duration > 2.5"}}
    }});
    let samples = lab.run(&config, &[(path, "")]);
    let got: Vec<(&Value, &Value)> = samples.iter().map(|s| (&s.json["clips"], &s.json["status"])).collect();
    assert_eq!(got, [(&json!([[0.0, 2.0]]), &json!("filtered")), (&json!([[2.0, 5.0]]), &json!("success"))]);
}

#[test]
fn a_value_that_cannot_be_compared_fails_its_sample_alone() {
    let lab = Lab::new();
    let path = media(&lab);
    let config = json!({
        "job": {"save_additional_columns": ["clips"], "encode_formats": {"video": "mp4"}},
        "subsampling": {"FilterSubsampler": {"args": {"expression": "url != '' and likes > 3"}}}
    });
    let refused = Ended::of(lab.command("run", &config, &[(path.clone(), "7")]).output().unwrap()).expect(2);
    assert!(refused.stderr.contains("no sample has a field `likes`"), "{}", refused.stderr);
    // As a column of its own name.
    let table = format!("url,likes\n{0},7\n{0},many\n{0},2\n{0},\n", path.display());
    let mut config = config;
    config["job"]["save_additional_columns"] = json!(["likes"]);
    let mut command = lab.command("run", &config, &[]);
    std::fs::write(lab.path("table.csv"), table).unwrap();
    Ended::of(command.output().unwrap()).expect(0);
    let samples = lab.samples();
    let words: Vec<&str> = samples.iter().map(|sample| sample.json["status"].as_str().unwrap()).collect();
    assert_eq!(words, ["success", "failed_to_subsample", "filtered", "filtered"]);
    assert_eq!(samples[1].json["error_class"], "bad_row");
    let message = "FilterSubsampler: `likes > 3` cannot be worked out: text and a number have no order";
    assert_eq!(samples[1].json["error_message"], message);
}

#[test]
fn mistakes_are_found_before_the_job() {
    let lab = Lab::new();
    for (expression, wants) in [
        ("duration > and 3", ["column 12: expected a value, found `and`", "args.expression"]),
        ("duratoin > 3", ["no sample has a field `duratoin`", "did you mean `duration`?"]),
        (
            "motion_max > 3 or motion > 1 or capton == 'x'",
            ["no sample has a field `capton`", "did you mean `caption`?"],
        ),
        ("black_ratio < 0.5", ["no sample has a field `black_ratio`", "job.save_additional_columns"]),
        ("clip.frames > 3", ["`clip` is made after the filter's turn", "look at `duration` or `clips`"]),
    ] {
        let refused = Ended::of(lab.command("plan", &config("low", expression), &[]).output().unwrap()).expect(2);
        for want in wants {
            assert!(refused.stderr.contains(want), "{expression}: {}", refused.stderr);
        }
    }
    let clash = json!({
        "job": {"save_additional_columns": ["id", "motion"]},
        "subsampling": {"MotionSubsampler": {"args": {}}}
    });
    let refused = Ended::of(lab.command("plan", &clash, &[]).output().unwrap()).expect(2);
    assert!(refused.stderr.contains("`motion` is a field that MotionSubsampler makes"), "{}", refused.stderr);
    let config = json!({"subsampling": {"FilterSubsampler": {"args": {"expression": "duration > 3 or motion > 1"}}}});
    let refused = Ended::of(lab.command("plan", &config, &[]).output().unwrap()).expect(2);
    for want in ["add `FFProbeSubsampler: {args: {}}`", "add `MotionSubsampler: {args: {}}`"] {
        assert!(refused.stderr.contains(want), "{}", refused.stderr);
    }
}
