//! Download, cuts, clips and resizing as jobs of their own give what one job gives.

use std::path::Path;

use crate::common::job::{Ended, clipmill, verify};
use crate::lab::{Lab, Samples, samples};

const CUTS: &str = "CutDetectionSubsampler: {cuts_are_clips: true, args: {threshold: 20}}";
const STORED: &str = "CutDetectionSubsampler: {cuts_are_clips: true}";
const CLIPS: &str = "ClippingSubsampler: {args: {min_length: 0.5, max_length: 3}}";

fn job(lab: &Lab, input: &Path, subsampling: &str, output: &str) -> Samples {
    let config = lab.write("chain.yaml", format!("subsampling: {{{subsampling}}}\n"));
    let mut command = clipmill();
    command.arg("run").arg(config).args(["-o", &format!("url_list={}", input.display())]);
    command.args(["-o", &format!("output_folder={}", lab.path(output).display())]);
    command.args(["-o", "reading.allow_local_paths=true", "-o", "distribution.mpi=off"]);
    Ended::of(command.output().unwrap()).expect(0);
    verify(&lab.path(output));
    samples(&lab.path(output))
}

#[test]
fn jobs_of_their_own_give_what_one_job_gives() {
    let lab = Lab::new();
    let scenes =
        "-f lavfi -i testsrc2=d=4:s=160x120:r=25 -f lavfi -i smptebars=d=3:s=160x120:r=25 -f lavfi -i sine=d=7";
    let joined = "-filter_complex [0:v][1:v]concat=n=2:v=1 -g 25 -c:v libx264 -preset ultrafast -c:a aac";
    lab.make("a.mp4", &format!("{scenes} {joined}"));
    let table = lab.table(&["a.mp4", "missing.mp4"]);
    let at_once = job(&lab, &table, &format!("{CUTS}, {CLIPS}"), "once");

    job(&lab, &table, "", "fetched");
    let found = job(&lab, &lab.path("fetched/00000.tar"), &CUTS.replace("cuts_are_clips: true, ", ""), "found");
    assert_eq!(found["00000000"].meta["cuts"]["cuts_original_fps"], serde_json::json!([[0, 100], [100, 175]]));
    let in_steps = job(&lab, &lab.path("found/00000.tar"), &format!("{STORED}, {CLIPS}"), "clips");

    assert_eq!(in_steps.keys().collect::<Vec<_>>(), at_once.keys().collect::<Vec<_>>());
    assert_eq!(in_steps["00000001"].meta["status"], "failed_to_download", "a failed sample is carried through");
    for (key, sample) in &at_once {
        assert_eq!(in_steps[key].meta, sample.meta, "{key}");
        assert!(in_steps[key].members == sample.members, "the members of {key}");
    }

    let small = job(
        &lab,
        &lab.path("clips/00000.tar"),
        "ResolutionSubsampler: {args: {video_size: 64, resize_mode: crop}}",
        "small",
    );
    let clip = &small["00000000_00001"].meta["clip"];
    assert_eq!((&clip["width"], &clip["height"]), (&64.into(), &64.into()));
    assert_eq!(clip["start"], at_once["00000000_00001"].meta["clip"]["start"], "it keeps its place in the video");
}
