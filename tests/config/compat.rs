//! The configs that video2dataset ships.

use std::collections::BTreeMap;

use clipmill::config::{self, Config, IncrementalMode, InputFormat, SHIPPED};

use crate::{load_bytes, loaded, refused_briefly};

const DEFAULT: &str = include_str!("fixtures/default.yaml");
const DOWNSAMPLE_ML: &str = include_str!("fixtures/downsample_ml.yaml");
const OPTICAL_FLOW: &str = include_str!("fixtures/optical_flow.yaml");
const CAPTION: &str = include_str!("fixtures/caption.yaml");

#[test]
fn its_default_is_our_default() {
    assert_eq!(loaded(DEFAULT, &[]), Config::default());
    assert!(load_bytes(DEFAULT.as_bytes(), &[]).unwrap().warnings(false).is_none());
}

#[test]
fn its_flagship_config_loads_unchanged_and_is_ours() {
    let theirs = loaded(DOWNSAMPLE_ML, &["reading.yt_args={}"]);
    let path = std::path::Path::new("downsample_ml");
    let ours = config::load(path, &[]).unwrap().config;
    let args = |config: &Config, name: &str| config.subsampling[name]["args"].clone();
    for name in ["ResolutionSubsampler", "FrameSubsampler", "CutDetectionSubsampler", "ClippingSubsampler"] {
        assert_eq!(args(&ours, name), args(&theirs, name), "{name}");
    }
    assert_eq!(ours.subsampling["CutDetectionSubsampler"]["cuts_are_clips"], true);
}

#[test]
fn what_this_version_lacks_is_refused_by_its_name_and_nothing_else() {
    insta::assert_snapshot!(refused_briefly(CAPTION, &[]), @"job.yaml:2:5: subsampling.CaptionSubsampler: not available in this version");
}

#[test]
fn its_optical_flow_config_loads_with_the_member_that_it_takes_as_a_flag() {
    let refused = crate::refused(OPTICAL_FLOW, &[]);
    for wants in ["job.encode_formats: names no member for the optical flow", "add `optical_flow: npy`"] {
        assert!(refused.contains(wants), "{refused}");
    }
    let flags = ["encode_formats={optical_flow: npy}", "stage=optical_flow", "input_format=webdataset"];
    let config = loaded(OPTICAL_FLOW, &flags);
    let [step] = &clipmill::job::recipe(&config).steps[..] else { panic!("one subsampler") };
    let args =
        serde_json::json!({"detector": "cv2", "detector_args": null, "dtype": "fp16", "fps": 2, "resize_size": 16});
    assert_eq!(step.args, args);
    let warnings = load_bytes(OPTICAL_FLOW.as_bytes(), &flags).unwrap().warnings(false);
    assert_eq!(warnings, None);
    // What decides the bytes decides whether an output folder may be gone on with.
    let print = |flags: &[&str]| loaded(OPTICAL_FLOW, flags).fingerprint();
    let faster = [&flags[..], &["reading.dataloader_args.decoder_kwargs.fps=4"]].concat();
    assert_ne!(print(&flags), print(&faster));
    let (off, other) = (["subsampling={}"], ["subsampling={}", "reading.dataloader_args.decoder_kwargs.fps=4"]);
    assert_eq!(print(&off), print(&other));
}

#[test]
fn optical_flow_that_contradicts_itself_is_refused() {
    let npy = "encode_formats: {optical_flow: npy}";
    let both = "args.store: `none` and a member for the optical flow contradict each other";
    for (job, args, reading, wants) in [
        (npy, "{store: none}", "null", both),
        ("encode_formats: {optical_flow: h5}", "{}", "null", "optical_flow: optical flow is stored as `npy`"),
        (npy, "null", "null", "job.encode_formats.optical_flow: nothing computes the optical flow"),
        (
            npy,
            "{detector: raft}",
            "null",
            "args.detector: unknown variant `raft`, expected one of `cv2`, `farneback`, `dis`",
        ),
        (npy, "{detector_args: [0.5, 3, 15, 3, 6]}", "null", "poly_n is out of range: 5 or 7"),
        (npy, "{fps: 0}", "null", "args.fps: is no rate to look at pictures"),
        (
            npy,
            "{}",
            "{decoder_kwargs: {n_frames: 8}}",
            "reading.dataloader_args.decoder_kwargs.n_frames: is not available",
        ),
        (npy, "{}", "{resize_size: 5000}", "reading.dataloader_args.resize_size: is no size to make pictures small to"),
        ("stage: optical_flow", "null", "null", "job.stage: nothing computes the optical flow"),
    ] {
        let flow = format!("subsampling: {{OpticalFlowSubsampler: {{args: {args}}}}}");
        let yaml = format!("job: {{{job}}}\n{flow}\nreading: {{dataloader_args: {reading}}}\n");
        let refused = refused_briefly(&yaml, &[]);
        assert!(refused.contains(wants) && refused.lines().count() == 1, "{refused}");
    }
    // What is made after the filter's turn cannot be asked for.
    let filter = "FilterSubsampler: {args: {expression: mean_optical_flow_magnitude > 1}}";
    let yaml =
        format!("job: {{{npy}, input_format: csv}}\nsubsampling: {{OpticalFlowSubsampler: {{args: {{}}}}, {filter}}}");
    assert!(crate::refused(&yaml, &[]).contains("it is made after the filter's turn"));
}

#[test]
fn settings_of_subsamplers_are_checked_at_their_place() {
    let yaml = "\
subsampling:
  ClippingSubsampler: {args: {min_length: 5, max_length: 4, precision: exakt}}
  ResolutionSubsampler: {args: {video_size: 225, resize_mode: 'scale,stretch'}, more: 1}
  FrameSubsampler: {args: {frame_rte: 5}}
  CutDetectionSubsampler: {cuts_are_clips: maybe}
";
    insta::assert_snapshot!(refused_briefly(yaml, &[]), @"
    job.yaml:2:72: subsampling.ClippingSubsampler.args.precision: unknown variant `exakt`, expected one of `low`, `keyframe_adjusted`, `smart`, `exact`
    job.yaml:3:45: subsampling.ResolutionSubsampler.args.video_size: is odd, which most videos cannot be
    job.yaml:3:63: subsampling.ResolutionSubsampler.args.resize_mode: `stretch` is no way to resize
    job.yaml:3:87: subsampling.ResolutionSubsampler.more: unknown key
    job.yaml:4:39: subsampling.FrameSubsampler.args.frame_rte: unknown setting
    job.yaml:5:44: subsampling.CutDetectionSubsampler.cuts_are_clips: is neither true nor false
    ");
}

#[test]
fn without_its_subsamplers_each_of_them_loads() {
    for yaml in [DOWNSAMPLE_ML, OPTICAL_FLOW, CAPTION] {
        let config = loaded(yaml, &["subsampling={}"]);
        assert_eq!(config.storage, Config::default().storage);
    }
    let caption = loaded(CAPTION, &["subsampling={}"]);
    assert_eq!((caption.distribution.processes_count, caption.distribution.thread_count), (1, 8));
    let warnings = load_bytes(CAPTION.as_bytes(), &["subsampling={}"]).unwrap().warnings(false).unwrap();
    assert!(warnings.contains(":10:5: warning: reading.dataloader_args: has no effect in this version"), "{warnings}");
}

#[test]
fn its_slurm_settings_load_with_a_warning() {
    let yaml = "distribution: {distributor: slurm, distributor_args: {n_nodes: 2, partition: cpu}}";
    let warnings = load_bytes(yaml.as_bytes(), &[]).unwrap().warnings(false).unwrap();
    assert!(warnings.contains("warning: distribution.distributor: has no effect"), "{warnings}");
}

#[test]
fn a_subsampler_without_args_is_off_as_it_was_there() {
    for off in ["null", "{}", "{args: null}"] {
        loaded(&format!("subsampling: {{ResolutionSubsampler: {off}}}"), &[]);
    }
    loaded("subsampling: {CutDetectionSubsampler: {cuts_are_clips: true, args: null}}", &[]);
}

#[test]
fn further_options_of_yt_dlp_pass() {
    let config = loaded("reading: {yt_args: {yt_metadata_args: {get_info: no, skip_playlist: 3}}}", &[]);
    let args = config.reading.yt_args.yt_metadata_args.unwrap();
    assert!(!args.get_info);
    assert_eq!(args.other.get("skip_playlist"), Some(&serde_json::json!(3)));
}

#[test]
fn null_is_the_default() {
    let yaml = "job: {encode_formats: null, save_additional_columns: ~, url_list: }\nsubsampling: null\nreading:\n\
                storage: ~\ndistribution: {distributor_args: null, thread_count: null}\n";
    assert_eq!(loaded(yaml, &[]), Config::default());
    for empty in ["", "\n\n", "# nothing but a comment\n", "---\n", "{}", "\u{feff}"] {
        assert_eq!(loaded(empty, &[]), Config::default(), "{empty:?}");
    }
}

#[test]
fn null_stays_null_where_it_means_none() {
    let config = loaded("reading: {yt_args: {yt_metadata_args: null}}", &[]);
    assert_eq!(config.reading.yt_args.yt_metadata_args, None);
}

#[test]
fn yaml_1_1_booleans_and_anchors_and_merge_keys() {
    let yaml = "\
job: {url_col: on, enable_wandb: off}
reading: &common {honour_opt_out: No, allow_local_paths: YES}
distribution: {mpi: off}
subsampling:
  NoOpSubsampler: &noop {args: {}}
";
    let config = loaded(yaml, &[]);
    assert_eq!(config.job.url_col, "on");
    assert!(!config.reading.honour_opt_out && config.reading.allow_local_paths);

    let yaml = "reading:\n  dataloader_args: {x: &x {a: 1, b: 2}, more: {<<: *x, b: 3}}\n";
    let merged = loaded(yaml, &[]).reading.dataloader_args.unwrap();
    assert_eq!(merged["more"], serde_json::json!({"a": 1, "b": 3}));
}

#[test]
fn sizes_may_have_units() {
    let config = loaded("reading: {max_bytes: 500MB}\ndistribution: {memory_budget: 1 GiB}", &[]);
    assert_eq!((config.reading.max_bytes, config.distribution.memory_budget), (500_000_000, 1 << 30));
}

#[test]
fn the_tables_name_tells_the_format_unless_it_is_given() {
    let format = |list: &str| loaded("", &[&format!("url_list={list}")]).job.input_format;
    assert_eq!(format("a.PARQUET"), InputFormat::Parquet);
    assert_eq!(format("[a.tsv, b.tsv]"), InputFormat::Tsv);
    assert_eq!(format("a.txt"), InputFormat::Txt);
    assert_eq!(format("a.csv"), InputFormat::Csv);
    assert_eq!(format("folder"), InputFormat::Csv);
    let given = loaded("job: {url_list: a.txt, input_format: csv}", &[]);
    assert_eq!(given.job.input_format, InputFormat::Csv);
}

#[test]
fn shipped_configs_load_by_name_and_by_file() {
    for (name, text) in SHIPPED {
        let by_name = config::load(name.as_ref(), &[]).unwrap();
        assert_eq!(by_name.config, loaded(text, &[]));
        let rest = Config { subsampling: BTreeMap::new(), ..by_name.config.clone() };
        let mut defaults = Config::default();
        if ["reprocess", "optical_flow"].contains(&name) {
            defaults.job.input_format = InputFormat::Webdataset;
        }
        if name == "optical_flow" {
            defaults.job.encode_formats = [("optical_flow".into(), "npy".into())].into();
        }
        assert_eq!(rest, defaults, "configs/{name}.yaml says that it states the defaults");
        assert!(by_name.warnings(false).is_none());
        assert!(by_name.require_input().unwrap_err().to_string().contains("-o url_list="));
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/configs");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), SHIPPED.len(), "every file of configs/ is in the binary");
    for file in files {
        config::load(&file, &[]).unwrap();
    }
}

#[test]
fn modes_have_their_documented_words() {
    let mode = |word: &str| loaded("", &[&format!("incremental_mode={word}")]).job.incremental_mode;
    assert_eq!(mode("incremental"), IncrementalMode::Incremental);
    assert_eq!(mode("overwrite"), IncrementalMode::Overwrite);
    assert_eq!(mode("extend"), IncrementalMode::Extend);
    assert_eq!(mode("retry_failed"), IncrementalMode::RetryFailed);
}
