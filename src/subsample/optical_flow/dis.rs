//! `detector_args` of `detector: dis`: a preset, and OpenCV's parameters by name.

use serde_json::Value;

use super::arguments::{number, problem, whole};
use crate::flow::{DisParams, Preset};
use crate::subsample::Problem;

/// What may be given, besides the size of pictures.
const NAMES: [&str; 12] = [
    "preset",
    "finest_scale",
    "patch_size",
    "patch_stride",
    "gradient_descent_iterations",
    "use_mean_normalization",
    "use_spatial_propagation",
    "variational_refinement_iterations",
    "variational_refinement_alpha",
    "variational_refinement_delta",
    "variational_refinement_gamma",
    "variational_refinement_epsilon",
];

/// The parameters of a mapping, and its `downsample_size`.
pub fn read(value: &Value) -> Result<(DisParams, Option<u32>), Problem> {
    let mut params = DisParams::default();
    let mut size = None;
    let map = match value {
        Value::Null => return Ok((params, size)),
        Value::Object(map) => map,
        _ => {
            let help = format!("give parameters of dis by name: {}", NAMES.join(", "));
            return Err(problem("", "is no mapping".into(), help));
        }
    };
    // What is given by name counts before the preset, wherever that stands.
    if let Some(value) = map.get("preset").filter(|value| !value.is_null()) {
        let preset = value.as_str().and_then(Preset::named).ok_or_else(|| {
            let names = Preset::ALL.map(Preset::name).join(", ");
            problem("preset", "is no preset".into(), format!("give one of {names}"))
        })?;
        params = preset.params();
    }
    for (name, value) in map.iter().filter(|(name, value)| *name != "preset" && !value.is_null()) {
        match name.as_str() {
            "downsample_size" => size = Some(whole(name, value)?),
            _ => set(&mut params, name, value)?,
        }
    }
    Ok((params, size))
}

fn set(params: &mut DisParams, name: &str, value: &Value) -> Result<(), Problem> {
    match name {
        "finest_scale" => params.finest_scale = whole(name, value)?,
        "patch_size" => params.patch_size = whole(name, value)?,
        "patch_stride" => params.patch_stride = whole(name, value)?,
        "gradient_descent_iterations" => params.gradient_descent_iterations = whole(name, value)?,
        "use_mean_normalization" => params.use_mean_normalization = truth(name, value)?,
        "use_spatial_propagation" => params.use_spatial_propagation = truth(name, value)?,
        "variational_refinement_iterations" => params.variational_refinement_iterations = whole(name, value)?,
        "variational_refinement_alpha" => params.variational_refinement_alpha = number(name, value)?,
        "variational_refinement_delta" => params.variational_refinement_delta = number(name, value)?,
        "variational_refinement_gamma" => params.variational_refinement_gamma = number(name, value)?,
        "variational_refinement_epsilon" => params.variational_refinement_epsilon = number(name, value)?,
        _ => {
            let help = format!("with detector dis there are {}, downsample_size", NAMES.join(", "));
            return Err(problem(name, "unknown parameter".into(), help));
        }
    }
    Ok(())
}

fn truth(name: &str, value: &Value) -> Result<bool, Problem> {
    value.as_bool().ok_or_else(|| problem(name, "is neither true nor false".into(), "give true or false".into()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_count_before_the_preset() {
        let (params, size) =
            read(&json!({"finest_scale": 0, "preset": "medium", "downsample_size": 24, "patch_size": null})).unwrap();
        assert_eq!(params, DisParams { finest_scale: 0, ..Preset::Medium.params() });
        assert_eq!(size, Some(24));
    }

    #[test]
    fn each_name_sets_its_parameter() {
        let all = json!({
            "finest_scale": 3, "patch_size": 12, "patch_stride": 5, "gradient_descent_iterations": 7,
            "use_mean_normalization": false, "use_spatial_propagation": false, "variational_refinement_iterations": 2,
            "variational_refinement_alpha": 1.5, "variational_refinement_delta": 2.5,
            "variational_refinement_gamma": 3.5, "variational_refinement_epsilon": 0.02,
        });
        let want = DisParams {
            finest_scale: 3,
            patch_size: 12,
            patch_stride: 5,
            gradient_descent_iterations: 7,
            use_mean_normalization: false,
            use_spatial_propagation: false,
            variational_refinement_iterations: 2,
            variational_refinement_alpha: 1.5,
            variational_refinement_delta: 2.5,
            variational_refinement_gamma: 3.5,
            variational_refinement_epsilon: 0.02,
        };
        assert_eq!(read(&all).unwrap().0, want);
    }

    #[test]
    fn impossible_arguments() {
        for (bad, wants) in [
            (json!([0.5, 3]), "is no mapping"),
            (json!("fast"), "is no mapping"),
            (json!({"preset": "slow"}), "`preset`: is no preset"),
            (json!({"preset": 1}), "`preset`: is no preset"),
            (json!({"winsize": 15}), "`winsize`: unknown parameter"),
            (json!({"patch_size": 8.5}), "`patch_size`: is no whole number"),
            (json!({"patch_size": -8}), "`patch_size`: is no whole number"),
            (json!({"variational_refinement_alpha": "20"}), "`variational_refinement_alpha`: is no number"),
            (json!({"use_mean_normalization": 1}), "`use_mean_normalization`: is neither true nor false"),
        ] {
            let problem = read(&bad).unwrap_err();
            assert!(problem.message.contains(wants), "{bad}: {problem:?}");
            assert_eq!(problem.key, "args.detector_args");
        }
    }
}
