//! Weights & Biases by its real client, offline: its run file is read back with its own reader.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::common::job::{Ended, Job, stats};
use super::common::site::Site;
use super::lab::{ask, job, python};

/// All records of all offline runs of a folder, oldest run first: `[{id, project, config, exit, history: [{…}], tables: [[…]]}]`.
const READ: &str = r#"
import glob, json, os, sys
from wandb.proto import wandb_internal_pb2
from wandb.sdk.internal.datastore import DataStore

runs = []
for folder in sorted(glob.glob(sys.argv[1] + "/wandb/offline-run-*"), key=os.path.getmtime):
    store = DataStore()
    store.open_for_scan(glob.glob(folder + "/*.wandb")[0])
    run = {"history": [], "exit": None, "tables": []}
    while (data := store.scan_data()) is not None:
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            config = {one.key: json.loads(one.value_json) for one in record.run.config.update}
            run.update(id=record.run.run_id, project=record.run.project, config=config)
        elif kind == "history":
            point = {one.key or "/".join(one.nested_key): json.loads(one.value_json) for one in record.history.item}
            run["history"].append({**point, "step": record.history.step.num})
        elif kind == "exit":
            run["exit"] = record.exit.exit_code
    for file in sorted(glob.glob(folder + "/files/media/table/*.json"), key=os.path.getmtime):
        run["tables"].append(json.load(open(file)))
    runs.append(run)
print(json.dumps(runs))
"#;

fn tracked(site: &Site) -> Job {
    with_tracker(job(site))
}

fn with_tracker(job: Job) -> Job {
    job.option("enable_wandb=true")
        .option("wandb_project=films")
        .option(&format!("telemetry.wandb_python={}", python().display()))
        .option("telemetry.interval=0.2")
}

fn offline(job: &Job) -> Command {
    let mut command = job.command();
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WANDB_")) {
        command.env_remove(name);
    }
    command.env("WANDB_MODE", "offline");
    command
}

fn home(job: &Job) -> PathBuf {
    job.output().join("_clipmill")
}

fn runs(job: &Job) -> Vec<Value> {
    match ask(READ, &[home(job).to_str().unwrap()]) {
        Value::Array(runs) => runs,
        other => panic!("{other}"),
    }
}

/// The processes of a job's tracker: helper and wandb's service, which know it by `WANDB_DIR`.
fn processes(job: &Job) -> Vec<u32> {
    let marked = format!("WANDB_DIR={}", home(job).display());
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|one| one == marked.as_bytes())
    })
    .collect()
}

fn signal(name: &str, pids: &[u32]) {
    for pid in pids {
        Command::new("kill").args([format!("-{name}"), pid.to_string()]).status().unwrap();
    }
}

#[track_caller]
fn wait_for(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Starts a job of many seconds, and waits until its run is there and it has begun to fetch.
fn start_slow(job: &Job) -> Child {
    let child = offline(job).stderr(fs::File::create(job.folder.path().join("log")).unwrap()).spawn().unwrap();
    let begun = || fs::read_dir(home(job).join("leases")).is_ok_and(|leases| leases.count() > 1);
    wait_for("the job does not begin", begun);
    child
}

fn slow_job(site: &Site) -> Job {
    let urls: Vec<String> = (0..25).map(|n| site.url(&format!("slow/{n}.mp4"))).collect();
    with_tracker(Job::new(&urls)).option("distribution.thread_count=2")
}

fn log(job: &Job) -> String {
    fs::read_to_string(job.folder.path().join("log")).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

#[test]
fn each_shard_is_a_point_and_the_next_start_goes_on_in_the_same_run() {
    let site = Site::start(25, 1000);
    let job = tracked(&site);
    let ended = Ended::of(offline(&job).output().unwrap()).expect(0);
    assert!(ended.stderr.contains("Weights & Biases: run "), "{}", ended.stderr);
    let run = runs(&job).remove(0);
    assert_eq!((&run["project"], &run["exit"]), (&"films".into(), &0.into()));
    assert_eq!(run["id"], fs::read_to_string(home(&job).join("wandb-run-id")).unwrap());
    assert_eq!(run["config"]["storage"]["number_sample_per_shard"], 10);
    assert_eq!(run["config"]["job"]["caption_col"], "caption");

    let history = run["history"].as_array().unwrap();
    let steps: Vec<u64> = history.iter().map(|point| point["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, [1, 2, 3]);
    // Each point is one shard; which one, its row count and its seconds tell.
    let mut records: Vec<Value> = ["00000", "00001", "00002"].map(|name| stats(&job.output(), name)).into();
    for point in history {
        let seconds = |record: &Value| number(&record["end_time"]) - number(&record["start_time"]);
        let rate = |record: &Value| number(&record["count"]) / seconds(record).max(1e-3);
        let of_this = |record: &Value| (rate(record) / number(&point["worker/vid_per_sec"]) - 1.0).abs() < 1e-3;
        let at = records.iter().position(of_this).unwrap_or_else(|| panic!("{point:#} is none of {records:#?}"));
        let record = records.remove(at);
        let count = number(&record["count"]);
        assert_eq!(point["worker/count"], record["count"]);
        for (name, field) in [
            ("success", "successes"),
            ("failed_to_download", "failed_to_download"),
            ("failed_to_subsample", "failed_to_subsample"),
        ] {
            assert_eq!(number(&point[format!("worker/{name}")]), number(&record[field]) / count, "{name}");
        }
        let bytes = number(&record["bytes_downloaded"]) / seconds(&record).max(1e-3);
        assert!((number(&point["worker/bytes_per_sec"]) / bytes - 1.0).abs() < 1e-3, "{point:#}");
        for stage in ["fetch", "write", "finish"] {
            assert_eq!(point[format!("worker/{stage}_seconds")], record["clipmill"]["seconds"][stage], "{stage}");
        }
    }
    let last = history.last().unwrap();
    assert_eq!((&last["total/count"], number(&last["total/success"])), (&25.into(), 23.0 / 25.0));
    assert_eq!(number(&last["total/failed_to_download"]), 2.0 / 25.0);
    let table = run["tables"].as_array().unwrap().last().unwrap();
    assert_eq!(table["columns"], serde_json::json!(["status", "frequency", "count"]));
    assert_eq!(table["data"], serde_json::json!([["success", 0.92, 23], ["http_404", 0.08, 2]]));
    assert_eq!(processes(&job), Vec::<u32>::new());

    Ended::of(offline(&job).output().unwrap()).expect(0);
    let again = runs(&job).remove(1);
    assert_eq!(again["id"], run["id"]);
    let history = again["history"].as_array().unwrap();
    assert_eq!((history.len(), &history[0]["step"], &history[0]["total/count"]), (1, &3.into(), &25.into()));
    assert!(history[0].get("worker/count").is_none(), "{again:#}");
}

#[test]
fn without_wandb_nothing_is_begun() {
    let site = Site::start(25, 1000);
    // The interpreter that the environment was made of: a Python without the package.
    let bare = ask("import json, sys; print(json.dumps(sys._base_executable))", &[]);
    for (python, said) in [(bare.as_str().unwrap(), "pip install wandb"), ("/no/such/python", "cannot be started")] {
        for rank in ["0", "1"] {
            let job = tracked(&site).option(&format!("telemetry.wandb_python={python}"));
            let mut command = offline(&job);
            command.env("PYTHONNOUSERSITE", "1").args(["--rank", rank, "--world", "2"]);
            let ended = Ended::of(command.output().unwrap()).expect(2);
            assert!(ended.stderr.contains(said) && ended.stderr.contains("telemetry.wandb_python"), "{}", ended.stderr);
            assert!(!home(&job).join("plan.json").exists() && !job.output().join("00000.tar").exists());
        }
    }
}

#[test]
fn what_wandb_refuses_ends_the_job_before_it_begins() {
    let site = Site::start(25, 1000);
    let job = tracked(&site);
    // Online without a key: its client refuses without asking anybody.
    let mut command = offline(&job);
    command.env("WANDB_MODE", "online").env("HOME", job.folder.path()).env("NETRC", "/dev/null");
    let ended = Ended::of(command.output().unwrap()).expect(2);
    assert!(ended.stderr.contains("does not start") && ended.stderr.contains("wandb login"), "{}", ended.stderr);
    assert!(!home(&job).join("plan.json").exists());
    assert_eq!(processes(&job), Vec::<u32>::new());
}

#[test]
fn a_tracker_that_dies_costs_a_warning() {
    let site = Site::start(25, 100_000);
    let job = slow_job(&site);
    let mut child = start_slow(&job);
    signal("KILL", &processes(&job));
    assert_eq!(child.wait().unwrap().code(), Some(0), "{}", log(&job));
    assert_eq!(log(&job).matches("Weights & Biases is gone").count(), 1, "{}", log(&job));
    assert_eq!(stats(&job.output(), "00002")["successes"], 5);
    wait_for("wandb's own service is left behind", || processes(&job).is_empty());
}

#[test]
fn a_tracker_that_hangs_holds_no_drain_and_is_left_to_nobody() {
    let site = Site::start(25, 400_000);
    let job = slow_job(&site);
    let mut child = start_slow(&job);
    let tracker = processes(&job);
    assert!(!tracker.is_empty());
    signal("STOP", &tracker);
    let asked = Instant::now();
    signal("TERM", &[child.id()]);
    assert_eq!(child.wait().unwrap().code(), Some(75), "{}", log(&job));
    assert!(asked.elapsed() < Duration::from_secs(30));
    assert!(log(&job).contains("did not take the last numbers in time"), "{}", log(&job));
    // wandb's own service was stopped, too: it can go once it runs.
    signal("CONT", &tracker);
    wait_for("the tracker is left behind", || processes(&job).is_empty());
}

#[test]
fn a_rank_that_is_killed_leaves_no_tracker_behind_and_its_numbers_are_kept() {
    let site = Site::start(25, 100_000);
    let job = slow_job(&site);
    let mut child = start_slow(&job);
    wait_for("no shard is committed", || Path::new(&job.output().join("00000_stats.json")).exists());
    // What the tracker is told within one interval.
    std::thread::sleep(Duration::from_millis(600));
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for("the tracker is left behind", || processes(&job).is_empty());
    let run = runs(&job).remove(0);
    assert_eq!((&run["exit"], &run["history"][0]["total/count"]), (&1.into(), &10.into()), "{run:#}");
}
