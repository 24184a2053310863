//! The configs that people start from run end to end, and `plan` says what they cost.

use std::path::{Path, PathBuf};

use crate::common::job::{Ended, clipmill, verify};
use crate::lab::{Lab, Sample, samples, video};

fn config(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Two scenes of 6 and 5 s, keyframes every second, a tone.
fn source(lab: &Lab) -> PathBuf {
    let inputs =
        "-f lavfi -i testsrc2=d=6:s=160x90:r=25 -f lavfi -i smptebars=s=160x90:r=25:d=5 -f lavfi -i sine=d=11:r=44100";
    let join = "-filter_complex [1:v]trim=duration=5[m];[0:v][m]concat=n=2:v=1[v] -map [v] -map 2:a";
    lab.make("a.mp4", &format!("{inputs} {join} -pix_fmt yuv420p -preset ultrafast -g 25 -c:a aac"));
    lab.table(&["a.mp4"])
}

#[test]
fn downsample_ml_ours_and_theirs() {
    let lab = Lab::new();
    let table = source(&lab);
    let mut spans = Vec::new();
    for (n, file) in ["configs/downsample_ml.yaml", "tests/config/fixtures/downsample_ml.yaml"].into_iter().enumerate()
    {
        let output = lab.path(&n.to_string());
        let options = [
            format!("url_list={}", table.display()),
            format!("output_folder={}", output.display()),
            "reading.allow_local_paths=true".into(),
            "distribution.mpi=off".into(),
        ];
        let options = options.iter().flat_map(|option| ["-o", option]);
        let plan =
            Ended::of(clipmill().arg("plan").arg(config(file)).args(options.clone()).output().unwrap()).expect(0);
        assert!(plan.stdout.contains("passes: 1 decode, 1 encode per clip"), "{}", plan.stdout);
        Ended::of(clipmill().arg("run").arg(config(file)).args(options).output().unwrap()).expect(0);
        verify(&output);
        let made = samples(&output);
        let keys: Vec<&str> = made.keys().map(String::as_str).collect();
        assert_eq!(keys, ["00000000_00000", "00000000_00001"], "{file}");
        for sample in made.values() {
            is_small_square_and_slow(&lab, sample);
        }
        spans.push(made.values().map(|sample| sample.meta["clip"].to_string()).collect::<Vec<_>>());
    }
    assert_eq!(spans[0], spans[1], "both say the same");
}

fn is_small_square_and_slow(lab: &Lab, sample: &Sample) {
    let clip = &sample.meta["clip"];
    let seconds = clip["end"].as_f64().unwrap() - clip["start"].as_f64().unwrap();
    assert!(seconds > 4.0 && seconds <= 10.0, "{clip}");
    let (width, height, count) = video(&lab.member(sample, "mp4"));
    assert_eq!((width, height), (224, 224));
    assert!((count as f64 - seconds * 5.0).abs() <= 1.0, "{count} frames in {seconds} s");
    assert_eq!(sample.meta["video_metadata"]["streams"][0]["width"], 160);
}

#[test]
fn sidecars_have_the_new_columns() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let lab = Lab::new();
    let table = source(&lab);
    let steps = "{CutDetectionSubsampler: {cuts_are_clips: true, args: {threshold: 11.5}}, ClippingSubsampler: {args: {precision: low}}, FFProbeSubsampler: {args: {}}}";
    Ended::of(lab.command(&table, steps, "out", &[]).output().unwrap()).expect(0);
    let file = std::fs::File::open(lab.path("out/00000.parquet")).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let schema = reader.metadata().file_metadata().schema_descr();
    let mut names: Vec<&str> = schema.columns().iter().map(|column| column.path().parts()[0].as_str()).collect();
    names.dedup();
    for name in ["key", "status", "error_message", "clip", "clips", "cuts", "video_metadata"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    assert_eq!(reader.metadata().file_metadata().num_rows(), 2);
}
