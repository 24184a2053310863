//! The typed schema. The sections `subsampling`, `reading`, `storage`, `distribution` and their keys are
//! video2dataset's, with its defaults; `job` holds what video2dataset takes as flags.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forms::{OneOrMany, Size, one_or_many, size};
use super::yt_args::YtArgs;
use super::{DecodeMode, GpuMode, Limits, OutputFormat, Telemetry};
use crate::subsample::Encoding;

/// The whole configuration of a job.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Input and output of the job.
    pub job: Job,
    /// Subsampler name to its settings. Empty: media is stored as fetched.
    pub subsampling: BTreeMap<String, serde_json::Value>,
    /// How inputs are read.
    pub reading: Reading,
    /// How shards are laid out.
    pub storage: Storage,
    /// How the work is spread; changes no byte of the output, but for the last digits of flows on a GPU.
    pub distribution: Distribution,
    /// How pictures and sound are encoded.
    pub encoding: Encoding,
    /// What one sample may cost.
    pub limits: Limits,
    /// What the job tells monitoring and trackers.
    pub telemetry: Telemetry,
}

/// Input and output of the job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Job {
    /// Table file, folder of tables, or a list of them; or tars, also as `{00000..00004}.tar`. `${VAR}` and a leading `~/` are expanded.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub url_list: Vec<String>,
    /// Folder that the shards are written to. `${VAR}` and a leading `~/` are expanded.
    pub output_folder: PathBuf,
    /// Format of the tables, text ones also packed by gzip or zstd; where it is not given, the names in `url_list` tell (`.jsonl`, `.csv.gz`, `.tar`).
    pub input_format: InputFormat,
    /// Format of the shards: `webdataset` is tars, `dummy` the counts alone. video2dataset's default, `files`, is not written.
    pub output_format: OutputFormat,
    /// Modality to member extension, e.g. `{video: mp4, audio: m4a}` or `{optical_flow: npy}`; `{}`: metadata only.
    pub encode_formats: BTreeMap<String, String>,
    /// `download` for tables, `subset` for tars, `optical_flow` for either, or null: accepted for old configs, the input decides.
    pub stage: Option<String>,
    /// Column that holds the URLs.
    pub url_col: String,
    /// Column that holds the captions, written as `.txt` members; null: none.
    pub caption_col: Option<String>,
    /// Column that holds the spans to cut: lists of [start, end], seconds or `HH:MM:SS.f`.
    pub clip_col: Option<String>,
    /// Further columns that go into each sample's `.json` and the sidecar.
    pub save_additional_columns: Vec<String>,
    /// What to do with an output folder that holds shards already.
    pub incremental_mode: IncrementalMode,
    /// Further attempts at a shard that failed as a whole.
    #[schemars(range(max = 1000))]
    pub max_shard_retry: u32,
    /// Node-local scratch; null: `SLURM_TMPDIR`, `TMPDIR`, `/tmp`, in this order. `${VAR}` and `~/` are expanded.
    pub tmp_dir: Option<PathBuf>,
    /// Log to Weights & Biases, with the package `wandb` of a Python on this machine (`telemetry.wandb_python`).
    pub enable_wandb: bool,
    /// Weights & Biases project.
    pub wandb_project: String,
    /// Exit code 3 when a larger share of the samples failed.
    #[schemars(range(min = 0, max = 1))]
    pub max_failed_fraction: f64,
}

impl Default for Job {
    fn default() -> Self {
        Self {
            url_list: Vec::new(),
            output_folder: PathBuf::from("dataset"),
            input_format: InputFormat::Csv,
            output_format: OutputFormat::Webdataset,
            encode_formats: BTreeMap::from([("video".into(), "mp4".into())]),
            stage: None,
            url_col: "url".into(),
            caption_col: None,
            clip_col: None,
            save_additional_columns: Vec::new(),
            incremental_mode: IncrementalMode::Incremental,
            max_shard_retry: 1,
            tmp_dir: None,
            enable_wandb: false,
            wandb_project: "video2dataset".into(),
            max_failed_fraction: 1.0,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InputFormat {
    Txt,
    Csv,
    #[serde(alias = "tsv.gz")]
    Tsv,
    Json,
    #[serde(alias = "ndjson")]
    Jsonl,
    Parquet,
    #[serde(alias = "feather")]
    Arrow,
    Webdataset,
}

/// What to do with an output folder that holds shards already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IncrementalMode {
    /// Skip committed shards, finish the rest.
    Incremental,
    /// Remove what clipmill wrote there, then start over.
    Overwrite,
    /// New rows become new shards after the last.
    Extend,
    /// Redo the samples that failed for a reason that may pass; rewrite their shards.
    RetryFailed,
}

/// How inputs are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reading {
    /// Settings for yt-dlp; files that are fetched directly ignore them.
    pub yt_args: YtArgs,
    /// Accepted for old configs; must be null.
    pub sampler: Option<serde_json::Value>,
    /// Seconds without a byte before a transfer is given up (video2dataset's meaning: per socket operation).
    #[schemars(extend("exclusiveMinimum" = 0), range(max = 31_536_000))]
    pub timeout: f64,
    /// Seconds to connect, TLS included.
    #[schemars(extend("exclusiveMinimum" = 0), range(max = 31_536_000))]
    pub connect_timeout: f64,
    /// Seconds for one sample's transfer, all attempts included.
    #[schemars(extend("exclusiveMinimum" = 0), range(max = 31_536_000))]
    pub total_timeout: f64,
    /// Attempts per URL beyond the first, for reasons that may pass.
    #[schemars(range(max = 100))]
    pub retries: u32,
    /// Largest body in bytes, as a number or as text: `500MB`, `8GiB`.
    #[serde(deserialize_with = "size")]
    #[schemars(with = "Size", extend("minimum" = 1))]
    pub max_bytes: u64,
    /// Longest redirect chain.
    #[schemars(range(max = 50))]
    pub max_redirects: u32,
    /// Transfers in flight per host, over the whole job, but at least one per rank; null: no limit but `thread_count`.
    #[schemars(range(min = 1))]
    pub max_per_host: Option<u32>,
    /// Requests per second per host, over the whole job; null: no limit.
    #[schemars(range(min = 0.001, max = 1_000_000))]
    pub requests_per_second_per_host: Option<f64>,
    /// Refusals (403, 429, 503) in a row that open a host's circuit breaker; 0 turns it off.
    pub breaker_threshold: u32,
    /// Seconds before an open breaker lets one request through.
    #[schemars(extend("exclusiveMinimum" = 0), range(max = 31_536_000))]
    pub breaker_cooldown: f64,
    /// Contact for the `User-Agent`: an e-mail address or a page.
    pub contact: Option<String>,
    /// Refuse media whose owner opted out (`X-Robots-Tag: noai`, `noimageai`, `noindex`, `noimageindex`).
    pub honour_opt_out: bool,
    /// Let URLs reach private, loopback and link-local addresses.
    pub allow_private_networks: bool,
    /// Let the table name files of this machine.
    pub allow_local_paths: bool,
    /// Which decoder: `nvdec` (a GPU's, where it can), `software`, or `auto`: NVDEC where flow on a GPU follows and it is quicker. See gpu.md.
    pub decode: DecodeMode,
    /// Accepted for old configs: `OpticalFlowSubsampler` takes `resize_size` and `decoder_kwargs.fps` from it.
    pub dataloader_args: Option<serde_json::Value>,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            yt_args: YtArgs::default(),
            sampler: None,
            timeout: 60.0,
            connect_timeout: 10.0,
            total_timeout: 3600.0,
            retries: 2,
            max_bytes: 8 << 30,
            max_redirects: 10,
            max_per_host: None,
            requests_per_second_per_host: None,
            breaker_threshold: 20,
            breaker_cooldown: 60.0,
            contact: None,
            honour_opt_out: true,
            allow_private_networks: false,
            allow_local_paths: false,
            decode: DecodeMode::Auto,
            dataloader_args: None,
        }
    }
}

/// How shards are laid out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// Rows per shard; also decides the width of keys.
    #[schemars(range(min = 1))]
    pub number_sample_per_shard: u32,
    /// Digits of shard names.
    #[schemars(range(min = 1, max = 12))]
    pub oom_shard_count: u32,
    /// Clip by the lines of the sample's subtitles, and write each line as the `.txt` of its clip.
    pub captions_are_subtitles: bool,
    /// Write `.json` (and `.txt`) members for failed samples too, as video2dataset does.
    pub failed_samples: bool,
}

impl Default for Storage {
    fn default() -> Self {
        Self { number_sample_per_shard: 1000, oom_shard_count: 5, captions_are_subtitles: false, failed_samples: true }
    }
}

/// How the work is spread. Nothing here changes a byte of the output, but for the last digits of flows where a GPU computes
/// them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Distribution {
    /// Media workers per rank, at most one per CPU that it has.
    #[schemars(range(min = 1))]
    pub processes_count: u32,
    /// Transfers in flight per rank; fewer where the hard limit of open files is low.
    #[schemars(range(min = 1, max = 4096))]
    pub thread_count: u32,
    /// Accepted for old configs (Spark batches).
    pub subjob_size: u32,
    /// Who starts the ranks: `multiprocessing` you or your launcher, `slurm` a job that `run` submits, `pyspark` spark-submit.
    pub distributor: String,
    /// What the distributor `slurm` asks Slurm for: `n_nodes`, `partition`, …; see launchers.md.
    pub distributor_args: Option<serde_json::Value>,
    /// Whether MPI may be used.
    pub mpi: MpiMode,
    /// Seconds without a heartbeat, on the observer's clock, before another rank takes a shard over; at least three
    /// heartbeats.
    #[schemars(extend("exclusiveMinimum" = 0), range(max = 31_536_000))]
    pub lease_ttl: f64,
    /// Seconds between heartbeats; each is also a checkpoint that a rerun continues from.
    #[schemars(range(min = 0.01, max = 86_400))]
    pub heartbeat: f64,
    /// Bytes of media that a rank holds in memory, as a number or as text (`256MiB`); more spills to scratch.
    #[serde(deserialize_with = "size")]
    #[schemars(with = "Size", extend("minimum" = 8_388_608))]
    pub memory_budget: u64,
    /// Seconds before the job's end time at which a rank starts to drain.
    #[schemars(range(min = 0, max = 86_400))]
    pub drain_margin: f64,
    /// Optical flow on a GPU: `auto`, where there is one and it is quicker; `required`, else the job ends before it begins; `off`.
    pub gpu: GpuMode,
    /// Wait for the disk at commit (fsync); off only where a lost node may cost finished shards.
    pub fsync: bool,
}

impl Default for Distribution {
    fn default() -> Self {
        Self {
            processes_count: 16,
            thread_count: 32,
            subjob_size: 1000,
            distributor: "multiprocessing".into(),
            distributor_args: None,
            mpi: MpiMode::Auto,
            lease_ttl: 60.0,
            heartbeat: 10.0,
            memory_budget: 256 << 20,
            drain_margin: 60.0,
            gpu: GpuMode::Auto,
            fsync: true,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MpiMode {
    /// Where the launcher's environment says that it can work.
    Auto,
    /// Never.
    Off,
    /// Stop with an error where it does not work.
    Required,
}
