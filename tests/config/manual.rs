//! `doc/config.md` against the schema.

use clipmill::config::{self, Key, keys};

/// What video2dataset has under the same name; the list is closed.
const VIDEO2DATASET: [&str; 39] = [
    "job",
    "job.url_list",
    "job.output_folder",
    "job.input_format",
    "job.output_format",
    "job.encode_formats",
    "job.stage",
    "job.url_col",
    "job.caption_col",
    "job.clip_col",
    "job.save_additional_columns",
    "job.incremental_mode",
    "job.max_shard_retry",
    "job.tmp_dir",
    "job.enable_wandb",
    "job.wandb_project",
    "subsampling",
    "reading",
    "reading.yt_args",
    "reading.yt_args.download_size",
    "reading.yt_args.download_audio_rate",
    "reading.yt_args.yt_metadata_args",
    "reading.yt_args.yt_metadata_args.writesubtitles",
    "reading.yt_args.yt_metadata_args.subtitleslangs",
    "reading.yt_args.yt_metadata_args.writeautomaticsub",
    "reading.yt_args.yt_metadata_args.get_info",
    "reading.sampler",
    "reading.timeout",
    "reading.dataloader_args",
    "storage",
    "storage.number_sample_per_shard",
    "storage.oom_shard_count",
    "storage.captions_are_subtitles",
    "distribution",
    "distribution.processes_count",
    "distribution.thread_count",
    "distribution.subjob_size",
    "distribution.distributor",
    "distribution.distributor_args",
];

/// The table of one section, as it must stand in the manual.
fn table(section: &str) -> String {
    let mut text = "| key | type | default | meaning | from |\n| --- | --- | --- | --- | --- |\n".to_owned();
    let below = format!("{section}.");
    let inside = |key: &&Key| key.path.starts_with(&below) || (key.path == section && !key.section);
    for Key { path, kind, default, description, section, .. } in keys().iter().filter(inside) {
        let default = if *section { String::new() } else { format!("`{default}`") };
        let from = if VIDEO2DATASET.contains(&path.as_str()) { "video2dataset" } else { "clipmill" };
        text.push_str(&format!("| `{path}` | {kind} | {default} | {description} | {from} |\n"));
    }
    text
}

fn with_tables(manual: &str) -> String {
    let mut text = manual.to_owned();
    for section in ["job", "subsampling", "reading", "storage", "distribution", "encoding", "limits", "telemetry"] {
        let begin = format!("<!-- keys: {section} -->\n");
        let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("the manual lacks {begin}"));
        let (_, after) = rest.split_once("<!-- end -->").expect("a table without an end");
        text = format!("{before}{begin}{}<!-- end -->{after}", table(section));
    }
    text
}

/// With `UPDATE_MANUAL=1` the tables are written anew.
#[test]
fn every_key_stands_in_the_manual_with_its_type_and_default() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/doc/config.md");
    let manual = std::fs::read_to_string(path).unwrap();
    let wanted = with_tables(&manual);
    if std::env::var_os("UPDATE_MANUAL").is_some() {
        std::fs::write(path, wanted).unwrap();
        return;
    }
    for (line, want) in manual.lines().zip(wanted.lines()) {
        assert_eq!(line, want, "doc/config.md is behind the schema: run this test with UPDATE_MANUAL=1");
    }
    assert_eq!(manual.len(), wanted.len(), "doc/config.md is behind the schema: run this test with UPDATE_MANUAL=1");
}

#[test]
fn every_key_has_a_description() {
    for key in keys() {
        assert!(!key.description.is_empty(), "{}", key.path);
        assert!(key.description.len() < 160, "{}: one line is enough", key.path);
    }
}

#[test]
fn the_schema_is_draft_2020_12_with_descriptions_defaults_and_words() {
    let schema = config::schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["additionalProperties"], false);
    let storage = &schema["$defs"]["Storage"]["properties"];
    assert_eq!(storage["oom_shard_count"]["maximum"], 12);
    assert_eq!(storage["oom_shard_count"]["default"], 5);
    let formats = &schema["$defs"]["InputFormat"];
    assert!(formats["enum"].as_array().unwrap().contains(&"parquet".into()), "{formats}");
}

/// The defaults of the schema are those of the code, and pass every check.
#[test]
fn defaults_are_valid() {
    config::Config::default().validate().unwrap();
    let values = serde_json::to_value(config::Config::default()).unwrap();
    for key in keys().iter().filter(|key| !key.section) {
        let value = key.path.split('.').fold(&values, |value, name| &value[name]);
        assert_eq!(*value, key.default, "{}", key.path);
    }
}
