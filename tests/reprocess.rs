//! Tars in, tars out: every sample goes on under its key, in the shard of its tar's name.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::cluster::root;
use common::job::{Ended, Job, assert_same, clipmill, members, snapshot, stats, verify};
use common::site::Site;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder with tars, and where their shards go.
struct Tars {
    folder: TempDir,
}

impl Tars {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("in")).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn output(&self) -> PathBuf {
        self.path("out")
    }

    /// Writes `in/NAME.tar` with these members.
    fn write(&self, name: &str, members: &[(&str, &[u8])]) -> PathBuf {
        let path = self.path(&format!("in/{name}.tar"));
        fs::write(&path, tar_of(members)).unwrap();
        path
    }

    fn command(&self, input: &str, options: &[&str]) -> Command {
        let mut command = clipmill();
        command.args(["run", "reprocess", "-o", &format!("url_list={input}")]);
        command.args(["-o", &format!("output_folder={}", self.output().display())]);
        for option in options {
            command.args(["-o", option]);
        }
        command
    }

    fn run(&self, options: &[&str]) -> Ended {
        let input = self.path("in").display().to_string();
        Ended::of(self.command(&input, options).output().unwrap())
    }

    fn members(&self, shard: &str) -> Vec<(String, Vec<u8>)> {
        members(&self.output().join(format!("{shard}.tar")))
    }

    fn json(&self, shard: &str, key: &str) -> Value {
        let name = format!("{key}.json");
        let found = self.members(shard).into_iter().find(|(member, _)| *member == name);
        serde_json::from_slice(&found.unwrap_or_else(|| panic!("no {name}")).1).unwrap()
    }
}

fn tar_of(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        out.append(&header, *bytes).unwrap();
    }
    out.into_inner().unwrap()
}

/// A tar as this tool writes it: `samples` samples with JSON, text and `bytes` bytes of media each.
fn download_like(samples: usize, bytes: usize) -> Vec<u8> {
    let mut out = tar::Builder::new(Vec::new());
    for n in 0..samples {
        let key = format!("{n:09}");
        let meta = json!({"id": n, "url": "http://x/y.mp4", "key": key, "status": "success", "error_message": null});
        let media = vec![(n % 251) as u8; bytes];
        for (extension, body) in [("json", meta.to_string().as_bytes()), ("mp4", &media)] {
            let mut header = tar::Header::new_ustar();
            header.set_size(body.len() as u64);
            header.set_cksum();
            out.append_data(&mut header, format!("{key}.{extension}"), body).unwrap();
        }
    }
    out.into_inner().unwrap()
}

#[test]
fn a_download_goes_through_with_the_same_bytes() {
    let site = Site::start(25, 3000);
    let mut urls: Vec<String> = (0..25).map(|n| site.url(&format!("media/{n}.mp4"))).collect();
    urls[7] = site.url("nothing.mp4");
    let job = Job::new(&urls);
    job.run().expect(0);
    let tars = Tars::new();
    let input = job.output().display().to_string();
    for spelling in [input.clone(), format!("{input}/{{00000..00002}}.tar"), format!("{input}/*.tar")] {
        let options = ["input_format=webdataset", "incremental_mode=overwrite"];
        Ended::of(tars.command(&spelling, &options).output().unwrap()).expect(0);
        assert_same(&job.snapshot(), &snapshot(&tars.output()));
        verify(&tars.output());
    }
    let counts = stats(&tars.output(), "00000");
    assert_eq!((counts["count"].clone(), counts["failed_to_download"].clone()), (json!(10), json!(1)));
    assert_eq!(counts["status_dict"]["http_404"], 1);
    let status = Ended::of(clipmill().arg("status").arg(tars.output()).output().unwrap()).expect(0);
    assert!(status.stdout.contains("25 in committed shards"), "{}", status.stdout);
    let plan = clipmill().args(["plan", "reprocess", "-o", &format!("url_list={input}")]).output().unwrap();
    let plan = Ended::of(plan).expect(0);
    assert!(plan.stdout.contains("3 tars become one shard each"), "{}", plan.stdout);
}

#[test]
fn keys_fields_and_members_of_other_tools_are_kept() {
    let tars = Tars::new();
    let strange = br#"{"key": "their own", "status": 200, "big": 123456789012345678901, "x": 1e-05}"#;
    tars.write(
        "cats.v1",
        &[
            ("a/b.c/0001.mp4", b"media"),
            ("a/b.c/0001.json", strange),
            ("a/b.c/0001.seg.npy", b"array"),
            ("dog_002.txt", "Hünd".as_bytes()),
            ("../up.vtt", b"WEBVTT"),
            ("dog_002.webm", b"later"),
        ],
    );
    tars.run(&[]).expect(0);
    verify(&tars.output());
    let names: Vec<String> = tars.members("cats.v1").into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "a/b.c/0001.json",
            "a/b.c/0001.mp4",
            "a/b.c/0001.seg.npy",
            "dog_002.json",
            "dog_002.txt",
            "dog_002.webm",
            "__/up.json",
            "__/up.vtt"
        ]
    );
    let meta = tars.json("cats.v1", "a/b.c/0001");
    assert_eq!((&meta["key"], &meta["status"]), (&json!("a/b.c/0001"), &json!("success")));
    assert_eq!((&meta["input_key"], &meta["input_status"]), (&json!("their own"), &json!(200)));
    assert_eq!(tars.json("cats.v1", "dog_002"), json!({"key": "dog_002", "caption": "Hünd", "status": "success"}));
}

#[test]
fn one_bad_sample_is_its_own_failure() {
    let tars = Tars::new();
    tars.write(
        "00003",
        &[
            ("1.json", b"{\"id\": 1, "),
            ("1.mp4", b"one"),
            ("2.txt", b"\xff\xfe"),
            ("2.json", b"{\"id\": 2}"),
            ("3.mp4", b"three"),
            ("3.mp4", b"again"),
            ("4.json", br#"{"key": "4", "status": "failed_to_download", "error_message": "gone"}"#),
            ("5.mp4", b"five"),
        ],
    );
    tars.run(&[]).expect(0);
    verify(&tars.output());
    let members: BTreeMap<String, Vec<u8>> = tars.members("00003").into_iter().collect();
    assert_eq!(members["1.unreadable_json"], b"{\"id\": 1, ");
    assert_eq!((members["1.mp4"].as_slice(), members["3.mp4"].as_slice()), (&b"one"[..], &b"three"[..]));
    for (key, word) in [("1", "cannot be read"), ("2", "UTF-8"), ("3", "twice")] {
        let meta = tars.json("00003", key);
        assert_eq!(meta["status"], "failed_to_subsample", "{key}");
        assert!(meta["error_message"].as_str().unwrap().contains(word), "{meta}");
    }
    assert_eq!(tars.json("00003", "2")["id"], 2);
    assert_eq!(tars.json("00003", "4")["error_message"], "gone");
    let counts = stats(&tars.output(), "00003");
    assert_eq!(
        (&counts["count"], &counts["successes"], &counts["failed_to_download"]),
        (&json!(5), &json!(1), &json!(1))
    );
}

#[test]
fn a_cut_tar_keeps_what_is_whole_and_says_what_is_lost() {
    let tars = Tars::new();
    let whole = download_like(5, 2000);
    fs::write(tars.path("in/00000.tar"), &whole[..whole.len() * 3 / 4]).unwrap();
    fs::write(tars.path("in/00001.tar"), tar_of(&[])).unwrap();
    fs::write(tars.path("in/00002.tar"), b"").unwrap();
    tars.run(&[]).expect(0);
    verify(&tars.output());
    let counts = stats(&tars.output(), "00000");
    assert_eq!((&counts["count"], &counts["successes"]), (&json!(4), &json!(3)));
    let lost = tars.json("00000", "000000003");
    assert!(lost["error_message"].as_str().unwrap().contains("cut short"), "{lost}");
    assert_eq!(stats(&tars.output(), "00001")["count"], 0);
    assert_eq!(stats(&tars.output(), "00002")["count"], 1, "a file of no bytes is no empty tar");
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_written() {
    let refused = |tars: &Tars, input: &str, options: &[&str], words: &str| {
        let ended = Ended::of(tars.command(input, options).output().unwrap()).expect(2);
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
        assert!(!tars.output().join("00000_stats.json").exists());
    };
    let tars = Tars::new();
    let one = tars.write("00000", &[("1.mp4", b"x")]);
    let one = one.to_str().unwrap();
    fs::create_dir(tars.path("other")).unwrap();
    fs::copy(one, tars.path("other/00000.tar")).unwrap();
    let both = format!("[{one}, {}]", tars.path("other/00000.tar").display());
    refused(&tars, &both, &[], "both become the shard `00000`");
    refused(&tars, one, &["stage=download"], "`download` takes a table");
    refused(&tars, "x.csv", &["stage=subset", "input_format=csv"], "`subset` takes WebDataset tars");
    refused(&tars, one, &["caption_col=caption"], "no columns");
    refused(&tars, one, &["incremental_mode=retry_failed"], "nothing to fetch");
    refused(&tars, &format!("{}/{{0..3}}.tar", tars.path("in").display()), &[], "0.tar");
    let zipped = tars.path("in/00001.tar");
    fs::write(&zipped, [0x1f, 0x8b, 8, 0, 0, 0]).unwrap();
    refused(&tars, zipped.to_str().unwrap(), &[], "gzip");
    let into = format!("output_folder={}", tars.path("in").display());
    for mode in ["incremental", "overwrite", "extend"] {
        refused(&tars, one, &[&into, &format!("incremental_mode={mode}")], "lies in output_folder");
    }
    fs::create_dir_all(tars.output()).unwrap();
    fs::write(tars.output().join("00000.tar"), "someone's").unwrap();
    refused(&tars, one, &[], "00000.tar");
    assert_eq!(fs::read(tars.output().join("00000.tar")).unwrap(), b"someone's");
}

#[test]
fn media_can_be_left_behind() {
    let tars = Tars::new();
    tars.write("00000", &[("1.mp4", b"x"), ("1.m4a", b"y"), ("1.npy", b"z"), ("1.txt", b"t"), ("2.mp4", b"x")]);
    tars.run(&["encode_formats={}", "stage=subset"]).expect(0);
    verify(&tars.output());
    let names: Vec<String> = tars.members("00000").into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["1.json", "1.npy", "1.txt", "2.json"]);
}

#[test]
fn new_tars_extend_and_changed_ones_are_refused() {
    let tars = Tars::new();
    let first = tars.write("b", &[("1.mp4", b"x")]);
    tars.run(&[]).expect(0);
    tars.write("c", &[("1.mp4", b"y")]);
    let ended = tars.run(&[]).expect(2);
    assert!(ended.stderr.contains("not planned"), "{}", ended.stderr);
    tars.run(&["incremental_mode=extend"]).expect(0);
    verify(&tars.output());
    assert!(tars.output().join("c.tar").exists());
    fs::write(first, tar_of(&[("1.mp4", b"other"), ("2.mp4", b"z")])).unwrap();
    tars.run(&[]).expect(2);
    tars.run(&["incremental_mode=overwrite"]).expect(0);
    assert_eq!(stats(&tars.output(), "b")["count"], 2);
    verify(&tars.output());
}

fn kill(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_killed_rank_loses_nothing_and_two_ranks_share_the_tars() {
    let tars = Tars::new();
    for shard in 0..4 {
        fs::write(tars.path(&format!("in/part.{shard}.tar")), download_like(1500, 20_000)).unwrap();
    }
    tars.run(&[]).expect(0);
    let want = snapshot(&tars.output());
    fs::remove_dir_all(tars.output()).unwrap();
    let input = tars.path("in").display().to_string();
    let quick = ["distribution.heartbeat=0.05", "distribution.lease_ttl=1"];
    let mut killed = 0;
    for _ in 0..3 {
        let mut child = tars.command(&input, &quick).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        let partial = tars.output().join("_clipmill/partial");
        let bytes = || {
            fs::read_dir(&partial).map_or(0, |entries| {
                entries.filter_map(|entry| entry.ok()?.metadata().ok()).map(|meta| meta.len()).sum::<u64>()
            })
        };
        while bytes() < 4_000_000 && child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing is written");
            std::thread::sleep(Duration::from_millis(2));
        }
        killed += usize::from(child.try_wait().unwrap().is_none());
        kill(&mut child);
    }
    assert!(killed > 0, "no run was there to be killed");
    let ranks: Vec<Child> = (0..2)
        .map(|rank| {
            let mut command = tars.command(&input, &quick);
            command.args(["--rank", &rank.to_string(), "--world", "2"]).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for rank in ranks {
        Ended::of(rank.wait_with_output().unwrap()).expect(0);
    }
    assert_same(&want, &snapshot(&tars.output()));
    verify(&tars.output());
}

#[test]
fn ten_thousand_samples_take_little_memory() {
    let tars = Tars::new();
    fs::write(tars.path("in/00000.tar"), download_like(10_000, 20_000)).unwrap();
    let most = peak_kib(&tars, &[]);
    assert!(most > 0 && most < 120 << 10, "{most} KiB, with 200 MB of media");
    assert_eq!(stats(&tars.output(), "00000")["count"], 10_000);
}

/// Runs the job; KiB of memory that its rank took at most.
fn peak_kib(tars: &Tars, options: &[&str]) -> u64 {
    let input = tars.path("in").display().to_string();
    let mut child = tars.command(&input, options).stderr(Stdio::null()).spawn().unwrap();
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        most = most.max(kib.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    most
}

#[test]
fn much_metadata_takes_little_memory() {
    let tars = Tars::new();
    let json = format!("{{\"times\": [{}0]}}", "0.125, ".repeat(30_000));
    let names: Vec<String> = (0..80).map(|n| format!("{n:03}.json")).collect();
    let samples: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), json.as_bytes())).collect();
    tars.write("00000", &samples);
    let most = peak_kib(&tars, &["distribution.memory_budget=16MiB", "distribution.thread_count=64"]);
    assert!(most > 0 && most < 128 << 10, "{most} KiB, with 17 MB of JSON");
    assert_eq!(stats(&tars.output(), "00000")["successes"], 80);
}

#[test]
fn metadata_that_would_take_gigabytes_is_its_samples_failure() {
    let tars = Tars::new();
    let json = format!("[{}0]", "0,".repeat(20 << 20));
    tars.write("00000", &[("a.json", b"{}"), ("b.json", json.as_bytes()), ("c.json", b"{}")]);
    let most = peak_kib(&tars, &[]);
    assert!(most > 0 && most < 250 << 10, "{most} KiB, with 42 MB of JSON");
    let stats = stats(&tars.output(), "00000");
    assert_eq!((&stats["count"], &stats["successes"]), (&json!(3), &json!(2)));
    let message = &tars.json("00000", "b")["error_message"];
    assert_eq!(message, "the sample's .json in the input tar holds too many values");
}

#[test]
fn the_tar_program_is_understood() {
    let tars = Tars::new();
    let files = tars.path("files/deep");
    fs::create_dir_all(&files).unwrap();
    let long = "n".repeat(180);
    for name in ["1.mp4", "1.json", &format!("{long}.mp4")] {
        let mut file = fs::File::create(files.join(name)).unwrap();
        file.write_all(if name.ends_with("json") { b"{\"id\": 5}" } else { b"media" }).unwrap();
    }
    std::os::unix::fs::symlink("1.mp4", files.join("2.mp4")).unwrap();
    for format in ["ustar", "gnu", "pax"] {
        let output = tars.path(&format!("in/{format}.tar"));
        let skip = if format == "ustar" { format!("--exclude={long}*") } else { "--exclude=none".into() };
        let mut command = Command::new("tar");
        command.arg(format!("--format={format}")).arg(skip).arg("-cf").arg(output).arg("deep");
        assert!(command.current_dir(tars.path("files")).status().unwrap().success());
    }
    tars.run(&[]).expect(0);
    verify(&tars.output());
    for format in ["gnu", "pax"] {
        assert_eq!(stats(&tars.output(), format)["successes"], 2, "{format}");
        let names: Vec<String> = tars.members(format).into_iter().map(|(name, _)| name).collect();
        assert!(names.contains(&format!("deep/{long}.mp4")), "{names:?}");
        let link = tars.json(format, "deep/2");
        assert!(link["error_message"].as_str().unwrap().contains("a link"), "{link}");
    }
    assert_eq!(stats(&tars.output(), "ustar")["successes"], 1);
}

/// Python of the virtual environment that tests/rig/setup.sh makes.
fn python(script: &str, argument: &Path) {
    let python = root().join(".venv/bin/python");
    let output = Command::new(&python).args(["-c", script]).arg(argument).output();
    Ended::of(output.unwrap_or_else(|error| panic!("{}: {error}; see tests/rig/setup.sh", python.display()))).expect(0);
}

#[test]
fn what_webdataset_writes_is_read_and_what_we_write_is_read_by_it() {
    let tars = Tars::new();
    python(
        r#"
import sys, webdataset as wds
with wds.TarWriter(sys.argv[1] + "/in/000000.tar") as out:
    for n in range(5):
        out.write({"__key__": f"x/sample{n}", "mp4": b"m" * (n + 1), "json": {"n": n}, "cls": n})
"#,
        tars.folder.path(),
    );
    tars.run(&[]).expect(0);
    verify(&tars.output());
    python(
        r#"
import json, sys, webdataset as wds
read = lambda folder: list(wds.WebDataset(f"{sys.argv[1]}/{folder}/000000.tar", shardshuffle=False))
before, after = read("in"), read("out")
assert [s["__key__"] for s in before] == [s["__key__"] for s in after] and len(after) == 5
for old, new in zip(before, after):
    assert old["mp4"] == new["mp4"] and old["cls"] == new["cls"]
    assert json.loads(new["json"]) == json.loads(old["json"]) | {"key": new["__key__"], "status": "success"}
"#,
        tars.folder.path(),
    );
}
