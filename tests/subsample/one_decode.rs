//! Cuts that become clips in the decode that finds them give what clips by cuts that are known give, byte for byte.

use std::path::{Path, PathBuf};

use crate::common::job::{Ended, clipmill, verify};
use crate::lab::{Lab, Samples, samples};

/// Runs a job to a good end, and gives what it made and what `plan` says of it.
fn job(lab: &Lab, input: &Path, formats: &str, subsampling: &str, output: &str) -> (Samples, String) {
    let text = format!("job: {{encode_formats: {formats}}}\nsubsampling: {{{subsampling}}}\n");
    let config = lab.write(&format!("{output}.yaml"), text);
    let command = |name: &str| {
        let mut command = clipmill();
        command.arg(name).arg(&config).args(["-o", &format!("url_list={}", input.display())]);
        command.args(["-o", &format!("output_folder={}", lab.path(output).display())]);
        command.args(["-o", "reading.allow_local_paths=true", "-o", "distribution.mpi=off"]);
        command
    };
    let plan = Ended::of(command("plan").output().unwrap()).expect(0).stdout;
    Ended::of(command("run").output().unwrap()).expect(0);
    verify(&lab.path(output));
    (samples(&lab.path(output)), plan)
}

/// One job that finds cuts and makes clips at once, against two: one for the cuts, one for the clips. Gives the clips.
fn both_ways(lab: &Lab, files: &[&str], formats: &str, cuts: &str, clips: &str) -> Samples {
    let table = &lab.table(files);
    let name = |step: &str| format!("{step}{:x}", crc(&format!("{formats}{cuts}{clips}")));
    let finds = format!("CutDetectionSubsampler: {{cuts_are_clips: true, args: {cuts}}}, {clips}");
    let (at_once, plan) = job(lab, table, formats, &finds, &name("once"));
    assert!(plan.contains("passes: 1 decode, 1 encode per clip"), "{plan}");

    let found = name("found");
    job(lab, table, "{video: mp4}", &format!("CutDetectionSubsampler: {{args: {cuts}}}"), &found);
    let knows = format!("CutDetectionSubsampler: {{cuts_are_clips: true}}, {clips}");
    let (in_steps, _) = job(lab, &lab.path(&found).join("00000.tar"), formats, &knows, &name("steps"));

    assert_eq!(at_once.keys().collect::<Vec<_>>(), in_steps.keys().collect::<Vec<_>>());
    for (key, sample) in &at_once {
        let said = |samples: &Samples| {
            let mut meta = samples[key].meta.clone();
            // What a failed sample was found to have is known where it comes from another job.
            if meta["status"] != "success" {
                meta["cuts"].take();
            }
            meta
        };
        assert_eq!(said(&in_steps), said(&at_once), "{key}");
        assert_eq!(
            in_steps[key].members.keys().collect::<Vec<_>>(),
            sample.members.keys().collect::<Vec<_>>(),
            "{key}"
        );
        assert!(in_steps[key].members == sample.members, "the members of {key}: {}", sample.meta["clip"]);
    }
    at_once
}

fn crc(text: &str) -> u32 {
    text.bytes().fold(0, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()))
}

fn footage(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig/footage-src").join(name);
    assert!(path.is_file(), "no footage: run 'bash tests/rig/setup.sh test' first");
    path
}

/// Real footage and synthetic scenes of 12 s in all, with a tone.
fn joined(lab: &Lab, name: &str, arguments: &str) {
    let files = ["bikes.mp4", "bigbuckbunny.mp4", "carphone_pristine.mp4"].map(footage);
    let inputs: String = files.iter().map(|file| format!("-i {} ", file.display())).collect();
    let fit = "scale=192:108,setsar=1,fps=25,format=yuv420p";
    let graph = format!(
        "[0:v]{fit},trim=0:3.1[a];[1:v]{fit},trim=0:3[b];[2:v]{fit},trim=0:2.5[c];[3:v]{fit}[d];\
         [a][b][c][d]concat=n=4:v=1[v]"
    );
    let synthetic = "-f lavfi -i testsrc2=d=3.4:s=192x108:r=25 -f lavfi -i sine=d=12:r=44100";
    lab.make(name, &format!("{inputs}{synthetic} -filter_complex {graph} -map [v] -map 4:a {arguments}"));
}

/// Many kinds of media: with and without sound, constant and variable rates, four codecs, long and short groups.
fn media(lab: &Lab) {
    joined(lab, "a.mp4", "-c:v libx264 -preset veryfast -g 40 -bf 3 -c:a aac");
    lab.make("short.mp4", "-i a.mp4 -an -t 0.5 -c:v libx264");
    lab.make(
        "vfr.mkv",
        "-i a.mp4 -vf select=mod(n\\,7)*mod(n\\,11) -fps_mode vfr -c:v libx264 -preset veryfast -c:a libmp3lame",
    );
    lab.make("late.mp4", "-itsoffset 1.3 -i a.mp4 -i a.mp4 -map 0:v -map 1:a -c copy");
    lab.make("a.webm", "-i a.mp4 -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 60 -c:a libopus");
    lab.make("av1.mp4", "-i a.mp4 -an -c:v libaom-av1 -cpu-used 8 -g 50 -usage realtime");
    lab.make("old.avi", "-i a.mp4 -c:v mpeg4 -bf 2 -g 20 -c:a libmp3lame");
    std::fs::copy(footage("bikes.mp4"), lab.path("bikes.mp4")).unwrap();
    std::fs::copy(footage("bigbuckbunny.mp4"), lab.path("bunny.mp4")).unwrap();
}

#[test]
fn one_decode_gives_what_two_give() {
    let lab = Lab::new();
    media(&lab);
    let small = "ResolutionSubsampler: {args: {video_size: 64, resize_mode: 'scale,crop,pad'}}";
    let slow = "FrameSubsampler: {args: {frame_rate: 5}}";

    // As the config that people start from: clips between keyframes.
    let all = ["a.mp4", "short.mp4", "vfr.mkv", "late.mp4", "a.webm", "av1.mp4", "old.avi", "bikes.mp4", "bunny.mp4"];
    let clips = format!(
        "ClippingSubsampler: {{args: {{min_length: 1, max_length: 2.5, precision: keyframe_adjusted}}}}, {small}, {slow}, \
         FFProbeSubsampler: {{args: {{}}}}"
    );
    let made = both_ways(&lab, &all, "{video: mp4}", "{threshold: 11.5}", &clips);
    assert!(made.len() > 20, "{}", made.len());

    let some = ["a.mp4", "vfr.mkv", "late.mp4", "old.avi"];
    let clips = format!(
        "ClippingSubsampler: {{args: {{min_length: 0.7, max_length: 1.1, precision: exact}}}}, {small}, \
         AudioRateSubsampler: {{args: {{sample_rate: 16000}}}}"
    );
    let made = both_ways(&lab, &some, "{video: mp4, audio: m4a}", "{threshold: 20}", &clips);
    assert!(made.len() > 30, "{}", made.len());

    let some = ["a.mp4", "a.webm", "av1.mp4"];
    let clips = format!(
        "ClippingSubsampler: {{args: {{max_length: 2, max_length_strategy: first, precision: exact}}}}, {small}, {slow}"
    );
    let made = both_ways(&lab, &some, "{video: mkv}", "{detector: adaptive, window_width: 3}", &clips);
    assert!(made.len() > 8, "{}", made.len());

    // No length at all, sound that is encoded in the video's own file, and a rate above the source's.
    let fast = "FrameSubsampler: {args: {frame_rate: 30}}, AudioRateSubsampler: {args: {sample_rate: 8000}}";
    let clips = format!(
        "ClippingSubsampler: {{args: {{precision: exact}}}}, {small}, {fast}, MotionSubsampler: {{args: {{}}}}"
    );
    let cuts = "{detector: hash, threshold: 0.3, min_scene_len: 3}";
    both_ways(&lab, &["vfr.mkv", "late.mp4"], "{video: mp4}", cuts, &clips);
}
