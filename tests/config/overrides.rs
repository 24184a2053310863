//! `-o key=value`.

use crate::{loaded, refused, refused_briefly};

#[test]
fn they_win_over_the_file_and_over_each_other_in_order() {
    let config = loaded("reading: {timeout: 5}", &["reading.timeout=6", "reading.timeout=7"]);
    assert_eq!(config.reading.timeout, 7.0);
}

#[test]
fn values_are_yaml() {
    let overrides = [
        "url_list=[a.csv, 'b c.csv']",
        "job.url_col=link=x",
        "encode_formats={\"audio\": \"mp3\"}",
        "reading.yt_args.yt_metadata_args=null",
        "distribution.memory_budget=64MiB",
        "enable_wandb=False",
    ];
    let config = loaded("job: {encode_formats: {video: mp4}}", &overrides);
    assert_eq!(config.job.url_list, ["a.csv", "b c.csv"]);
    assert_eq!(config.job.url_col, "link=x");
    assert_eq!(config.job.encode_formats.into_iter().collect::<Vec<_>>(), [("audio".into(), "mp3".into())]);
    assert_eq!(config.reading.yt_args.yt_metadata_args, None);
    assert_eq!(config.distribution.memory_budget, 64 << 20);
}

#[test]
fn sections_are_made_and_values_taken_back() {
    assert_eq!(loaded("", &["storage.oom_shard_count=7"]).storage.oom_shard_count, 7);
    assert_eq!(loaded("storage: null", &["storage.oom_shard_count=7"]).storage.oom_shard_count, 7);
    assert_eq!(loaded("storage: {oom_shard_count: 7}", &["storage.oom_shard_count="]).storage.oom_shard_count, 5);
    assert_eq!(
        loaded("job: {encode_formats: {video: mp4}}", &["encode_formats.video=webm"]).job.encode_formats["video"],
        "webm"
    );
}

#[test]
fn an_override_can_mend_the_file() {
    assert_eq!(loaded("storage: {oom_shard_count: many}", &["storage.oom_shard_count=6"]).storage.oom_shard_count, 6);
}

#[test]
fn mistakes_name_the_override() {
    insta::assert_snapshot!(refused("", &["storage.number_sample_per_shard=abc"]), @"-o storage.number_sample_per_shard=abc: expected a whole number from 0 to 4294967295, found the text `abc`");
    insta::assert_snapshot!(refused("", &["storage.number_sample_per_shrd=5", "zzz.x=1"]), @"
    -o storage.number_sample_per_shrd=5: unknown key `number_sample_per_shrd` in `storage`
      = help: did you mean `number_sample_per_shard`?

    -o zzz.x=1: unknown key `zzz` at the top level
      = help: known keys here: job, subsampling, reading, storage, distribution, encoding, limits, telemetry
    ");
    insta::assert_snapshot!(refused("", &["storage.oom_shard_count=13"]), @"-o storage.oom_shard_count=13: must be 1 to 12, not 13");
    insta::assert_snapshot!(refused("", &["distribution.heartbeat=30"]), @r"
    -o distribution.heartbeat=30: distribution.lease_ttl: must be at least three heartbeats (90 s), not 60 s: one late heartbeat would cost a rank its shard
      = help: raise distribution.lease_ttl or lower distribution.heartbeat
    ");
    insta::assert_snapshot!(refused("", &["url_list=*.csv"]), @r#"
    -o url_list=*.csv: the value is not YAML: an alias to an anchor that does not exist
      = help: text with special characters needs quotes of its own: `-o 'key="te: xt"'`
    "#);
    insta::assert_snapshot!(refused("", &["url_list=[a.csv"]), @r#"
    -o url_list=[a.csv: the value is not YAML: unclosed bracket '['
      = help: text with special characters needs quotes of its own: `-o 'key="te: xt"'`
    "#);
    insta::assert_snapshot!(refused("", &["url_list"]), @r"
    -o url_list: not of the form key=value
      = help: write `-o storage.oom_shard_count=5`
    ");
    insta::assert_snapshot!(refused("", &["=1"]), @r"
    -o =1: the key has an empty name in it
      = help: write `section.key=value`
    ");
    insta::assert_snapshot!(refused("", &["storage..x=1"]), @r"
    -o storage..x=1: the key has an empty name in it
      = help: write `section.key=value`
    ");
    insta::assert_snapshot!(refused("storage: 5", &["storage.oom_shard_count=3"]), @r"
    -o storage.oom_shard_count=3: cannot set `oom_shard_count` inside a value that is not a mapping
      = help: override the whole value
    ");
    insta::assert_snapshot!(refused_briefly("", &["job=5"]), @"-o job=5: expected a mapping with keys, found the number 5");
}

#[test]
fn variables_in_paths() {
    let config = loaded("", &["url_list=${CARGO_MANIFEST_DIR}/a.csv", "tmp_dir=${CARGO_MANIFEST_DIR}/$$x"]);
    let here = env!("CARGO_MANIFEST_DIR");
    assert_eq!(config.job.url_list, [format!("{here}/a.csv")]);
    assert_eq!(config.job.tmp_dir.unwrap().to_str().unwrap(), format!("{here}/$x"));
    assert_eq!(loaded("job: {url_col: '${HOME}'}", &[]).job.url_col, "${HOME}");
    let yaml = "job:\n  url_list:\n    - a.csv\n    - ${CLIPMILL_NO_SUCH}/b.csv\n  output_folder: $HOME/out\n";
    insta::assert_snapshot!(refused(yaml, &[]), @r"
    job.yaml:4:7: job.url_list: the environment variable CLIPMILL_NO_SUCH is not set
      |
    4 |     - ${CLIPMILL_NO_SUCH}/b.csv
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^
      = help: set it (`export CLIPMILL_NO_SUCH=…`), or write the path out

    job.yaml:5:18: job.output_folder: a single `$` in a path
      |
    5 |   output_folder: $HOME/out
      |                  ^^^^^^^^^
      = help: write `${NAME}` for a variable, `$$` for `$`
    ");
}
