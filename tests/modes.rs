//! What a second start on the same output may do: incremental, overwrite, extend, retry_failed.

mod common;

use std::fs;
use std::io::Write;

use common::job::{Job, assert_same, members, stats, verify};
use common::site::Site;

fn urls(site: &Site, folder: &str, files: usize) -> Vec<String> {
    (0..files).map(|n| site.url(&format!("{folder}/{n}.mp4"))).collect()
}

fn append(job: &Job, line: &str) {
    let mut table = fs::File::options().append(true).open(job.table()).unwrap();
    writeln!(table, "{line}").unwrap();
}

#[test]
fn another_input_shard_size_or_config_is_refused_with_what_differs() {
    let site = Site::start(12, 1000);
    let job = Job::new(&urls(&site, "media", 12));
    job.run().expect(0);
    let before = job.snapshot();
    let job = job.option("storage.number_sample_per_shard=7").option("encode_formats={video: webm}");
    let refused = job.run().expect(2);
    for difference in ["storage.number_sample_per_shard: planned 10, now 7", "job.encode_formats: planned"] {
        assert!(refused.stderr.contains(difference), "{}", refused.stderr);
    }
    let job = job.option("storage.number_sample_per_shard=10").option("encode_formats={video: mp4}");
    append(&job, "http://127.0.0.1/more.mp4,more,12");
    let refused = job.run().expect(2);
    assert!(refused.stderr.contains("table.csv: planned with"), "{}", refused.stderr);
    assert_same(&before, &job.snapshot());
}

#[test]
fn a_touched_but_unchanged_table_is_the_same_table() {
    let site = Site::start(12, 1000);
    let job = Job::new(&urls(&site, "media", 12));
    job.run().expect(0);
    let text = fs::read(job.table()).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    fs::write(job.table(), text).unwrap();
    job.run().expect(0);
}

#[test]
fn overwrite_removes_what_clipmill_wrote_and_nothing_else() {
    let site = Site::start(25, 1000);
    let job = Job::new(&urls(&site, "media", 25));
    job.run().expect(0);
    fs::write(job.output().join("notes.txt"), "mine").unwrap();
    fs::write(job.output().join("labels.json"), "{}").unwrap();
    let job = job.option("storage.number_sample_per_shard=100").option("incremental_mode=overwrite");
    job.run().expect(0);
    let names: Vec<String> = job.snapshot().into_keys().collect();
    assert_eq!(names, ["00000.parquet", "00000.tar"]);
    assert_eq!(fs::read_to_string(job.output().join("notes.txt")).unwrap(), "mine");
    assert_eq!(fs::read_to_string(job.output().join("labels.json")).unwrap(), "{}");
    verify(&job.output());
}

#[test]
fn overwrite_refuses_a_folder_with_shards_of_another_tool() {
    let site = Site::start(3, 1000);
    let job = Job::new(&urls(&site, "media", 3)).option("incremental_mode=overwrite");
    fs::create_dir(job.output()).unwrap();
    fs::write(job.output().join("00000.tar"), "another tool's").unwrap();
    let refused = job.run().expect(2);
    assert!(refused.stderr.contains("00000.tar"), "{}", refused.stderr);
    assert_eq!(fs::read_to_string(job.output().join("00000.tar")).unwrap(), "another tool's");
}

#[test]
fn overwrite_with_an_unreadable_table_costs_no_shard() {
    let site = Site::start(3, 1000);
    let job = Job::new(&urls(&site, "media", 3));
    job.run().expect(0);
    let before = job.snapshot();
    fs::write(job.table(), "adress,caption,id\nhttp://127.0.0.1/a.mp4,a,1\n").unwrap();
    let refused = job.option("incremental_mode=overwrite");
    assert!(refused.run().expect(2).stderr.contains("url"));
    assert_same(&before, &refused.snapshot());
}

#[test]
fn extend_gives_new_rows_new_shards_and_leaves_the_old_ones() {
    let site = Site::start(30, 1000);
    let job = Job::new(&urls(&site, "media", 15));
    job.run().expect(0);
    let before = job.snapshot();
    for n in 15..28 {
        append(&job, &format!("{},more,{n}", site.url(&format!("media/{n}.mp4"))));
    }
    let job = job.option("incremental_mode=extend");
    job.run().expect(0);
    let after = job.snapshot();
    assert_eq!(after.len(), 8, "shards 0 and 1, then 2 and 3");
    for (name, bytes) in &before {
        assert!(bytes == &after[name], "{name} changed");
    }
    assert_eq!(stats(&job.output(), "00003")["count"], 3);
    let first = &members(&job.output().join("00002.tar"))[0].0;
    assert_eq!(first, "000020.json");
    job.run().expect(0);
    assert_same(&after, &job.snapshot());
    verify(&job.output());
}

#[test]
fn retry_failed_redoes_what_may_pass_and_keeps_the_rest() {
    let site = Site::start(40, 2000);
    let mut all = urls(&site, "media", 40);
    for n in [3, 11, 12] {
        all[n] = site.url(&format!("gone/{n}.mp4"));
    }
    all[5] = site.url("nothing.mp4");
    let job = Job::new(&all).option("reading.retries=0");
    site.set_gone(true);
    job.run().expect(0);
    assert_eq!(stats(&job.output(), "00001")["status_dict"]["http_503"], 2);
    let before = job.snapshot();
    site.set_gone(false);
    let log = site.folder.path().join("access.log");
    let requests = || fs::read_to_string(&log).unwrap().lines().count();
    let asked = requests();

    let retry = job.option("incremental_mode=retry_failed");
    retry.run().expect(0);
    assert_eq!(requests() - asked, 3, "only what may pass is fetched again");
    assert_eq!(stats(&retry.output(), "00001")["successes"], 10);
    let first = stats(&retry.output(), "00000");
    assert_eq!((&first["successes"], &first["status_dict"]["http_404"]), (&9.into(), &1.into()));
    assert_eq!(first["clipmill"]["generation"], 1);
    let after = retry.snapshot();
    for name in ["00002.tar", "00003.tar"] {
        assert!(before[name] == after[name], "{name} had nothing to retry");
    }
    verify(&retry.output());

    // The same bytes as a run in which the server had not failed.
    let want = Job::new(&all);
    want.run().expect(0);
    assert_same(&want.snapshot(), &after);
    retry.run().expect(0);
    assert_same(&after, &retry.snapshot());
}

#[test]
fn retry_failed_fetches_a_shard_anew_whose_files_are_gone() {
    let site = Site::start(20, 2000);
    for file in ["00000.tar", "00000.parquet"] {
        let mut all = urls(&site, "media", 20);
        all[3] = site.url("gone/3.mp4");
        let job = Job::new(&all).option("reading.retries=0");
        site.set_gone(true);
        job.run().expect(0);
        site.set_gone(false);
        fs::remove_file(job.output().join(file)).unwrap();
        let retry = job.option("incremental_mode=retry_failed");
        retry.run().expect(0);
        assert_eq!(stats(&retry.output(), "00000")["successes"], 10);
        verify(&retry.output());
    }
}
