//! What the types cannot say: ranges, combinations, and what this version does not do.
//!
//! A key that asks for something this version lacks is refused, never ignored: a dataset that silently lacks its clips
//! is found out weeks later.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::error::{At, Problem};
use super::tree::nearest;
use super::{
    Config, IncrementalMode, InputFormat, Job, Storage, infer, keys, output_format, processors, sites, slurm_args,
    subsampling, subtitles, telemetry,
};
use crate::sample::RESERVED_FIELDS;
use crate::subsample::Recipe;

/// Everything that is wrong with the configuration, by key, without places.
pub(super) fn problems(config: &Config) -> Vec<Problem> {
    let mut found = Found(ranges(config));
    subsampling::check(config, &mut found);
    subtitles::check(config, &mut found);
    sites::check(config, &mut found);
    input(&config.job, &mut found);
    columns(&config.job, &mut found);
    encode_formats(config, &mut found);
    tars(&config.job, &mut found);
    output_format::check(&config.job, &mut found);
    not_here_yet(config, &mut found);
    telemetry::check(&config.telemetry, &mut found);
    times(config, &mut found);
    processors::check(config, &mut found);
    found.0
}

/// What is accepted for the sake of old configs, but has no effect that its author would notice.
pub(super) fn warnings(config: &Config) -> Vec<Problem> {
    let mut found = Found(Vec::new());
    let distribution = &config.distribution;
    if distribution.distributor != "slurm" && distribution.distributor_args.is_some() {
        found.add(
            "distribution.distributor_args",
            "has no effect: only the distributor `slurm` takes arguments",
            "write `distributor: slurm`, or submit with `sbatch` or `clipmill submit`",
        );
    }
    let per_shard = config.storage.number_sample_per_shard;
    if config.job.input_format == InputFormat::Webdataset && per_shard != Storage::default().number_sample_per_shard {
        found.add(
            "storage.number_sample_per_shard",
            "has no effect over tars: each becomes one shard of its name, whatever it holds",
            "remove it",
        );
    }
    if config.reading.dataloader_args.is_some() && !config.computes_flow() {
        found.add("reading.dataloader_args", "has no effect in this version", "remove it");
    }
    sites::warnings(config, &mut found);
    found.0
}

/// Problems in the order of the checks.
pub(super) struct Found(Vec<Problem>);

impl Found {
    pub fn add(&mut self, key: &str, message: impl Into<String>, help: impl Into<String>) {
        self.0.push(Problem::new(key, At::Nowhere, message).help(help));
    }

    /// For two keys that do not fit together.
    pub fn add_both(&mut self, key: &str, other: &'static str, message: impl Into<String>, help: impl Into<String>) {
        let problem = Problem::new(key, At::Nowhere, message).help(help);
        self.0.push(Problem { other_key: Some(other), ..problem });
    }
}

/// Numbers against the ranges that the schema declares, so that editors, the manual and this check agree.
fn ranges(config: &Config) -> Vec<Problem> {
    // Everything else that reads a config (fingerprint, show) may then rely on it.
    let values = match serde_json::to_value(config) {
        Ok(values) => values,
        Err(error) => return vec![Problem::new("", At::Nowhere, format!("cannot be written as JSON: {error}"))],
    };
    keys::keys().iter().filter_map(|key| out_of_range(key, lookup(&values, &key.path)?)).collect()
}

fn lookup<'a>(values: &'a Json, path: &str) -> Option<&'a Json> {
    path.split('.').try_fold(values, |value, name| value.get(name))
}

fn out_of_range(key: &keys::Key, value: &Json) -> Option<Problem> {
    // JSON has no infinity: what was not finite has become null.
    if value.is_null() && !key.nullable && !key.section {
        return Some(Problem::new(&key.path, At::Nowhere, "must be a finite number"));
    }
    let number = value.as_f64().filter(|number| !key.range.holds(*number))?;
    let shown = if number.abs() < 1e15 { number.to_string() } else { format!("{number:e}") };
    Some(Problem::new(&key.path, At::Nowhere, format!("must be {}, not {shown}", key.range)))
}

fn input(job: &Job, found: &mut Found) {
    for (n, path) in job.url_list.iter().enumerate() {
        let key = format!("job.url_list.{n}");
        local_path(&key, path, found);
        if job.url_list.iter().take(n).any(|earlier| earlier == path) {
            found.add(
                &key,
                format!("`{path}` stands there twice"),
                "each of its rows would be stored twice; name it once",
            );
        }
        if infer::named(path).is_some_and(|named| differ(named, job.input_format)) {
            let word = |format: InputFormat| serde_json::to_string(&format).unwrap_or_default().replace('"', "");
            let format = word(job.input_format);
            found.add_both(
                "job.input_format",
                "job.url_list",
                format!("`{path}` does not look like {format}"),
                "leave job.input_format out to take it from the file's name",
            );
        }
    }
    local_path("job.output_folder", &job.output_folder.to_string_lossy(), found);
    if let Some(tmp) = &job.tmp_dir {
        local_path("job.tmp_dir", &tmp.to_string_lossy(), found);
    }
}

/// Whether a file named as one format cannot be read as the other. Text is text, whatever it is called.
fn differ(named: InputFormat, given: InputFormat) -> bool {
    let is_other = |format| matches!(format, InputFormat::Parquet | InputFormat::Arrow | InputFormat::Webdataset);
    named != given && (is_other(named) || is_other(given))
}

pub(super) fn local_path(key: &str, path: &str, found: &mut Found) {
    if path.is_empty() {
        found.add(key, "the path is empty", "give a path, or leave the key out");
    } else if path.contains('\0') {
        found.add(key, "the path contains a NUL character", "give a path without it");
    } else if let Some((scheme, _)) = path.split_once("://") {
        found.add(
            key,
            format!("`{scheme}://` paths are not available in this version"),
            "use a path on a mounted file system",
        );
    }
}

fn columns(job: &Job, found: &mut Found) {
    if job.url_col.is_empty() {
        found.add("job.url_col", "the column name is empty", "name the column that holds the URLs");
    }
    if job.caption_col.as_deref() == Some("") {
        found.add("job.caption_col", "the column name is empty", "name a column, or null for no captions");
    }
    if job.caption_col.as_ref() == Some(&job.url_col) {
        found.add_both(
            "job.caption_col",
            "job.url_col",
            "is the same column as job.url_col",
            "name the column that holds the captions",
        );
    }
    let mut seen = BTreeSet::new();
    for (n, column) in job.save_additional_columns.iter().enumerate() {
        let key = &format!("job.save_additional_columns.{n}");
        if column.is_empty() {
            found.add(key, "a column name is empty", "remove it");
        } else if RESERVED_FIELDS.contains(&column.as_str()) {
            found.add(
                key,
                format!("`{column}` is a field that every sample has already"),
                "rename the column in the table, or leave it out",
            );
        } else if !seen.insert(column) {
            found.add(key, format!("`{column}` stands there twice"), "name each column once");
        } else if *column == job.url_col || Some(column) == job.caption_col.as_ref() {
            found.add(
                key,
                format!("`{column}` is saved already, as `{}`", if *column == job.url_col { "url" } else { "caption" }),
                "leave it out",
            );
        }
    }
}

const MODALITIES: [&str; 3] = ["video", "audio", "optical_flow"];

fn encode_formats(config: &Config, found: &mut Found) {
    let job = &config.job;
    let key = "job.encode_formats";
    for (modality, extension) in &job.encode_formats {
        let key = &format!("job.encode_formats.{modality}");
        if !MODALITIES.contains(&modality.as_str()) {
            let help = match nearest(modality, MODALITIES.into_iter()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "available: `video`, `audio`, `optical_flow`".to_owned(),
            };
            found.add(key, format!("the modality `{modality}` is not available in this version"), help);
        }
        let sane = (1..=8).contains(&extension.len())
            && extension.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if !sane {
            found.add(
                key,
                format!("`{extension}` cannot be a member's extension"),
                "use 1 to 8 of a-z and 0-9, without a dot: `mp4`",
            );
        } else if ["json", "txt"].contains(&extension.as_str()) {
            found.add(key, format!("`.{extension}` members hold metadata"), "use a media extension: `mp4`");
        }
    }
    let makes_fields = !Recipe::steps(&config.subsampling).is_empty();
    // Over tars nothing is fetched: media is there already, or not wanted.
    let is_pointless = job.encode_formats.is_empty() && !makes_fields && job.input_format != InputFormat::Webdataset;
    if is_pointless {
        found.add(key, "nothing to fetch for", "write `{video: mp4}`, leave the key out, or ask for a subsampler");
    }
}

const STAGES: [&str; 5] = ["download", "subset", "optical_flow", "caption", "whisper"];
const DISTRIBUTORS: [&str; 3] = ["multiprocessing", "slurm", "pyspark"];

/// The input decides what is done; the word must not say otherwise.
fn stage(config: &Config, found: &mut Found) {
    let job = &config.job;
    let tars = job.input_format == InputFormat::Webdataset;
    match job.stage.as_deref() {
        None => {}
        Some("download") if !tars => {}
        Some("subset") if tars => {}
        Some("optical_flow") if config.computes_flow() => {}
        Some("optical_flow") => found.add(
            "job.stage",
            "nothing computes the optical flow",
            "add `OpticalFlowSubsampler: {args: {}}` to subsampling, or leave the stage out",
        ),
        Some("download") => found.add_both(
            "job.stage",
            "job.input_format",
            "`download` takes a table of URLs, and the input is WebDataset tars",
            "leave the stage out, or write `subset`",
        ),
        Some("subset") => found.add_both(
            "job.stage",
            "job.input_format",
            "`subset` takes WebDataset tars, and the input is a table",
            "leave the stage out, or name tars in url_list (or a folder of them, with `input_format: webdataset`)",
        ),
        Some(stage) => {
            let message = format!("the stage `{stage}` is not available in this version");
            one_of("job.stage", stage, &STAGES, message, "available: `download`, `subset`, `optical_flow`", found);
        }
    }
}

/// Settings that speak of a table's columns or of fetching.
fn tars(job: &Job, found: &mut Found) {
    if job.input_format != InputFormat::Webdataset {
        return;
    }
    let table_only = [
        ("job.caption_col", job.caption_col.is_some(), "null"),
        ("job.save_additional_columns", !job.save_additional_columns.is_empty(), "[]"),
    ];
    for (key, given, off) in table_only {
        if given {
            let help = format!("set it to {off}: every field of a sample's `.json` and its `.txt` are kept");
            found.add(key, "WebDataset tars have no columns", help);
        }
    }
    if job.incremental_mode == IncrementalMode::RetryFailed {
        found.add(
            "job.incremental_mode",
            "retry_failed fetches samples again, and tars have nothing to fetch: a sample that failed stays as it is",
            "run the download job with retry_failed, then this one with incremental_mode: overwrite",
        );
    }
}

fn not_here_yet(config: &Config, found: &mut Found) {
    let job = &config.job;
    stage(config, found);
    if job.enable_wandb && job.wandb_project.is_empty() {
        found.add("job.wandb_project", "is empty", "name the project");
    }
    if config.reading.sampler.is_some() {
        found.add(
            "reading.sampler",
            "custom samplers are not available",
            "set it to null; ranks share the shards by themselves",
        );
    }
    let distributor = config.distribution.distributor.as_str();
    if !DISTRIBUTORS.contains(&distributor) {
        let message = format!("there is no distributor `{distributor}`");
        let help = "available: `multiprocessing`, `slurm`, `pyspark`";
        one_of("distribution.distributor", distributor, &DISTRIBUTORS, message, help, found);
    }
    if distributor == "slurm" {
        slurm_args::check(config.distribution.distributor_args.as_ref(), found);
    }
    if let Some(contact) = &config.reading.contact {
        let sane = !contact.trim().is_empty() && contact.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if !sane || contact.contains(['(', ')', '\\']) {
            found.add(
                "reading.contact",
                "cannot stand in a `User-Agent` header",
                "give an e-mail address or a page, in ASCII, without brackets",
            );
        }
    }
}

/// Adds `message`, with the nearest of `known` where the word is a slip of the hand.
fn one_of(key: &str, word: &str, known: &[&str], message: String, help: &str, found: &mut Found) {
    match nearest(word, known.iter().copied()).filter(|near| *near != word) {
        Some(near) => found.add(key, format!("unknown word `{word}`"), format!("did you mean `{near}`?")),
        None => found.add(key, message, help),
    }
}

fn times(config: &Config, found: &mut Found) {
    let distribution = &config.distribution;
    if distribution.lease_ttl < 3.0 * distribution.heartbeat {
        found.add_both(
            "distribution.lease_ttl",
            "distribution.heartbeat",
            format!(
                "must be at least three heartbeats ({} s), not {} s: one late heartbeat would cost a rank its shard",
                3.0 * distribution.heartbeat,
                distribution.lease_ttl
            ),
            "raise distribution.lease_ttl or lower distribution.heartbeat",
        );
    }
    let reading = &config.reading;
    if reading.connect_timeout > reading.total_timeout {
        found.add_both(
            "reading.connect_timeout",
            "reading.total_timeout",
            format!("is longer than reading.total_timeout ({} s)", reading.total_timeout),
            "lower it, or raise reading.total_timeout",
        );
    }
}
