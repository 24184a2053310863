//! What video2dataset's configs say of optical flow in `reading.dataloader_args`.

use serde_json::Value;

use super::{RATES, SIZES};
use crate::subsample::{Problem, Step};

/// The subsampler's name.
pub const NAME: &str = "OpticalFlowSubsampler";

/// Whether the settings ask for a flow that GPUs have kernels for.
pub fn has_gpu_kernels(args: &Value) -> bool {
    args.get("detector").and_then(Value::as_str) != Some("dis")
}

/// Gives the step `fps` and `resize_size` of the old place, where its own `args` do not name them.
pub fn adopt(steps: &mut [Step], dataloader: Option<&Value>) {
    let Some(dataloader) = dataloader else { return };
    for step in steps.iter_mut().filter(|step| step.name == NAME) {
        let Value::Object(args) = &mut step.args else { continue };
        let size = if args.contains_key("downsample_size") { None } else { dataloader.get("resize_size") };
        for (key, value) in [("fps", fps(dataloader)), ("resize_size", size)] {
            if let Some(value) = value.filter(|value| !value.is_null()) {
                args.entry(key).or_insert_with(|| value.clone());
            }
        }
    }
}

/// What of the old place cannot be done, by keys below `reading.`.
pub fn problems(dataloader: &Value) -> Vec<Problem> {
    let mut found = Vec::new();
    let is_rate = |fps: &Value| fps.as_f64().is_some_and(|fps| RATES.contains(&fps));
    if fps(dataloader).is_some_and(|fps| !fps.is_null() && !is_rate(fps)) {
        let help = "give one number: 0.01 to 1000 a second";
        found.push(Problem::new("dataloader_args.decoder_kwargs.fps", "is no rate to look at pictures", help));
    }
    let is_size = |size: &Value| size.as_u64().is_some_and(|size| SIZES.contains(&size));
    if dataloader.get("resize_size").is_some_and(|size| !size.is_null() && !is_size(size)) {
        let help = "give 2 to 4096 pixels, for the shorter side";
        found.push(Problem::new("dataloader_args.resize_size", "is no size to make pictures small to", help));
    }
    let asks = |value: Option<&Value>| value.is_some_and(|value| !value.is_null() && *value != Value::Bool(false));
    let decoder = dataloader.get("decoder_kwargs");
    for key in ["n_frames", "uniformly_sample", "pad_frames"] {
        if asks(decoder.and_then(|decoder| decoder.get(key))) {
            let help = "set it to null: the flow is that of the whole video";
            found.push(Problem::new(format!("dataloader_args.decoder_kwargs.{key}"), "is not available", help));
        }
    }
    for key in ["crop_size", "random_crop"] {
        if asks(dataloader.get(key)) {
            let help = "set it to null: the flow is that of the whole picture";
            found.push(Problem::new(format!("dataloader_args.{key}"), "is not available", help));
        }
    }
    found
}

fn fps(dataloader: &Value) -> Option<&Value> {
    dataloader.get("decoder_kwargs")?.get("fps")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn adopted(args: Value, dataloader: &Value) -> Value {
        let mut steps = [Step { name: NAME.into(), args }];
        adopt(&mut steps, Some(dataloader));
        let [step] = steps;
        step.args
    }

    #[test]
    fn the_old_place_counts_where_the_new_one_is_silent() {
        let old = json!({"resize_size": 20, "decoder_kwargs": {"fps": 4, "num_threads": 8, "n_frames": null}});
        assert_eq!(adopted(json!({}), &old), json!({"fps": 4, "resize_size": 20}));
        assert_eq!(adopted(json!({"fps": 1, "downsample_size": 8}), &old), json!({"fps": 1, "downsample_size": 8}));
        assert_eq!(adopted(json!({}), &json!({"resize_size": null})), json!({}));
        assert!(problems(&old).is_empty());
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        let old = json!({"resize_size": -1, "crop_size": 8, "random_crop": false,
                         "decoder_kwargs": {"fps": "sample", "n_frames": 8, "uniformly_sample": true}});
        let keys: Vec<String> = problems(&old).into_iter().map(|problem| problem.key).collect();
        let decoder =
            ["fps", "n_frames", "uniformly_sample"].map(|key| format!("dataloader_args.decoder_kwargs.{key}"));
        assert_eq!(keys.iter().filter(|key| decoder.contains(key)).count(), 3, "{keys:?}");
        assert_eq!(keys.len(), 5, "{keys:?}");
    }
}
