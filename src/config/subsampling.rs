//! What a config asks of the subsamplers.

use serde_json::Value as Json;

use super::Config;
use super::tree::nearest;
use super::validate::Found;
use crate::subsample::registry;

/// Names of video2dataset's configs that this version lacks.
const LACKING: [&str; 3] = ["OpticalFlowSubsampler", "WhisperSubsampler", "CaptionSubsampler"];

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
