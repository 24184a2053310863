//! Sound that an earlier job made a member of its own is cut and resampled with the rest of its sample.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::job::{Ended, clipmill, verify};
use crate::jobs::{Lab, Samples, ffprobe, samples, video};
use crate::measure::{decoded, offset};

const SPANS: &str = "[[0.5, 2.1], [2.1, 3.3], [5.03, 7.5]]";

/// Eight seconds with a keyframe each second, reordered frames, and a sound that is alike to itself nowhere.
fn source(lab: &Lab) -> PathBuf {
    let picture = "-f lavfi -i testsrc2=d=8:s=96x64:r=25";
    let sound = "-f lavfi -i aevalsrc=0.3*sin(2*PI*(200*t+60*t*t))+0.1*(random(0)-0.5):d=8:s=48000";
    lab.make("a.mp4", &format!("{picture} {sound} -c:v libx264 -preset ultrafast -bf 2 -g 25 -c:a aac -b:a 128k"))
}

fn job(lab: &Lab, input: &Path, subsampling: &str, output: &str, options: &[&str]) -> Samples {
    let config = lab.write("chain.yaml", format!("subsampling: {{{subsampling}}}\n"));
    let mut command = clipmill();
    command.arg("run").arg(config).args(["-o", &format!("url_list={}", input.display())]);
    command.args(["-o", &format!("output_folder={}", lab.path(output).display())]);
    command.args(["-o", "reading.allow_local_paths=true", "-o", "distribution.mpi=off"]);
    command.args(options.iter().flat_map(|option| ["-o", option]));
    Ended::of(command.output().unwrap()).expect(0);
    verify(&lab.path(output));
    samples(&lab.path(output))
}

/// Fetches `a.mp4` with its spans, and these members.
fn fetched(lab: &Lab, formats: &str) -> PathBuf {
    source(lab);
    let table = lab.write("table.csv", format!("url,spans\n{},\"{SPANS}\"\n", lab.path("a.mp4").display()));
    job(lab, &table, "", "fetched", &["save_additional_columns=[spans]", &format!("encode_formats={formats}")]);
    lab.path("fetched/00000.tar")
}

fn at(clip: &Value, field: &str) -> usize {
    (clip[field].as_f64().unwrap() * 48000.0).round() as usize
}

#[test]
fn clips_of_a_later_job_have_the_sound_of_one_job() {
    let lab = Lab::new();
    let all = &["low", "keyframe_adjusted", "exact"][..];
    for (extension, precisions, most) in [("mp3", all, 0), ("m4a", &["low"], 1151), ("opus", &["exact"], 0)] {
        let formats = format!("{{video: mp4, audio: {extension}}}");
        let tar = fetched(&lab, &formats);
        let original = decoded(&lab.path("a.mp4"));
        for precision in precisions {
            let clips = format!("ClippingSubsampler: {{args: {{precision: {precision}}}}}");
            let options = ["clip_col=spans", &format!("encode_formats={formats}")];
            let once = job(&lab, &lab.path("table.csv"), &clips, "once", &options);
            let later = job(&lab, &tar, &clips, "later", &options);
            assert_eq!(later.keys().collect::<Vec<_>>(), once.keys().collect::<Vec<_>>());
            // Between the keyframes at 2 and 3 s of the second span there is no other.
            assert_eq!(once.len(), if *precision == "keyframe_adjusted" { 2 } else { 3 });
            for (key, sample) in &once {
                let (what, later) = (format!("{extension} {precision} {key}"), &later[key]);
                for field in ["clip", "clips", "status"] {
                    assert_eq!(later.meta[field], sample.meta[field], "{what}");
                }
                assert!(later.members["mp4"] == sample.members["mp4"], "{what}: the video");
                assert_eq!(later.members.keys().collect::<Vec<_>>(), sample.members.keys().collect::<Vec<_>>());
                let sounds = [sample, later].map(|sample| decoded(&lab.member(sample, extension)));
                let clip = &sample.meta["clip"];
                let wanted = &original[at(clip, "start")..at(clip, "end").min(original.len())];
                for (sound, whose) in sounds.iter().zip(["one job's", "the later job's"]) {
                    let more = sound.len() as i64 - wanted.len() as i64;
                    assert!(
                        (-1..=most).contains(&more),
                        "{what}, {whose}: {more} samples too many of {}",
                        wanted.len()
                    );
                    assert!(offset(wanted, sound, 1200).abs() <= 1, "{what}, {whose}");
                }
            }
            for folder in ["once", "later"] {
                std::fs::remove_dir_all(lab.path(folder)).unwrap();
            }
        }
        std::fs::remove_dir_all(lab.path("fetched")).unwrap();
    }
}

#[test]
fn sound_beside_a_video_is_resampled_and_keeps_its_name() {
    let lab = Lab::new();
    let tar = fetched(&lab, "{video: mp4, audio: mp3}");
    let rate = "AudioRateSubsampler: {args: {sample_rate: 16000, n_audio_channels: 1}}";
    let whole = job(&lab, &tar, rate, "rate", &["encode_formats={video: mp4, audio: mp3}"]);
    assert_eq!(decoded(&lab.member(&whole["00000000"], "mp3")).len(), 128_000);
    let stream = &ffprobe(&lab.member(&whole["00000000"], "mp3"), "-show_streams")["streams"][0];
    assert_eq!((stream["sample_rate"].as_str(), stream["channels"].as_u64()), (Some("16000"), Some(1)));

    // Another name is another kind of file; pictures alone are asked for, and the sound beside them goes on.
    let other = job(&lab, &tar, "", "other", &["encode_formats={video: mp4, audio: flac}"]);
    assert_eq!(other["00000000"].members.keys().collect::<Vec<_>>(), ["flac", "mp4"]);
    let clips = "ClippingSubsampler: {args: {precision: exact}}";
    let cut = job(&lab, &tar, &format!("{clips}, {rate}"), "cut", &["clip_col=spans"]);
    assert_eq!(cut["00000000_00002"].members.keys().collect::<Vec<_>>(), ["mp3", "mp4"]);
    assert_eq!(decoded(&lab.member(&cut["00000000_00002"], "mp3")).len(), 39_680, "the frames from 5.04 to 7.52 s");
    assert_eq!(video(&lab.member(&cut["00000000_00002"], "mp4")).2, 62);
}

#[test]
fn sound_alone_is_cut_without_a_video() {
    let lab = Lab::new();
    let tar = fetched(&lab, "{audio: mp3}");
    let original = decoded(&lab.path("a.mp4"));
    for formats in ["{audio: mp3}", "{video: mp4}", "{audio: wav}"] {
        let clips = "ClippingSubsampler: {args: {precision: exact}}";
        let options = ["clip_col=spans", &format!("encode_formats={formats}")];
        let made = job(&lab, &tar, clips, "alone", &options);
        let extension = if formats.contains("wav") { "wav" } else { "mp3" };
        assert_eq!(made.len(), 3);
        for ((key, sample), (start, end)) in
            made.iter().zip([(24_000, 100_800), (100_800, 158_400), (241_440, 360_000)])
        {
            assert_eq!(sample.members.keys().collect::<Vec<_>>(), [extension], "{key}");
            let got = decoded(&lab.member(sample, extension));
            assert_eq!(got.len(), end - start, "{formats} {key}");
            assert_eq!(offset(&original[start..end], &got, 1200), 0, "{formats} {key}");
        }
        std::fs::remove_dir_all(lab.path("alone")).unwrap();
    }
    // Nothing to be done: it goes on as it is, under its name.
    let kept = job(&lab, &tar, "FFProbeSubsampler: {args: {}}", "kept", &[]);
    let before = samples(&lab.path("fetched"));
    assert!(kept["00000000"].members == before["00000000"].members);
    assert_eq!(kept["00000000"].meta["video_metadata"]["streams"][0]["codec_name"], "mp3");
}

#[test]
fn broken_sound_is_the_samples_failure_and_says_which() {
    let lab = Lab::new();
    let tar = fetched(&lab, "{video: mp4, audio: mp3}");
    let mut bytes = std::fs::read(&tar).unwrap();
    let is_name = |name: &[u8]| name.starts_with(b"00000000.mp3");
    let header = bytes.chunks(512).position(is_name).unwrap() * 512;
    bytes[header + 512..header + 512 + 4096].fill(b'x');
    lab.write("00000.tar", bytes);
    let clips = "ClippingSubsampler: {args: {}}";
    let made = job(&lab, &lab.path("00000.tar"), clips, "broken", &["clip_col=spans"]);
    let meta = &made["00000000"].meta;
    assert_eq!(meta["status"], "failed_to_subsample");
    assert!(meta["error_message"].as_str().unwrap().contains("the sample's sound (`.mp3`)"), "{meta}");
}
