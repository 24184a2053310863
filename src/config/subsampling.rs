//! Which subsamplers a config may ask for.

use serde_json::Value as Json;

use super::Config;
use super::tree::nearest;
use super::validate::Found;

/// Every name that video2dataset's configs may use.
const KNOWN: [&str; 10] = [
    "NoOpSubsampler",
    "FFProbeSubsampler",
    "CutDetectionSubsampler",
    "ClippingSubsampler",
    "ResolutionSubsampler",
    "FrameSubsampler",
    "AudioRateSubsampler",
    "OpticalFlowSubsampler",
    "WhisperSubsampler",
    "CaptionSubsampler",
];

/// Those that this version has.
const AVAILABLE: [&str; 1] = ["NoOpSubsampler"];

pub(super) fn check(config: &Config, found: &mut Found) {
    for (name, settings) in &config.subsampling {
        let key = format!("subsampling.{name}");
        if !KNOWN.contains(&name.as_str()) {
            let near = nearest(stem(name), KNOWN.into_iter().map(stem));
            let help = near.and_then(|near| KNOWN.into_iter().find(|known| stem(known) == near)).map_or_else(
                || format!("available: {}", AVAILABLE.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            found.add(&key, "unknown subsampler", help);
        } else if !AVAILABLE.contains(&name.as_str()) && !is_off(settings) {
            found.add(
                &key,
                "not available in this version; only whole videos, as fetched, can be stored",
                "remove it to store videos as fetched, or set its `args` to null to keep the entry",
            );
        }
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
