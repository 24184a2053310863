//! Bad input and bad disks: a clear error before anything is written, or a failed sample that says why.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use common::job::{Ended, Job, assert_same, stats, verify};
use common::site::Site;

fn urls(site: &Site, files: usize) -> Vec<String> {
    (0..files).map(|n| site.url(&format!("media/{n}.mp4"))).collect()
}

/// Exit 2, a message with all of `words`, and no output folder.
#[track_caller]
fn refused_without_a_trace(job: &Job, words: &[&str]) {
    let ended = job.run().expect(2);
    for word in words {
        assert!(ended.stderr.contains(word), "no `{word}` in:\n{}", ended.stderr);
    }
    assert!(!job.output().exists(), "nothing may have been written");
}

#[test]
fn a_missing_table() {
    let job = Job::new(&[]);
    fs::remove_file(job.table()).unwrap();
    refused_without_a_trace(&job, &["table.csv"]);
}

#[test]
fn a_folder_where_a_table_is_expected() {
    let job = Job::new(&[]);
    fs::remove_file(job.table()).unwrap();
    fs::create_dir(job.table()).unwrap();
    refused_without_a_trace(&job, &["table.csv", "no"]);
}

#[test]
fn an_empty_table_and_one_with_a_header_only() {
    for text in ["", "url,caption,id\n"] {
        let job = Job::new(&[]);
        fs::write(job.table(), text).unwrap();
        let ended = job.run().expect(2);
        assert!(ended.stderr.contains("table.csv"), "{}", ended.stderr);
        assert!(!job.output().join("00000.tar").exists());
    }
}

#[test]
fn a_missing_column_names_those_that_are_there() {
    let job = Job::new(&[]);
    fs::write(job.table(), "urls,caption,id\nhttp://127.0.0.1/a.mp4,a,1\n").unwrap();
    let ended = job.run().expect(2);
    for word in ["`url`", "urls", "caption"] {
        assert!(ended.stderr.contains(word), "{}", ended.stderr);
    }
}

#[test]
fn a_row_that_is_not_utf8_and_a_field_of_ten_megabytes_cost_themselves_only() {
    let site = Site::start(4, 1000);
    let job = Job::new(&urls(&site, 4));
    let mut table = fs::read(job.table()).unwrap();
    table.extend_from_slice(format!("{},caf\u{e9}", site.url("media/0.mp4")).replace('\u{e9}', "").as_bytes());
    table.extend_from_slice(b"\xe9 in latin-1,4\n");
    table.extend_from_slice(format!("{},{},5\n", site.url("media/1.mp4"), "x".repeat(10 << 20)).as_bytes());
    table.extend_from_slice(format!("{},fine,6\n", site.url("media/2.mp4")).as_bytes());
    fs::write(job.table(), table).unwrap();
    job.run().expect(0);
    let counts = stats(&job.output(), "00000");
    assert_eq!((&counts["count"], &counts["successes"]), (&7.into(), &5.into()), "{counts:#}");
    assert_eq!(counts["status_dict"]["invalid_utf8"], 1);
    assert_eq!(counts["status_dict"]["field_too_large"], 1);
    assert!(fs::metadata(job.output().join("00000.tar")).unwrap().len() < 5 << 20, "the field was not kept");
    verify(&job.output());
}

#[test]
fn a_config_error_names_its_place_and_writes_nothing() {
    let job = Job::new(&[]).option("reading.timeuot=3");
    refused_without_a_trace(&job, &["reading.timeuot", "timeout"]);
    let job = Job::new(&[]).option("storage.number_sample_per_shard=many");
    refused_without_a_trace(&job, &["number_sample_per_shard"]);
}

#[test]
fn foreign_json_files_in_the_output_are_left_alone() {
    let site = Site::start(12, 1000);
    let job = Job::new(&urls(&site, 12));
    fs::create_dir(job.output()).unwrap();
    for name in ["labels.json", "notes_stats.json", "x.json"] {
        fs::write(job.output().join(name), "{\"mine\": true}").unwrap();
    }
    job.run().expect(0);
    for name in ["labels.json", "notes_stats.json", "x.json"] {
        assert_eq!(fs::read_to_string(job.output().join(name)).unwrap(), "{\"mine\": true}");
    }
    verify(&job.output());
}

#[test]
fn foreign_shards_in_the_output_are_never_replaced() {
    let site = Site::start(12, 1000);
    let job = Job::new(&urls(&site, 12));
    fs::create_dir(job.output()).unwrap();
    for name in ["00001.tar", "99999_stats.json"] {
        fs::write(job.output().join(name), "another tool's").unwrap();
        let ended = job.run().expect(2);
        assert!(ended.stderr.contains(name), "{}", ended.stderr);
        assert_eq!(fs::read_to_string(job.output().join(name)).unwrap(), "another tool's");
        fs::remove_file(job.output().join(name)).unwrap();
    }
}

/// Runs the job in a mount namespace where the output folder is a tmpfs of `size`; `then` runs there afterwards.
fn on_a_small_disk(job: &Job, options: &str, then: &str) -> Ended {
    fs::create_dir_all(job.output()).unwrap();
    let command = job.command();
    let program = command.get_program().to_str().unwrap().to_owned();
    let arguments: Vec<String> = command.get_args().map(|a| format!("'{}'", a.to_str().unwrap())).collect();
    let output = job.output().display().to_string();
    let script = format!(
        "mount -t tmpfs -o {options} tmpfs '{output}' && {{ {program} {}; code=$?; {then}; exit $code; }}",
        arguments.join(" ")
    );
    let script = script.replace("$OUTPUT", &output).replace("$RUN", &format!("{program} {}", arguments.join(" ")));
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--mount", "bash", "-c", &script]);
    Ended::of(unshare.output().unwrap())
}

#[test]
fn a_full_disk_stops_the_job_and_keeps_what_is_whole() {
    let site = Site::start(40, 100_000);
    let want = Job::new(&urls(&site, 40));
    want.run().expect(0);
    let job = Job::new(&urls(&site, 40));
    let copies = job.folder.path().join("copies");
    fs::create_dir(&copies).unwrap();
    // 2.5 of the 4 MB of shards fit. Then the disk grows, and the same command finishes.
    let then = format!(
        "cp $OUTPUT/*.tar '{c}'; ls $OUTPUT > '{c}/before'; mount -o remount,size=20m $OUTPUT; $RUN; echo second $? >&2; \
         mkdir '{c}/after'; cp $OUTPUT/*.tar $OUTPUT/*.parquet '{c}/after'",
        c = copies.display()
    );
    let ended = on_a_small_disk(&job, "size=2500k", &then).expect(1);
    assert!(ended.stderr.contains("No space left on device"), "{}", ended.stderr);
    assert!(ended.stderr.contains("run the same command again"), "{}", ended.stderr);
    assert!(ended.stderr.contains("second 0"), "{}", ended.stderr);
    let want = want.snapshot();
    let whole: Vec<_> = fs::read_dir(&copies).unwrap().map(|e| e.unwrap().path()).collect();
    for tar in whole.iter().filter(|path| path.extension().is_some_and(|e| e == "tar")) {
        let name = tar.file_name().unwrap().to_str().unwrap();
        assert!(fs::read(tar).unwrap() == want[name], "{name} stood under its final name and was not whole");
    }
    assert_same(&want, &common::job::snapshot(&copies.join("after")));
}

#[test]
fn a_read_only_output_is_refused() {
    let site = Site::start(3, 1000);
    let job = Job::new(&urls(&site, 3));
    let ended = on_a_small_disk(&job, "ro,size=1m", "true");
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("Read-only file system"), "{}", ended.stderr);
}

#[test]
fn an_output_that_is_a_file_or_cannot_be_made() {
    let site = Site::start(3, 1000);
    let job = Job::new(&urls(&site, 3));
    fs::write(job.output(), "a file").unwrap();
    let ended = job.run().expect(1);
    assert!(ended.stderr.contains("out"), "{}", ended.stderr);
    assert_eq!(fs::read_to_string(job.output()).unwrap(), "a file");
    // Permissions bind everybody but root, who runs the tests in some places: procfs refuses root as well.
    let mut into_proc = job.command_into(std::path::Path::new("/proc/clipmill"));
    let ended = Ended::of(into_proc.output().unwrap()).expect(1);
    assert!(ended.stderr.contains("/proc/clipmill"), "{}", ended.stderr);
}

#[test]
fn a_scratch_folder_that_is_full_stops_the_job_with_the_remedy() {
    let site = Site::start(4, 12 << 20);
    let job = Job::new(&urls(&site, 4)).option("distribution.memory_budget=8MiB");
    let scratch = job.folder.path().join("scratch");
    fs::create_dir(&scratch).unwrap();
    fs::set_permissions(&scratch, fs::Permissions::from_mode(0o777)).unwrap();
    let job = job.option(&format!("tmp_dir={}", scratch.display()));
    let command = job.command();
    let arguments: Vec<String> = command.get_args().map(|a| format!("'{}'", a.to_str().unwrap())).collect();
    let script = format!(
        "mount -t tmpfs -o size=9m tmpfs '{}' && exec {} {}",
        scratch.display(),
        command.get_program().to_str().unwrap(),
        arguments.join(" ")
    );
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--mount", "bash", "-c", &script]);
    let ended = Ended::of(unshare.output().unwrap()).expect(1);
    assert!(ended.stderr.contains("scratch") && ended.stderr.contains("tmp_dir"), "{}", ended.stderr);
    job.run().expect(0);
    verify(&job.output());
}

/// Under 256 open files, which no process may raise.
fn with_few_files(job: &Job) -> Ended {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 256; exec \"$0\" run \"$@\"", env!("CARGO_BIN_EXE_clipmill")]);
    Ended::of(command.args(job.arguments()).output().unwrap())
}

#[test]
fn a_low_limit_of_open_files_costs_speed_and_no_sample() {
    let site = Site::start(400, 60_000);
    let urls: Vec<_> = (0..400).map(|n| site.url(&format!("slow/{n}.mp4"))).collect();
    let job = Job::new(&urls)
        .option("distribution.thread_count=4096")
        // Everything that waits for an earlier row is a file on scratch.
        .option("distribution.memory_budget=8MiB")
        .option("storage.number_sample_per_shard=100");
    let ended = with_few_files(&job).expect(0);
    assert!(ended.stderr.contains("ulimit"), "{}", ended.stderr);
    for shard in 0..4 {
        assert_eq!(stats(&job.output(), &format!("{shard:05}"))["successes"], 100);
    }
    verify(&job.output());
}
