//! The part of a configuration that decides the bytes of the output.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::{Config, keys};

/// Keys that leave every byte of a shard as it is: where the job runs, how hard it tries, and what it tells whom.
///
/// A list of exceptions, not of members: a new key counts until somebody has thought about it.
const NO_BYTES: &[&str] = &[
    // The plan pins the input's content and lives in the output folder.
    "job.url_list",
    "job.output_folder",
    "job.stage",
    "job.incremental_mode",
    "job.max_shard_retry",
    "job.tmp_dir",
    "job.enable_wandb",
    "job.wandb_project",
    "job.max_failed_fraction",
    // Who is asked, how, and as whom. What is asked for counts: sizes, format, metadata.
    "reading.yt_args.program",
    "reading.yt_args.hosts",
    "reading.yt_args.run_timeout",
    "reading.yt_args.processes",
    "reading.yt_args.cookies",
    "reading.yt_args.cache_dir",
    "reading.yt_args.proxy",
    "reading.yt_args.limit_rate",
    "reading.yt_args.sleep_requests",
    "reading.yt_args.sleep_interval",
    "reading.yt_args.extractor_args",
    "reading.yt_args.user_agent",
    "reading.sampler",
    "reading.timeout",
    "reading.connect_timeout",
    "reading.total_timeout",
    "reading.retries",
    "reading.max_per_host",
    "reading.requests_per_second_per_host",
    "reading.breaker_threshold",
    "reading.breaker_cooldown",
    "reading.contact",
    "reading.dataloader_args",
    // A job may go on on nodes with other processors: NVDEC's pictures are those that the codec prescribes, and a GPU's flows
    // differ by rounding (doc/gpu.md).
    "reading.decode",
    "distribution",
    "telemetry",
    // As timeouts: what fails for one of these is not the same sample's other bytes.
    "limits.wall_seconds",
    "limits.cpu_seconds",
    "limits.memory",
];

/// Longest value that is kept in plain text.
const PLAIN: usize = 120;

impl Config {
    /// Every key that decides output bytes, with its value as JSON (or a hash of it, where it is long).
    ///
    /// Two runs with equal fingerprints over the same input make the same shards; where they differ, the keys of this
    /// map name what differs.
    pub fn fingerprint(&self) -> BTreeMap<String, String> {
        let Ok(values) = serde_json::to_value(self) else { return BTreeMap::new() };
        // The old place of optical flow's settings; jobs that compute none keep the fingerprint that they had.
        let decides_flow = |path: &str| path == "reading.dataloader_args" && self.computes_flow();
        let decides = |path: &str| {
            decides_flow(path) || !NO_BYTES.iter().any(|key| path == *key || path.starts_with(&format!("{key}.")))
        };
        // Plans from before sites were fetched stay good where nothing but the default is asked of them.
        let of_sites = |key: &keys::Key| {
            let value = key.path.split('.').try_fold(&values, |value, name| value.get(name));
            key.path.starts_with("reading.yt_args.") && value == Some(&key.default)
        };
        let leaves = keys::keys().iter().filter(|key| !key.section && decides(&key.path) && !of_sites(key));
        leaves.map(|key| (key.path.clone(), brief(&values, &key.path))).collect()
    }
}

fn brief(values: &Json, path: &str) -> String {
    let value = path.split('.').try_fold(values, |value, name| value.get(name)).cloned().unwrap_or(Json::Null);
    let text = sorted(value).to_string();
    if text.len() <= PLAIN {
        return text;
    }
    let digest: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digest}")
}

/// The same value with the keys of all maps in order, so that their order in the file does not count.
fn sorted(value: Json) -> Json {
    match value {
        Json::Object(map) => {
            let ordered: BTreeMap<String, Json> = map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            Json::Object(ordered.into_iter().collect())
        }
        Json::Array(items) => Json::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}
