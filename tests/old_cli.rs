//! Scripts of video2dataset's users, with one word before them: `clipmill video2dataset …`.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use common::cluster::root;
use common::job::{Ended, assert_same, clipmill, members, snapshot, stats, verify};

const CLIPS: [&str; 2] = ["bikes_0_3.mp4", "carphone_pristine_0_1.mp4"];

/// The path of a real clip, which `tests/rig/footage.sh` cuts.
fn clip(name: &str) -> PathBuf {
    root().join("target/rig/footage").join(name)
}

/// A folder with the table of a recipe: direct mp4 files, captions, further columns.
fn table(header: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut text = format!("{header}\n");
    for (n, name) in CLIPS.iter().enumerate() {
        text += &format!("{},\"clip {n}, as it is\",{n},7\n", clip(name).display());
    }
    fs::write(folder.path().join("results.csv"), text).unwrap();
    folder
}

/// Runs a script's line, as a shell does, in `folder`.
fn script(folder: &Path, line: &str) -> Ended {
    let program = env!("CARGO_BIN_EXE_clipmill");
    let mut shell = Command::new("sh");
    shell.env_clear().envs(clipmill().get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.envs(["PATH", "HOME", "TMPDIR"].iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    shell.args(["-c", &format!("clipmill() {{ {program} \"$@\"; }}; {line}")]).current_dir(folder);
    Ended::of(shell.output().unwrap())
}

/// The tars' members, names only.
#[cfg(feature = "media")]
fn names(output: &Path, shard: &str) -> Vec<String> {
    members(&output.join(format!("{shard}.tar"))).into_iter().map(|(name, _)| name).collect()
}

const WEBVID: &str = r#"clipmill video2dataset --url_list="results.csv" \
    --input_format="csv" \
    --output-format="webdataset" \
    --output_folder="dataset" \
    --url_col="contentUrl" \
    --caption_col="name" \
    --save_additional_columns='[videoid,duration]' \
    --enable_wandb=False \
    --encode_formats '{"video": "mp4"}' \
    --config default"#;

#[test]
fn a_download_recipe_runs_and_says_what_it_is_the_same_as() {
    let folder = table("contentUrl,name,videoid,duration");
    let ended = script(folder.path(), WEBVID).expect(0);
    let output = folder.path().join("dataset");
    verify(&output);
    assert_eq!(stats(&output, "00000")["successes"], 2);
    let all = members(&output.join("00000.tar"));
    let expected = ["0000000", "0000001"].map(|key| ["json", "mp4", "txt"].map(|kind| format!("{key}0.{kind}")));
    let expected: Vec<String> = expected.concat().iter().map(|name| name.replace("00000010", "00000001")).collect();
    assert_eq!(all.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), expected);
    assert_eq!(all[1].1, fs::read(clip(CLIPS[0])).unwrap());
    assert_eq!(all[2].1, b"clip 0, as it is");
    let json: serde_json::Value = serde_json::from_slice(&all[0].1).unwrap();
    assert_eq!((&json["videoid"], &json["duration"]), (&0.into(), &7.into()));

    // The line that it prints makes the same shards.
    let line = ended.stderr.lines().find_map(|line| line.strip_prefix("the same as: ")).unwrap();
    script(folder.path(), &line.replace("output_folder=dataset", "output_folder=again")).expect(0);
    assert_same(&snapshot(&output), &snapshot(&folder.path().join("again")));
}

#[cfg(feature = "media")]
#[test]
fn subset_and_optical_flow_recipes_run_over_the_tars() {
    let folder = table("contentUrl,name,videoid,duration");
    script(folder.path(), WEBVID).expect(0);
    fs::copy(root().join("tests/config/fixtures/optical_flow.yaml"), folder.path().join("flow.yaml")).unwrap();
    let subset = "clipmill video2dataset --url_list='dataset/{00000..00000}.tar' --input_format webdataset \
                  --output_format webdataset --output_folder subset --stage subset \
                  --config \"{'subsampling': {'FrameSubsampler': {'args': {'frame_rate': 5}}}}\" \
                  --encode_formats \"{'video': 'mp4'}\"";
    script(folder.path(), subset).expect(0);
    let made = folder.path().join("subset");
    verify(&made);
    assert_eq!(stats(&made, "00000")["successes"], 2);
    assert_eq!(names(&made, "00000"), names(&folder.path().join("dataset"), "00000"));
    let flow = "clipmill video2dataset --url_list='dataset/{00000..00000}.tar' --input_format webdataset \
                --output_format webdataset --output_folder flow --stage optical_flow --config flow.yaml \
                --encode_formats '{\"optical_flow\": \"npy\"}'";
    script(folder.path(), flow).expect(0);
    let flows = names(&folder.path().join("flow"), "00000");
    assert_eq!(flows.iter().filter(|name| name.ends_with(".npy")).count(), 2, "{flows:?}");
}

#[test]
fn a_dry_run_prints_the_line_and_leaves_nothing() {
    let folder = table("url,name,videoid,duration");
    let ended = script(folder.path(), "clipmill video2dataset results.csv out --dry_run").expect(0);
    assert_eq!(
        ended.stdout,
        "clipmill run download -o output_format=files -o reading.allow_local_paths=true -o url_list=results.csv \
         -o output_folder=out\n"
    );
    assert!(ended.stderr.is_empty() && !folder.path().join("out").exists(), "{ended:?}");
}

#[test]
fn a_mistake_is_exit_2_before_anything_is_written() {
    let folder = table("url,name,videoid,duration");
    for (flags, said) in [
        ("--url_list=results.csv --output_foldr=out", "did you mean --output_folder?"),
        (
            "--url_list=results.csv --output_folder=out --output_format=webdataset --stage=whisper",
            "the stage `whisper` is not available",
        ),
        ("--url_list=results.csv --output_folder=out --max_shard_retry=many", "-o max_shard_retry=many"),
        ("--url_list=s3://bucket/a.csv --output_folder=out --output_format=webdataset", "s3://"),
        ("", "give --url_list=TABLE"),
    ] {
        let ended = script(folder.path(), &format!("clipmill video2dataset {flags}")).expect(2);
        assert!(ended.stderr.contains(said), "{flags}: {}", ended.stderr);
        assert!(!folder.path().join("out").exists(), "{flags}");
    }
}

#[test]
fn help_lists_the_flags() {
    for line in ["clipmill video2dataset --help", "clipmill video2dataset --url_list=a.csv -h"] {
        let ended = script(Path::new("/"), line).expect(0);
        assert!(ended.stdout.contains("save_additional_columns") && ended.stderr.is_empty(), "{ended:?}");
    }
}
