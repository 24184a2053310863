//! Every subsampler: its name in configs, and its file.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Needs, Problem, Subsampler};
use crate::sample::Column;

/// One row per subsampler, in the order in which they take their turns at a sample.
macro_rules! registry {
    ($($name:literal => $module:ident,)*) => {
        /// The names of all subsamplers, in the order of their turns.
        pub const NAMES: &[&str] = &[$($name),*];

        /// What is wrong with these settings; empty when they can be used.
        pub fn problems(name: &str, settings: &Value) -> Vec<Problem> {
            match name {
                $($name => parse::<super::$module::Settings>(settings).map_or_else(|problems| problems, |s| s.problems()),)*
                _ => vec![unknown(name)],
            }
        }

        /// Adds what the subsampler of this name and these settings, which were found good, needs.
        pub fn needs(name: &str, settings: &Value, needs: &mut Needs) {
            match name {
                $($name => if let Ok(settings) = parse::<super::$module::Settings>(settings) { settings.needs(needs) },)*
                _ => {}
            }
        }

        /// The JSON fields that it makes.
        pub fn fields(name: &str, settings: &Value) -> Vec<Column> {
            match name {
                $($name => parse::<super::$module::Settings>(settings).map(|s| s.fields()).unwrap_or_default(),)*
                _ => Vec::new(),
            }
        }

        /// The JSON Schema of its settings.
        pub fn schema(name: &str) -> Value {
            match name {
                $($name => schema_of::<super::$module::Settings>(),)*
                _ => Value::Null,
            }
        }

        /// The subsampler itself, for the worker.
        ///
        /// # Errors
        /// What is wrong with the settings.
        #[cfg(feature = "media")]
        pub fn make(name: &str, settings: &Value) -> Result<Box<dyn Subsampler>, Vec<Problem>> {
            match name {
                $($name => Ok(Box::new(parse::<super::$module::Settings>(settings)?)),)*
                _ => Err(vec![unknown(name)]),
            }
        }
    };
}

registry! {
    "NoOpSubsampler" => noop,
    "FFProbeSubsampler" => ffprobe,
    "CutDetectionSubsampler" => cut_detection,
    "MotionSubsampler" => motion,
    "BlackStaticSubsampler" => black_static,
    "ClippingSubsampler" => clipping,
    "ResolutionSubsampler" => resolution,
    "FrameSubsampler" => frame,
    "OpticalFlowSubsampler" => optical_flow,
    "AudioRateSubsampler" => audio_rate,
    "FilterSubsampler" => filter,
}

/// Keys beside `args`, each true or false.
pub fn extras(name: &str) -> &'static [&'static str] {
    match name {
        "CutDetectionSubsampler" => &["cuts_are_clips"],
        _ => &[],
    }
}

fn unknown(name: &str) -> Problem {
    Problem::new("", format!("no subsampler is called {name}"), format!("available: {}", NAMES.join(", ")))
}

fn schema_of<S: JsonSchema>() -> Value {
    schemars::schema_for!(S).to_value()
}

/// Settings from the `args` of a config, each problem at its key.
fn parse<S: DeserializeOwned + JsonSchema>(args: &Value) -> Result<S, Vec<Problem>> {
    let empty = Map::new();
    let map = match args {
        Value::Object(map) => map,
        Value::Null => &empty,
        _ => {
            return Err(vec![Problem::new(
                "args",
                "is no mapping",
                "write `args: {…}`, or `args: null` to turn it off",
            )]);
        }
    };
    let schema = schema_of::<S>();
    let known: Vec<&str> =
        schema["properties"].as_object().into_iter().flat_map(|map| map.keys().map(String::as_str)).collect();
    let problems: Vec<Problem> = map.iter().filter_map(|(key, value)| wrong::<S>(key, value, &known)).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    serde_json::from_value(Value::Object(map.clone()))
        .map_err(|error| vec![Problem::new("args", error.to_string(), "see doc/subsamplers.md")])
}

/// What is wrong with one setting: all others have defaults, so each can be looked at alone.
fn wrong<S: DeserializeOwned>(key: &str, value: &Value, known: &[&str]) -> Option<Problem> {
    let path = format!("args.{key}");
    if !known.contains(&key) {
        let near = known.iter().min_by_key(|name| strsim::damerau_levenshtein(name, key));
        let near = near.filter(|name| strsim::damerau_levenshtein(name, key) <= 3);
        let help = match (near, known.is_empty()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, true) => "it has no settings".into(),
            (None, false) => format!("it has {}", known.join(", ")),
        };
        return Some(Problem::new(path, "unknown setting", help));
    }
    let alone = Value::Object(Map::from_iter([(key.to_owned(), value.clone())]));
    let error = serde_json::from_value::<S>(alone).err()?;
    Some(Problem::new(path, error.to_string(), "see doc/subsamplers.md"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn problems_stand_at_their_keys() {
        let found = problems("FFProbeSubsampler", &json!({"extract_keyframe": true}));
        assert_eq!(
            found,
            [Problem::new("args.extract_keyframe", "unknown setting", "did you mean `extract_keyframes`?")]
        );
        let found = problems("FFProbeSubsampler", &json!({"extract_keyframes": "yes"}));
        assert_eq!(found[0].key, "args.extract_keyframes");
        assert!(found[0].message.contains("expected a boolean"), "{found:?}");
        assert!(problems("FFProbeSubsampler", &json!({"extract_keyframes": true})).is_empty());
        assert!(!problems("FFProbeSubsampler", &json!([1])).is_empty());
    }
}
