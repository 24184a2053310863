//! Each mistake: what is said, where, and what to do.

use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use clipmill::config;
use clipmill::error::Class;

use crate::{refused, refused_briefly};
use proptest::prelude::*;

#[test]
fn an_unknown_key_names_the_nearest() {
    insta::assert_snapshot!(refused("storage:\n  number_samples_per_shard: 10\n", &[]), @r"
    job.yaml:2:3: unknown key `number_samples_per_shard` in `storage`
      |
    2 |   number_samples_per_shard: 10
      |   ^^^^^^^^^^^^^^^^^^^^^^^^
      = help: did you mean `number_sample_per_shard`?
    ");
}

#[test]
fn all_unknown_keys_are_named_at_once() {
    let yaml = "url_list: a.csv\nreeding: {}\nstorage: {time_out: 5}\ndistribution: {thread-count: 4}\nzzzzzz: 1\n";
    insta::assert_snapshot!(refused(yaml, &[]), @"
    job.yaml:1:1: unknown key `url_list` at the top level
      |
    1 | url_list: a.csv
      | ^^^^^^^^
      = help: the full key is `job.url_list`: move it into that section, or give it with `-o`

    job.yaml:2:1: unknown key `reeding` at the top level
      |
    2 | reeding: {}
      | ^^^^^^^
      = help: did you mean `reading`?

    job.yaml:3:11: unknown key `time_out` in `storage`
      |
    3 | storage: {time_out: 5}
      |           ^^^^^^^^
      = help: did you mean `reading.timeout`?

    job.yaml:4:16: unknown key `thread-count` in `distribution`
      |
    4 | distribution: {thread-count: 4}
      |                ^^^^^^^^^^^^
      = help: did you mean `thread_count`?

    job.yaml:5:1: unknown key `zzzzzz` at the top level
      |
    5 | zzzzzz: 1
      | ^^^^^^
      = help: known keys here: job, subsampling, reading, storage, distribution, encoding, limits, telemetry
    ");
}

#[test]
fn a_name_with_a_dot_is_not_a_path() {
    insta::assert_snapshot!(refused("storage.oom_shard_count: 3\n", &[]), @r"
    job.yaml:1:1: unknown key `storage.oom_shard_count` at the top level
      |
    1 | storage.oom_shard_count: 3
      | ^^^^^^^^^^^^^^^^^^^^^^^
      = help: in the file, write `oom_shard_count` inside the section `storage`; only `-o` takes dots
    ");
}

#[test]
fn wrong_types() {
    let yaml = |value: &str| format!("storage:\n  number_sample_per_shard: {value}\n");
    insta::assert_snapshot!(refused(yaml("\"10\""), &[]), @r#"
    job.yaml:2:28: storage.number_sample_per_shard: expected a whole number from 0 to 4294967295, found the text `10`
      |
    2 |   number_sample_per_shard: "10"
      |                            ^^^^
      = help: write the number without quotes and without leading zeros
    "#);
    insta::assert_snapshot!(refused(yaml("010"), &[]), @r"
    job.yaml:2:28: storage.number_sample_per_shard: expected a whole number from 0 to 4294967295, found the text `010`
      |
    2 |   number_sample_per_shard: 010
      |                            ^^^
      = help: write the number without quotes and without leading zeros
    ");
    insta::assert_snapshot!(refused(yaml("1e3"), &[]), @r"
    job.yaml:2:28: storage.number_sample_per_shard: expected a whole number from 0 to 4294967295, found the number 1000.0
      |
    2 |   number_sample_per_shard: 1e3
      |                            ^^^
      = help: write it without a decimal point or an exponent
    ");
    insta::assert_snapshot!(refused_briefly(yaml("-1"), &[]), @"job.yaml:2:28: storage.number_sample_per_shard: expected a whole number from 0 to 4294967295, found the number -1");
    insta::assert_snapshot!(refused_briefly(yaml("5000000000"), &[]), @"job.yaml:2:28: storage.number_sample_per_shard: expected a whole number from 0 to 4294967295, found the number 5000000000");
    insta::assert_snapshot!(refused_briefly(yaml("99999999999999999999999"), &[]), @"job.yaml:2:28: storage.number_sample_per_shard: expected a whole number from 0 to 4294967295, found the number 1e23");
    insta::assert_snapshot!(refused_briefly(yaml("[1]"), &[]), @"job.yaml:2:28: storage.number_sample_per_shard: expected a whole number from 0 to 4294967295, found a list");
    insta::assert_snapshot!(refused_briefly(yaml("true"), &[]), @"job.yaml:2:28: storage.number_sample_per_shard: expected a whole number from 0 to 4294967295, found true");
    insta::assert_snapshot!(refused("job: {url_col: 5}", &[]), @r"
    job.yaml:1:16: job.url_col: expected text, found the number 5
      |
    1 | job: {url_col: 5}
      |                ^
      = help: put it in quotes to make it text
    ");
    insta::assert_snapshot!(refused_briefly("job: {url_list: {a: b}}", &[]), @"job.yaml:1:17: job.url_list: expected a path or a list of paths, found a mapping");
    insta::assert_snapshot!(refused_briefly("job:\n  url_list:\n    - a.csv\n    - 7\n", &[]), @"job.yaml:4:7: job.url_list: expected text, found the number 7");
    insta::assert_snapshot!(refused_briefly("reading: {honour_opt_out: maybe}", &[]), @"job.yaml:1:27: reading.honour_opt_out: expected true or false, found the text `maybe`");
    insta::assert_snapshot!(refused_briefly("reading: [timeout]", &[]), @"job.yaml:1:11: reading: expected a mapping with keys, found the text `timeout`");
    insta::assert_snapshot!(refused_briefly("distribution: {memory_budget: 256M}", &[]), @"job.yaml:1:31: distribution.memory_budget: expected a number of bytes, or text such as `256MB` (10^6 bytes) or `1GiB` (2^30 bytes), found the text `256M`");
}

#[test]
fn words_that_do_not_exist() {
    insta::assert_snapshot!(refused("job: {output_format: files}", &[]), @r"
    job.yaml:1:22: job.output_format: `files` is not available
      |
    1 | job: {output_format: files}
      |                      ^^^^^
      = help: available in this version: `webdataset`, `hdf5`, `tfrecord`, `dummy`
    ");
    insta::assert_snapshot!(refused("job: {incremental_mode: retry-failed}", &[]), @r"
    job.yaml:1:25: job.incremental_mode: `retry-failed` is not available
      |
    1 | job: {incremental_mode: retry-failed}
      |                         ^^^^^^^^^^^^
      = help: did you mean `retry_failed`? available: `incremental`, `overwrite`, `extend`, `retry_failed`
    ");
    insta::assert_snapshot!(refused("job: {input_format: webdatasets}", &[]), @"
    job.yaml:1:21: job.input_format: `webdatasets` is not available
      |
    1 | job: {input_format: webdatasets}
      |                     ^^^^^^^^^^^
      = help: did you mean `webdataset`? available: `txt`, `csv`, `tsv`, `tsv.gz`, `json`, `jsonl`, `ndjson`, `parquet`, `arrow`, `feather`, `webdataset`
    ");
    insta::assert_snapshot!(refused_briefly("job: {input_format: [csv]}", &[]), @"job.yaml:1:21: job.input_format: expected one word, found a list");
}

#[test]
fn what_cannot_be_read_back() {
    insta::assert_snapshot!(refused_briefly("job: {url_list: [a/00000.h5, b.tfrecord]}", &[]), @"
    job.yaml:1:18: job.url_list: `.h5` shards cannot be read back
    job.yaml:1:30: job.url_list: `.tfrecord` shards cannot be read back
    ");
    insta::assert_snapshot!(refused("job: {output_format: hdf5, incremental_mode: retry_failed}", &[]), @"
    job.yaml:1:46: job.incremental_mode: retry_failed reads shards back, which only `webdataset` shards can be
      |
    1 | job: {output_format: hdf5, incremental_mode: retry_failed}
      |                                              ^^^^^^^^^^^^
      = help: set incremental_mode: overwrite to make them anew, or output_format: webdataset in a folder of its own
    ");
}

#[test]
fn ranges() {
    let yaml = "\
job: {max_failed_fraction: 1.5}
reading: {timeout: 0, retries: 1000, requests_per_second_per_host: 0, max_bytes: 0, max_per_host: 0, total_timeout: 1e300}
storage:
  number_sample_per_shard: 0
  oom_shard_count: 13
distribution: {thread_count: 5000, memory_budget: 8MB, heartbeat: 0}
";
    insta::assert_snapshot!(refused_briefly(yaml, &[]), @r"
    job.yaml:1:28: job.max_failed_fraction: must be 0 to 1, not 1.5
    job.yaml:2:20: reading.timeout: must be more than 0, at most 31536000, not 0
    job.yaml:2:32: reading.retries: must be 0 to 100, not 1000
    job.yaml:2:68: reading.requests_per_second_per_host: must be 0.001 to 1000000, not 0
    job.yaml:2:82: reading.max_bytes: must be at least 1, not 0
    job.yaml:2:99: reading.max_per_host: must be at least 1, not 0
    job.yaml:2:117: reading.total_timeout: must be more than 0, at most 31536000, not 1e300
    job.yaml:4:28: storage.number_sample_per_shard: must be at least 1, not 0
    job.yaml:5:20: storage.oom_shard_count: must be 1 to 12, not 13
    job.yaml:6:30: distribution.thread_count: must be 1 to 4096, not 5000
    job.yaml:6:51: distribution.memory_budget: must be at least 8388608, not 8000000
    job.yaml:6:67: distribution.heartbeat: must be 0.01 to 86400, not 0
    ");
}

#[test]
fn combinations() {
    insta::assert_snapshot!(refused("distribution:\n  heartbeat: 30\n", &[]), @r"
    job.yaml:2:14: distribution.lease_ttl: must be at least three heartbeats (90 s), not 60 s: one late heartbeat would cost a rank its shard
      |
    2 |   heartbeat: 30
      |              ^^
      = help: raise distribution.lease_ttl or lower distribution.heartbeat
    ");
    insta::assert_snapshot!(refused_briefly("reading: {total_timeout: 5}", &[]), @"job.yaml:1:26: reading.connect_timeout: is longer than reading.total_timeout (5 s)");
    insta::assert_snapshot!(refused_briefly("job: {url_list: a.parquet, input_format: csv}", &[]), @"job.yaml:1:42: job.input_format: `a.parquet` does not look like csv");
    insta::assert_snapshot!(refused_briefly("job: {url_list: [a.csv, b.parquet]}", &[]), @"job.yaml:1:17: job.url_list: `a.csv` and `b.parquet` have different formats");
    insta::assert_snapshot!(refused_briefly("job: {url_list: [a.csv, b.csv, a.csv]}", &[]), @"job.yaml:1:32: job.url_list: `a.csv` stands there twice");
    insta::assert_snapshot!(refused_briefly("job: {caption_col: url}", &[]), @"job.yaml:1:20: job.caption_col: is the same column as job.url_col");
}

#[test]
fn what_this_version_does_not_do_is_refused() {
    let yaml = "\
job:
  url_list: s3://bucket/a.csv
  clip_col: clips
  stage: optical_flow
  enable_wandb: yes
  encode_formats: {video: mp4, audio: m4a}
reading: {sampler: my.sampler}
distribution: {distributor: pyspark}
";
    insta::assert_snapshot!(refused(yaml, &[]), @"
    job.yaml:2:13: job.url_list: `s3://` paths are not available in this version
      |
    2 |   url_list: s3://bucket/a.csv
      |             ^^^^^^^^^^^^^^^^^
      = help: use a path on a mounted file system

    job.yaml:4:10: job.stage: nothing computes the optical flow
      |
    4 |   stage: optical_flow
      |          ^^^^^^^^^^^^
      = help: add `OpticalFlowSubsampler: {args: {}}` to subsampling, or leave the stage out

    job.yaml:7:20: reading.sampler: custom samplers are not available
      |
    7 | reading: {sampler: my.sampler}
      |                    ^^^^^^^^^^
      = help: set it to null; ranks share the shards by themselves
    ");
}

#[test]
fn what_cannot_be_asked_of_yt_dlp() {
    let yaml = "reading: {yt_args: {format: '', hosts: ['a.example/x'], extractor_args: [web], proxy: 'ftp://a', \
                program: \"a\\nb\", yt_metadata_args: {subtitleslangs: ['en,--exec']}}}\n";
    insta::assert_snapshot!(refused_briefly(yaml, &[]), @"
    job.yaml:1:29: reading.yt_args.format: is empty, or has control characters
    job.yaml:1:41: reading.yt_args.hosts: `a.example/x` is no host
    job.yaml:1:74: reading.yt_args.extractor_args: `web` names no extractor
    job.yaml:1:87: reading.yt_args.proxy: is no proxy that yt-dlp can be sent through
    job.yaml:1:107: reading.yt_args.program: is empty, or has control characters
    job.yaml:1:151: reading.yt_args.yt_metadata_args.subtitleslangs: `en,--exec` is no language
    ");
}

#[test]
#[cfg(feature = "media")]
fn subtitles_beside_what_they_do_not_go_with() {
    let table = "url_list: a.csv, save_additional_columns: [subtitles]";
    let yaml = format!(
        "job: {{{table}, clip_col: c, caption_col: text}}\nstorage: {{captions_are_subtitles: true}}\nsubsampling: \
         {{CutDetectionSubsampler: {{cuts_are_clips: true}}}}\n"
    );
    insta::assert_snapshot!(refused_briefly(&yaml, &[]), @"
    job.yaml:2:35: storage.captions_are_subtitles: clips come from the subtitles or from a column, not from both
    job.yaml:2:35: storage.captions_are_subtitles: clips come from the subtitles or from the cuts, not from both
    job.yaml:2:35: storage.captions_are_subtitles: the captions are the subtitles, or a column, not both
    ");
    let pictures = "FrameSubsampler: {args: {downsample_method: yt_subtitle}}";
    let yaml =
        format!("job: {{{table}, clip_col: c}}\nsubsampling: {{{pictures}, ClippingSubsampler: {{args: {{}}}}}}\n");
    insta::assert_snapshot!(refused_briefly(&yaml, &[]), @"
    job.yaml:2:59: subsampling.FrameSubsampler.args.downsample_method: a job makes clips, or pictures of the subtitles' lines, not both
    job.yaml:2:59: subsampling.FrameSubsampler.args.downsample_method: a job makes clips, or pictures of the subtitles' lines, not both
    ");
    insta::assert_snapshot!(refused(format!("job: {{url_list: a.csv}}\nsubsampling: {{{pictures}}}\n"), &["reading.yt_args.program=null"]), @"
    job.yaml:2:59: subsampling.FrameSubsampler.args.downsample_method: no sample of this job can have subtitles
      |
    2 | subsampling: {FrameSubsampler: {args: {downsample_method: yt_subtitle}}}
      |                                                           ^^^^^^^^^^^
      = help: sites bring subtitles where reading.yt_args asks for them (program, yt_metadata_args); else a table has to have a column `subtitles` (WebVTT or JSON), named in job.save_additional_columns; tars bring subtitles along in `yt_meta_dict` or as `.vtt` members
    ");
    let yaml = "job: {url_list: a.txt}\nstorage: {captions_are_subtitles: true}\nreading: {yt_args: {yt_metadata_args: null}}\n";
    insta::assert_snapshot!(refused_briefly(yaml, &[]), @"job.yaml:2:35: storage.captions_are_subtitles: no sample of this job can have subtitles");
    let yaml = "job: {url_list: a.csv, save_additional_columns: [subtitles, clip_subtitles, frame_time]}\nstorage: {captions_are_subtitles: true}\n";
    insta::assert_snapshot!(refused_briefly(yaml, &[]), @"job.yaml:1:61: job.save_additional_columns: `clip_subtitles` is a field that clips have");
}

#[test]
fn slips_in_free_words() {
    let yaml = "\
job: {stage: downlod, encode_formats: {vidoe: .mp4}}
subsampling: {Resolution: {args: {}}, Whatever: 1}
distribution: {distributor: multi_processing}
";
    insta::assert_snapshot!(refused(yaml, &[]), @"
    job.yaml:1:14: job.stage: unknown word `downlod`
      |
    1 | job: {stage: downlod, encode_formats: {vidoe: .mp4}}
      |              ^^^^^^^
      = help: did you mean `download`?

    job.yaml:1:47: job.encode_formats.vidoe: the modality `vidoe` is not available in this version
      |
    1 | job: {stage: downlod, encode_formats: {vidoe: .mp4}}
      |                                               ^^^^
      = help: did you mean `video`?

    job.yaml:1:47: job.encode_formats.vidoe: `.mp4` cannot be a member's extension
      |
    1 | job: {stage: downlod, encode_formats: {vidoe: .mp4}}
      |                                               ^^^^
      = help: use 1 to 8 of a-z and 0-9, without a dot: `mp4`

    job.yaml:2:27: subsampling.Resolution: unknown subsampler
      |
    2 | subsampling: {Resolution: {args: {}}, Whatever: 1}
      |                           ^
      = help: did you mean `ResolutionSubsampler`?

    job.yaml:2:49: subsampling.Whatever: unknown subsampler
      |
    2 | subsampling: {Resolution: {args: {}}, Whatever: 1}
      |                                                 ^
      = help: available: NoOpSubsampler, FFProbeSubsampler, CutDetectionSubsampler, MotionSubsampler, BlackStaticSubsampler, ClippingSubsampler, ResolutionSubsampler, FrameSubsampler, OpticalFlowSubsampler, AudioRateSubsampler, FilterSubsampler

    job.yaml:3:29: distribution.distributor: unknown word `multi_processing`
      |
    3 | distribution: {distributor: multi_processing}
      |                             ^^^^^^^^^^^^^^^^
      = help: did you mean `multiprocessing`?
    ");
}

#[test]
fn columns_and_extensions() {
    let yaml = "\
job:
  url_col: link
  caption_col: name
  save_additional_columns: [a, a, key, link, name, '', error_class, caption]
  encode_formats: {video: json}
reading: {contact: \"a\\nb\"}
";
    insta::assert_snapshot!(refused_briefly(yaml, &[]), @r"
    job.yaml:4:32: job.save_additional_columns: `a` stands there twice
    job.yaml:4:35: job.save_additional_columns: `key` is a field that every sample has already
    job.yaml:4:40: job.save_additional_columns: `link` is saved already, as `url`
    job.yaml:4:46: job.save_additional_columns: `name` is saved already, as `caption`
    job.yaml:4:52: job.save_additional_columns: a column name is empty
    job.yaml:4:56: job.save_additional_columns: `error_class` is a field that every sample has already
    job.yaml:4:69: job.save_additional_columns: `caption` is a field that every sample has already
    job.yaml:5:27: job.encode_formats.video: `.json` members hold metadata
    job.yaml:6:20: reading.contact: cannot stand in a `User-Agent` header
    ");
    insta::assert_snapshot!(refused_briefly("job: {encode_formats: {}}", &[]), @"job.yaml:1:23: job.encode_formats: nothing to fetch for");
}

#[test]
fn formats_to_come_are_not_read_as_csv() {
    insta::assert_snapshot!(refused("job: {url_list: a.jsonl.bz2}", &[]), @"
    job.yaml:1:17: job.url_list: `a.jsonl.bz2`: .bz2 tables are not available in this version
      |
    1 | job: {url_list: a.jsonl.bz2}
      |                 ^^^^^^^^^^^
      = help: available: csv, tsv, txt, json and jsonl (also .gz and .zst), parquet, arrow, and tar (not compressed)
    ");
}

#[test]
fn broken_yaml() {
    insta::assert_snapshot!(refused("job:\n\turl_col: a\n", &[]), @r"
    job.yaml:2:2: tabs disallowed within this context (block indentation)
      |
    2 |  url_col: a
      |  ^
      = help: indent with spaces
    ");
    insta::assert_snapshot!(refused("job:\n  url_col: a\n  url_col: b\n", &[]), @r"
    job.yaml:3:3: the key `url_col` stands here twice
      |
    3 |   url_col: b
      |   ^^^^^^^
      = help: keep one
    ");
    insta::assert_snapshot!(refused("- job\n", &[]), @"
    job.yaml:1:1: a config is a mapping of sections, not a list or a single value
      |
    1 | - job
      | ^
      = help: sections: job, subsampling, reading, storage, distribution, encoding, limits, telemetry
    ");
    insta::assert_snapshot!(refused("job: {}\n---\njob: {}\n", &[]), @r"
    job.yaml:3:1: a second YAML document begins
      |
    3 | job: {}
      | ^
      = help: one config, one document: remove the `---` and what follows
    ");
    insta::assert_snapshot!(refused_briefly("job: {url_col: [a\nreading: {}\n", &[]), @"job.yaml:2:8: illegal placement of ':' indicator");
    insta::assert_snapshot!(refused_briefly("job: {url_col: *link}\n", &[]), @"job.yaml:1:16: an alias to an anchor that does not exist");
    insta::assert_snapshot!(refused_briefly("job: {url_col: !!python/object:os.system x}\n", &[]), @"job.yaml:1:42: unsupported tag `!!python/object:os.system`");
    insta::assert_snapshot!(refused_briefly("reading: {timeout: .inf}\n", &[]), @"job.yaml:1:20: not a finite number");
    insta::assert_snapshot!(refused_briefly("~: 1\n", &[]), @"job.yaml:1:1: null cannot be a key");
    insta::assert_snapshot!(refused_briefly("? [a]\n: 1\n", &[]), @"job.yaml:1:3: expected string scalar");
    insta::assert_snapshot!(refused_briefly("\0\0", &[]), @r"job.yaml:1:1: unexpected character: `\u{0}'");
}

#[test]
fn an_alias_bomb_costs_nothing() {
    let mut yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        let items = vec![format!("*a{}", n - 1); 10].join(", ");
        yaml.push_str(&format!("a{n}: &a{n} [{items}]\n"));
    }
    insta::assert_snapshot!(refused_briefly(yaml, &[]), @"job.yaml:5:10: aliases expand to too much");
    insta::assert_snapshot!(refused_briefly("[".repeat(200_000), &[]), @"job.yaml:1:256: recursion limit exceeded");
    insta::assert_snapshot!(refused_briefly("{a: ".repeat(100), &[]), @"job.yaml:1:397: unclosed bracket '{'");
}

#[test]
fn not_utf8_is_shown_at_its_byte() {
    insta::assert_snapshot!(refused(b"job:\n  url_col: caf\xe9\n", &[]), @r"
    job.yaml:2:15: not valid UTF-8
      |
    2 |   url_col: caf�
      |               ^
      = help: save the file as UTF-8
    ");
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let text = refused("job: {\"ur\\e[2Jl\": \u{9b}31m}", &["stor\u{1b}[31mage.x=\u{7}"]);
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
}

#[test]
fn a_long_line_is_cut_around_the_place() {
    let yaml = format!("job: {{save_additional_columns: [{}], url_kol: x}}", vec!["column"; 60].join(", "));
    insta::assert_snapshot!(refused(yaml, &[]), @r"
    job.yaml:1:514: unknown key `url_kol` in `job`
      |
    1 | olumn, column, column, column, column], url_kol: x}
      |                                         ^^^^^^^
      = help: did you mean `url_col`?
    ");
}

#[test]
fn colour_only_when_asked_for() {
    let error = config::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")), &[]).unwrap_err();
    assert!(!error.render(false).contains('\u{1b}'));
    assert!(error.render(true).contains('\u{1b}'));
    assert_eq!(error.class(), Class::Job);
}

#[test]
fn files_that_cannot_be_read() {
    let message = |path: &Path| config::load(path, &[]).unwrap_err().to_string();
    insta::assert_snapshot!(message(Path::new("no/such.yaml")), @"
    cannot read the config no/such.yaml: No such file or directory (os error 2)
      = help: give a YAML file, or the name of a built-in config: download, downsample_ml, cut_detection, reprocess, sites, optical_flow
    ");
    let folder = tempfile::tempdir().unwrap();
    assert!(message(folder.path()).ends_with("it is a directory"));
    let big = folder.path().join("video.mp4");
    std::fs::write(&big, vec![0; 2 << 20]).unwrap();
    assert!(message(&big).ends_with("larger than 1 MiB, which no config is"));
}

#[test]
fn configs_made_in_code_are_checked_too() {
    let mut config = config::Config::default();
    config.reading.timeout = f64::NAN;
    config.distribution.lease_ttl = f64::INFINITY;
    insta::assert_snapshot!(config.validate().unwrap_err(), @r"
    configuration: reading.timeout: must be a finite number

    configuration: distribution.lease_ttl: must be a finite number
    ");
    let mut config = config::Config::default();
    config.job.output_folder = std::ffi::OsString::from_vec(vec![0xff]).into();
    insta::assert_snapshot!(config.validate().unwrap_err(), @"configuration: cannot be written as JSON: path contains invalid UTF-8 characters");
}

#[test]
fn later_rooms_can_point_at_a_key() {
    let loaded = crate::load_bytes(b"job:\n  url_col: link\n", &[]).unwrap();
    let error = loaded.refuse("job.url_col", "the table has no column `link`", "its columns: url, name");
    insta::assert_snapshot!(crate::without_folder(&error.to_string()), @r"
    job.yaml:2:12: job.url_col: the table has no column `link`
      |
    2 |   url_col: link
      |            ^^^^
      = help: its columns: url, name
    ");
    let error = loaded.refuse("storage.oom_shard_count", "99999 shards are not enough", "raise it");
    assert!(error.to_string().contains("job.yaml: storage.oom_shard_count: 99999 shards"), "{error}");
}

/// Pieces that YAML and this config give a meaning to.
fn soup() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "job",
        "reading",
        "storage",
        "subsampling",
        "url_list",
        "timeout",
        "yt_args",
        "number_sample_per_shard",
        ": ",
        ":",
        "\n",
        "\n  ",
        "\n    ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "&a ",
        "*a",
        "<<: *a",
        "!!str ",
        "!x ",
        "|\n",
        ">\n",
        "\"",
        "'",
        "#",
        "---\n",
        "...\n",
        "\t",
        "null",
        "~",
        "1",
        "-5",
        "1e400",
        ".nan",
        "99999999999999999999999999999999999999999",
        "${HOME}",
        "$",
        "\r\n",
        "\u{feff}",
        "\0",
        "\u{1b}",
        "😀",
        "ü",
        "? ",
        "%YAML 1.2\n",
        "@",
        "=",
        ".",
        "mp4",
        "s3://",
    ]);
    prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Neither loads nor complaints panic, and no complaint speaks to the terminal.
    #[test]
    fn nothing_that_can_be_typed_brings_it_down(yaml in soup(), key in soup(), value in soup()) {
        if let Err(error) = crate::load_bytes(yaml.as_bytes(), &[&format!("{key}={value}"), &value]) {
            let text = error.render(false);
            prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", text);
        }
        if let Err(error) = crate::load_bytes(yaml.as_bytes(), &[&format!("job.url_col={value}")]) {
            let _ = error.render(true);
        }
    }
}
