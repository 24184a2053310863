//! What a config asks of the subsamplers.

use serde_json::Value as Json;

use super::tree::nearest;
use super::validate::Found;
use super::{Config, InputFormat, OutputFormat, subtitles};
use crate::sample::RESERVED_FIELDS;
use crate::subsample::filter::Settings as FilterSettings;
use crate::subsample::{Recipe, Step, optical_flow, registry};

/// Names of video2dataset's configs that this version lacks.
const LACKING: [&str; 2] = ["WhisperSubsampler", "CaptionSubsampler"];

impl Config {
    /// Whether optical flow is asked for.
    pub(super) fn computes_flow(&self) -> bool {
        Recipe::steps(&self.subsampling).iter().any(|step| step.name == optical_flow::old::NAME)
    }
}

pub(super) fn check(config: &Config, found: &mut Found) {
    for (name, settings) in &config.subsampling {
        let key = format!("subsampling.{name}");
        if registry::NAMES.contains(&name.as_str()) {
            one(name, settings, found);
        } else if LACKING.contains(&name.as_str()) {
            if !is_off(settings) {
                let help = "remove it, or set its `args` to null to keep the entry";
                found.add(&key, "not available in this version", help);
            }
        } else {
            let known = || registry::NAMES.iter().copied().chain(LACKING);
            let near = nearest(stem(name), known().map(stem));
            let help = near.and_then(|near| known().find(|known| stem(known) == near)).map_or_else(
                || format!("available: {}", registry::NAMES.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            found.add(&key, "unknown subsampler", help);
        }
    }
    let steps = Recipe::steps(&config.subsampling);
    columns(config, &steps, found);
    filter(config, &steps, found);
    flow(config, &steps, found);
}

/// Whether flow is stored, and what its member is called, are said in two places, which must not contradict each other.
fn flow(config: &Config, steps: &[Step], found: &mut Found) {
    let key = "job.encode_formats.optical_flow";
    let extension = config.job.encode_formats.get("optical_flow").map(String::as_str);
    if extension.is_some_and(|extension| !optical_flow::EXTENSIONS.contains(&extension)) {
        found.add(key, "optical flow is stored as `npy` or `h5`", "write `optical_flow: npy`");
    }
    if extension == Some(optical_flow::H5) && config.job.output_format == OutputFormat::Hdf5 {
        let help = "write `optical_flow: npy`: in an HDF5 shard it becomes a compressed dataset by itself";
        found.add_both(key, "job.output_format", "would be an HDF5 file within an HDF5 file", help);
    }
    let Some(step) = steps.iter().find(|step| step.name == optical_flow::old::NAME) else {
        if extension.is_some() {
            let help = "add `OpticalFlowSubsampler: {args: {}}` to subsampling, or remove it";
            found.add(key, "nothing computes the optical flow", help);
        }
        return;
    };
    let stores = step.args.get("store").and_then(Json::as_str) != Some("none");
    if stores && extension.is_none() {
        let help =
            "add `optical_flow: npy` to it, or keep the statistics alone: `store: none` in OpticalFlowSubsampler";
        found.add("job.encode_formats", "names no member for the optical flow", help);
    } else if !stores && extension.is_some() {
        let help = "remove it, or leave `optical_flow` out of job.encode_formats";
        let store = format!("subsampling.{}.args.store", optical_flow::old::NAME);
        found.add_both(&store, key, "`none` and a member for the optical flow contradict each other", help);
    }
    for problem in config.reading.dataloader_args.iter().flat_map(optical_flow::old::problems) {
        found.add(&format!("reading.{}", problem.key), problem.message, problem.help);
    }
}

/// A column and a subsampler cannot both make a field.
fn columns(config: &Config, steps: &[Step], found: &mut Found) {
    for (n, column) in config.job.save_additional_columns.iter().enumerate() {
        let makes = |step: &&Step| registry::fields(&step.name, &step.args).iter().any(|field| field.name == *column);
        if let Some(step) = steps.iter().find(makes) {
            let message = format!("`{column}` is a field that {} makes", step.name);
            let help = "rename the column in the table, or leave it out";
            found.add(&format!("job.save_additional_columns.{n}"), message, help);
        } else if subtitles::fields(config).contains(&column.as_str()) {
            let help = "rename the column in the table, or leave it out";
            found.add(
                &format!("job.save_additional_columns.{n}"),
                format!("`{column}` is a field that clips have"),
                help,
            );
        }
    }
}

/// A filter by a field that no sample has keeps none; a slip of the pen is found here and not in an empty dataset.
fn filter(config: &Config, steps: &[Step], found: &mut Found) {
    let filter = steps.iter().find(|step| step.name == "FilterSubsampler");
    let settings = filter.and_then(|step| serde_json::from_value::<FilterSettings>(step.args.clone()).ok());
    // Samples of other inputs may have any field.
    let Some(settings) = settings.filter(|_| config.job.input_format != InputFormat::Webdataset) else { return };
    let (late, steps): (Vec<&Step>, Vec<&Step>) = steps.iter().partition(|step| step.name == optical_flow::old::NAME);
    let fields = |step: &&Step| registry::fields(&step.name, &step.args);
    let late: Vec<String> = late.iter().flat_map(fields).map(|column| column.name).collect();
    let made = steps.iter().flat_map(fields).map(|column| column.name);
    let columns = config.job.save_additional_columns.iter().cloned();
    let mut known: Vec<String> = made.chain(columns).chain(RESERVED_FIELDS.map(str::to_owned)).collect();
    known.extend(subtitles::fields(config).iter().map(|name| (*name).to_owned()));
    let is_cut = config.job.clip_col.is_some() || config.cuts_are_clips() || config.storage.captions_are_subtitles;
    if is_cut || known.iter().any(|name| name == "video_metadata") {
        known.push("duration".to_owned());
    }
    // Looking at what comes too late is a mistake of its own.
    known.push("clip".to_owned());
    for field in settings.looks_at().into_iter().filter(|field| !known.iter().any(|name| name == field)) {
        let help = match (field, nearest(field, known.iter().map(String::as_str))) {
            ("duration", _) => "add `FFProbeSubsampler: {args: {}}`, which finds it out".to_owned(),
            (field, _) if late.iter().any(|late| late == field) => {
                "it is made after the filter's turn: filter by it in a job over this one's shards".to_owned()
            }
            ("motion" | "motion_max", _) => "add `MotionSubsampler: {args: {}}`, which makes it".to_owned(),
            (_, Some(near)) => format!("did you mean `{near}`?"),
            (_, None) => format!("there are {}; `job.save_additional_columns` adds columns", known.join(", ")),
        };
        found.add("subsampling.FilterSubsampler.args.expression", format!("no sample has a field `{field}`"), help);
    }
}

fn one(name: &str, settings: &Json, found: &mut Found) {
    let key = format!("subsampling.{name}");
    let Json::Object(map) = settings else {
        if !settings.is_null() {
            found.add(&key, "is no mapping", "write its settings below `args:`, or null to turn it off");
        }
        return;
    };
    for (extra, value) in map.iter().filter(|(extra, _)| *extra != "args") {
        if !registry::extras(name).contains(&extra.as_str()) {
            found.add(&format!("{key}.{extra}"), "unknown key", "settings of a subsampler stand below its `args`");
        } else if !value.is_boolean() && !value.is_null() {
            found.add(&format!("{key}.{extra}"), "is neither true nor false", "write `true` or `false`");
        }
    }
    let Some(args) = map.get("args").filter(|args| !args.is_null()) else { return };
    if cfg!(not(feature = "media")) && name != "NoOpSubsampler" {
        found.add(&key, "this build has no media rooms", "build with the feature `media`");
    }
    for problem in registry::problems(name, args) {
        let at = [key.as_str(), &problem.key].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".");
        found.add(&at, problem.message, problem.help);
    }
}

/// The part of the name that tells them apart.
fn stem(name: &str) -> &str {
    name.strip_suffix("Subsampler").unwrap_or(name)
}

/// video2dataset makes a subsampler only when it has `args`; any further setting would still ask for something.
fn is_off(settings: &Json) -> bool {
    match settings {
        Json::Null => true,
        Json::Object(map) => map.values().all(Json::is_null),
        _ => false,
    }
}
