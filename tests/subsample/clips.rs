//! Clips hold the frames that their labels say, and exact ones those that were asked for.

use serde_json::{Value, json};

use crate::lab::{Lab, Sample, frames, video};

const DENSE: &str = "[[10, 11], [12, 13], [14, 15], [16, 17]]";

/// The label's start and end (s) and number of frames, checked against what ffprobe decodes.
#[track_caller]
fn label(lab: &Lab, sample: &Sample) -> (f64, f64, u64) {
    let clip = &sample.meta["clip"];
    let (start, end) = (clip["start"].as_f64().unwrap(), clip["end"].as_f64().unwrap());
    let count = clip["frames"].as_u64().unwrap();
    let (width, height, decoded) = video(&lab.member(sample, "mp4"));
    assert_eq!(count, decoded, "{clip}");
    assert_eq!([clip["width"].as_u64(), clip["height"].as_u64()], [Some(width), Some(height)]);
    assert!(((end - start) * 25.0 - count as f64).abs() < 0.01, "{clip}");
    (start, end, count)
}

/// The pixels of a copied clip are those of the source at the labelled place: the label is true.
#[track_caller]
fn is_cut_from(lab: &Lab, sample: &Sample, whole: &[String]) {
    let (start, _, count) = label(lab, sample);
    let first = (start * 25.0).round() as usize;
    let made = frames(&lab.member(sample, "mp4"), "null");
    assert_eq!(made, whole[first..first + count as usize], "{}", sample.meta["clip"]);
}

#[test]
fn exact_clips_have_exactly_the_frames_of_their_spans() {
    let lab = Lab::new();
    lab.long();
    let made = lab.cut(DENSE, "{precision: exact}");
    let keys: Vec<&str> = made.keys().map(String::as_str).collect();
    assert_eq!(keys, ["00000000_00000", "00000000_00001", "00000000_00002", "00000000_00003"]);
    for (sample, start) in made.values().zip([10.0, 12.0, 14.0, 16.0]) {
        assert_eq!(label(&lab, sample), (start, start + 1.0, 25));
        assert_eq!(sample.meta["clip"]["asked"], json!([start, start + 1.0]));
        assert_eq!(sample.meta["clips"], json!([[start, start + 1.0]]), "{}", sample.meta);
    }
}

#[test]
fn copied_clips_say_where_they_really_begin() {
    let lab = Lab::new();
    let whole = frames(&lab.long(), "null");
    let made = lab.cut(DENSE, "{precision: low}");
    let starts: Vec<Value> = made.values().map(|sample| sample.meta["clip"]["start"].clone()).collect();
    assert_eq!(starts, [0.0, 12.0, 12.0, 12.0]);
    for sample in made.values() {
        is_cut_from(&lab, sample, &whole);
    }
}

#[test]
fn adjusted_clips_begin_and_end_at_keyframes() {
    let lab = Lab::new();
    let whole = frames(&lab.long(), "null");
    let made = lab.cut("[[0, 14], [3, 20]]", "{precision: keyframe_adjusted}");
    let spans: Vec<_> = made.values().map(|sample| label(&lab, sample)).collect();
    assert_eq!(spans, [(0.0, 12.0, 300), (12.0, 20.0, 200)]);
    for sample in made.values() {
        is_cut_from(&lab, sample, &whole);
    }
}

#[test]
fn no_span_is_lost_and_none_is_made_up() {
    let lab = Lab::new();
    lab.long();
    // Unsorted and overlapping; over the end; the end itself; two behind it.
    let made = lab.cut("[[6, 8], [20, 21], [1, 2.5], [2, 3], [19, 30], [18, 20], [25, 30]]", "{precision: exact}");
    assert!(made.values().all(|sample| sample.meta["clips_dropped"] == 2), "none is dropped without a word");
    let mut spans: Vec<_> = made.values().map(|sample| label(&lab, sample)).collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let asked = [(1.0, 2.5, 38), (2.0, 3.0, 25), (6.0, 8.0, 50), (18.0, 20.0, 50), (19.0, 20.0, 25)];
    for (made, asked) in spans.iter().zip(asked) {
        assert!((made.0 - asked.0).abs() < 1e-6 && made.2 == asked.2, "{made:?} for {asked:?}");
    }
    assert_eq!(spans.len(), asked.len());
}

#[test]
fn all_spellings_of_spans_give_the_same_clips() {
    let lab = Lab::new();
    lab.long();
    let bytes = |cell: &str| {
        let made = lab.cut(cell, "{precision: low}");
        made.into_values().map(|mut sample| sample.members.remove("mp4").unwrap()).collect::<Vec<_>>()
    };
    let first = bytes("[[1.5, 3], [12.25, 14]]");
    assert_eq!(first.len(), 2);
    for cell in [
        "[(1.5, 3.0), (12.25, 14.0)]",
        r#"[["00:00:01.500", "00:00:03"], ["00:00:12.250", "00:00:14"]]"#,
        "[['00:00:01.500', '00:00:03.000'], ['00:00:12.25', '00:00:14']]",
    ] {
        assert!(bytes(cell) == first, "{cell}");
    }
}

#[test]
fn lengths_split_and_drop_spans() {
    let lab = Lab::new();
    lab.long();
    let made = lab.cut("[[0, 9], [10, 11]]", "{precision: exact, min_length: 1.5, max_length: 4}");
    let spans: Vec<_> = made.values().map(|sample| label(&lab, sample)).collect();
    assert_eq!(spans, [(0.0, 4.0, 100), (4.0, 8.0, 100)]);
}
