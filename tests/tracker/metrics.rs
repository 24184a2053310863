//! The metrics file, read by Prometheus's own parser.

use std::fs;

use super::common::job::{Job, clipmill};
use super::common::site::Site;
use super::lab::{BYTES, ask, job};

/// `{"name{label=value,…}": number}`, without the labels that all share; fails where a name stands twice, or lacks HELP or TYPE.
const PARSE: &str = r#"
import json, sys
from prometheus_client.parser import text_string_to_metric_families

samples, names = {}, set()
for family in text_string_to_metric_families(open(sys.argv[1]).read()):
    assert family.documentation and family.type in ("counter", "gauge"), family
    assert family.name not in names, family
    names.add(family.name)
    for sample in family.samples:
        assert sample.timestamp is None
        assert (sample.labels.pop("job_id"), sample.labels.pop("rank")) == (sys.argv[2], "0")
        assert (family.type == "counter") == sample.name.endswith("_total"), sample
        key = sample.name + "".join(f" {name}={value}" for name, value in sorted(sample.labels.items()))
        assert key not in samples
        samples[key] = float(sample.value)
print(json.dumps(samples))
"#;

fn with_metrics(job: Job, folder: &str) -> Job {
    let file = job.folder.path().join(folder).join("clipmill_${NUMBER}.prom");
    job.option(&format!("telemetry.metrics_file={}", file.display()))
}

#[test]
fn the_file_says_what_the_job_did() {
    let site = Site::start(25, 1000);
    let job = with_metrics(job(&site), ".");
    let mut command = job.command();
    command.env("NUMBER", "7").env("CLIPMILL_JOB_ID", "night \"run\"");
    assert_eq!(command.status().unwrap().code(), Some(0));
    let file = job.folder.path().join("clipmill_7.prom");
    let got = ask(PARSE, &[file.to_str().unwrap(), "night \"run\""]);
    for (name, value) in [
        ("clipmill_plan_shards", 3),
        ("clipmill_plan_rows", 25),
        ("clipmill_running", 0),
        ("clipmill_complete", 1),
        ("clipmill_shards_committed_total", 3),
        ("clipmill_rows_total status=success", 23),
        ("clipmill_rows_total status=failed_to_download", 2),
        ("clipmill_rows_total status=failed_to_subsample", 0),
        ("clipmill_rows_total status=filtered", 0),
        ("clipmill_failures_total class=http_404", 2),
        ("clipmill_samples_written_total", 25),
        ("clipmill_downloaded_bytes_total", BYTES),
        ("clipmill_rank_rows_total", 25),
        ("clipmill_rank_failed_rows_total", 2),
        ("clipmill_rank_shards_committed_total", 3),
        ("clipmill_rank_rows_in_flight", 0),
    ] {
        assert_eq!(got[name], value as f64, "{name}: {got:#}");
    }
    for stage in ["fetch", "write", "finish"] {
        assert!(got[format!("clipmill_stage_seconds_total stage={stage}")].as_f64() > Some(0.0), "{got:#}");
    }
    let at = |name: &str| got[name].as_f64().unwrap();
    assert!(
        at("clipmill_start_time_seconds") <= at("clipmill_update_time_seconds")
            && at("clipmill_start_time_seconds") > 1.6e9
    );

    // Every name that there is, and none else, stands in the manual.
    let manual = fs::read_to_string(super::common::cluster::root().join("doc/monitoring.md")).unwrap();
    let mut documented: Vec<&str> =
        manual.lines().filter_map(|line| line.strip_prefix("| `clipmill_")?.split(['`', '{']).next()).collect();
    let names = got.as_object().unwrap().keys();
    let mut written: Vec<&str> =
        names.map(|name| name.split(' ').next().unwrap().strip_prefix("clipmill_").unwrap()).collect();
    documented.sort_unstable();
    written.sort_unstable();
    written.dedup();
    assert_eq!(documented, written);
}

#[test]
fn a_second_start_counts_the_job_and_not_the_start() {
    let site = Site::start(25, 1000);
    let job = with_metrics(job(&site), ".");
    for _ in 0..2 {
        assert_eq!(job.command().env("NUMBER", "8").status().unwrap().code(), Some(0));
    }
    let got = ask(PARSE, &[job.folder.path().join("clipmill_8.prom").to_str().unwrap(), ""]);
    assert_eq!((&got["clipmill_shards_committed_total"], &got["clipmill_rank_rows_total"]), (&3.0.into(), &0.0.into()));
}

#[test]
fn a_retry_is_counted_once_it_is_done() {
    let site = Site::start(25, 1000);
    let mut urls: Vec<String> = (0..25).map(|n| site.url(&format!("media/{n}.mp4"))).collect();
    urls[3] = site.url("gone/3.mp4");
    site.set_gone(true);
    let job = with_metrics(Job::new(&urls).option("reading.retries=0"), ".");
    assert_eq!(job.command().env("NUMBER", "9").status().unwrap().code(), Some(0));
    let file = job.folder.path().join("clipmill_9.prom");
    let file = file.to_str().unwrap();
    assert_eq!(ask(PARSE, &[file, ""])["clipmill_failures_total class=http_503"], 1.0);
    site.set_gone(false);
    let job = job.option("incremental_mode=retry_failed");
    assert_eq!(job.command().env("NUMBER", "9").status().unwrap().code(), Some(0));
    let got = ask(PARSE, &[file, ""]);
    assert_eq!(
        (&got["clipmill_shards_committed_total"], &got["clipmill_rows_total status=success"]),
        (&3.0.into(), &25.0.into())
    );
    assert!(got.get("clipmill_failures_total class=http_503").is_none(), "{got:#}");
}

#[test]
fn a_file_that_cannot_be_written_is_one_warning() {
    let site = Site::start(25, 1000);
    let job = with_metrics(job(&site), "no/such/folder").option("telemetry.interval=0.1");
    let output = job.command().env("NUMBER", "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), said.matches("cannot be written").count()), (Some(0), 1), "{said}");
}

#[test]
fn one_rank_speaks_and_only_of_files_that_the_exporter_reads() {
    let site = Site::start(25, 1000);
    let job = with_metrics(job(&site), ".");
    let mut command = job.command();
    command.env("NUMBER", "2").args(["--rank", "1", "--world", "2"]);
    assert_eq!(command.status().unwrap().code(), Some(0));
    assert!(!job.folder.path().join("clipmill_2.prom").exists());
    let check = clipmill().args(["config", "check", "download", "-o", "telemetry.metrics_file=metrics.txt"]).output();
    let said = String::from_utf8_lossy(&check.unwrap().stderr).into_owned();
    assert!(said.contains("does not end with `.prom`"), "{said}");
}
