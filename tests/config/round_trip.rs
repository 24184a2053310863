//! `config show` prints what loads again as the same.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clipmill::config::{Config, IncrementalMode, InputFormat, MpiMode, YtMetadataArgs};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::loaded;

/// Any text that YAML can carry, with a leaning to what it could mistake for something else.
fn text() -> impl Strategy<Value = String> {
    let tricky = prop::sample::select(vec![
        "no",
        "Off",
        "null",
        "~",
        "1",
        "010",
        "1e3",
        "0x1f",
        ".inf",
        "-",
        "- a",
        "a: b",
        "a #b",
        "#",
        "'",
        "\"",
        "*a",
        "&a",
        "!a",
        "%",
        "@",
        "`",
        "{",
        "[",
        "a,b",
        " a ",
        "a\nb",
        "\t",
        "<<",
        "=",
        "---",
        "...",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{7f}",
        "\u{1}",
        "ü",
        "😀",
        "2024-01-01",
        "12:30:00",
        "y",
        "TRUE",
        "$x",
        "a\\b",
    ]);
    prop_oneof![tricky.prop_map(str::to_owned), "\\PC{1,12}", any::<char>().prop_map(String::from)]
        .prop_filter("no file name holds it", |text| !text.contains('\0'))
}

/// Text that may stand as a path: what begins with `~` is expanded, a scheme is refused.
fn path() -> impl Strategy<Value = String> {
    text().prop_filter("a plain path", |text| !text.is_empty() && !text.starts_with('~') && !text.contains("://"))
}

fn table() -> impl Strategy<Value = String> {
    path().prop_map(|name| format!("{name}.csv"))
}

fn opaque() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e300..1e300f64).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..3).prop_map(|map| json!(map)),
        ]
    })
}

prop_compose! {
    fn any_config()(
        url_list in prop::collection::vec(table(), 0..3),
        output_folder in path(),
        tmp_dir in prop::option::of(path()),
        url_col in text(),
        wandb_project in text(),
        input_format in prop::sample::select(vec![InputFormat::Csv, InputFormat::Tsv, InputFormat::Txt]),
        incremental_mode in prop::sample::select(vec![IncrementalMode::Incremental, IncrementalMode::Extend]),
        noop in opaque(),
        other in opaque(),
        timeout in 1e-9..3e7f64,
        max_bytes in 1..=u64::MAX,
        max_per_host in prop::option::of(1..=u32::MAX),
        size in 1..=u32::MAX,
        fsync in any::<bool>(),
        mpi in prop::sample::select(vec![MpiMode::Auto, MpiMode::Off, MpiMode::Required]),
        metadata in any::<bool>(),
    ) -> Config {
        let mut config = Config::default();
        config.job.url_list = url_list;
        config.job.output_folder = PathBuf::from(output_folder);
        config.job.tmp_dir = tmp_dir.map(PathBuf::from);
        config.job.url_col = url_col;
        config.job.wandb_project = wandb_project;
        config.job.input_format = input_format;
        config.job.incremental_mode = incremental_mode;
        config.reading.dataloader_args = Some(noop).filter(|value| !value.is_null());
        config.reading.timeout = timeout;
        config.reading.max_bytes = max_bytes;
        config.reading.max_per_host = max_per_host;
        config.reading.yt_args.yt_metadata_args = metadata.then(|| {
            YtMetadataArgs { other: BTreeMap::from([("other".to_owned(), other)]), ..Default::default() }
        });
        config.storage.number_sample_per_shard = size;
        config.distribution.fsync = fsync;
        config.distribution.mpi = mpi;
        config
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn shown_configs_load_back_equal(config in any_config()) {
        prop_assume!(config.validate().is_ok());
        prop_assert_eq!(loaded(&config.to_yaml(), &[]), config);
    }
}

#[test]
fn the_default_round_trips_as_yaml_and_as_json() {
    let config = Config::default();
    assert_eq!(loaded(&config.to_yaml(), &[]), config);
    assert_eq!(loaded(&json!(config).to_string(), &[]), config);
}

#[test]
fn the_fingerprint_holds_what_decides_bytes_and_nothing_else() {
    let base = Config::default().fingerprint();
    let with = |change: &str| loaded("", &[change]).fingerprint();
    for same in [
        "output_folder=elsewhere",
        "url_list=a.csv",
        "incremental_mode=retry_failed",
        "reading.timeout=5",
        "reading.retries=9",
        "reading.contact=me@example.org",
        "distribution.thread_count=7",
        "distribution.fsync=false",
        "max_failed_fraction=0.5",
    ] {
        assert_eq!(with(same), base, "{same}");
    }
    for (change, key) in [
        ("storage.number_sample_per_shard=10", "storage.number_sample_per_shard"),
        ("storage.failed_samples=false", "storage.failed_samples"),
        ("encode_formats={video: webm}", "job.encode_formats"),
        ("caption_col=name", "job.caption_col"),
        ("input_format=tsv", "job.input_format"),
        ("reading.max_bytes=5", "reading.max_bytes"),
        ("subsampling={NoOpSubsampler: {args: {}}}", "subsampling"),
    ] {
        let changed = with(change);
        let differing: Vec<_> = base.keys().filter(|name| base[*name] != changed[*name]).collect();
        assert_eq!(differing, [key], "{change}");
    }
    assert_eq!(base["storage.number_sample_per_shard"], "1000");
    let long = format!("save_additional_columns=[{}]", (0..99).map(|n| format!("c{n}")).collect::<Vec<_>>().join(","));
    assert!(with(&long)["job.save_additional_columns"].starts_with("sha256:"));
    assert_eq!(
        with("subsampling={ClippingSubsampler: {args: {min_length: 1, max_length: 2}}, NoOpSubsampler: {args: {}}}"),
        with("subsampling={NoOpSubsampler: {args: {}}, ClippingSubsampler: {args: {max_length: 2, min_length: 1}}}"),
    );
}
