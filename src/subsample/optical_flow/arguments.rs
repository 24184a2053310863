//! `detector_args`, as video2dataset and OpenCV have them.

use serde_json::Value;

use super::{Detector, dis};
use crate::flow::{FarnebackParams, FlowParams};
use crate::subsample::Problem;

/// Names, in the order of the list.
const NAMES: [&str; 8] =
    ["pyr_scale", "levels", "winsize", "iterations", "poly_n", "poly_sigma", "flags", "downsample_size"];

/// `OPTFLOW_FARNEBACK_GAUSSIAN`.
const GAUSSIAN: u32 = 256;

/// The parameters that `detector_args` gives.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Arguments {
    pub params: FlowParams,
    /// The last of them says how small pictures are made.
    pub downsample_size: Option<u32>,
}

impl Arguments {
    /// From what the detector takes: a mapping, and for Farneback a list, too; null stands for what is left out.
    pub fn read(detector: Detector, value: &Value) -> Result<Self, Problem> {
        let made = match detector {
            Detector::Cv2 | Detector::Farneback => farneback(value)?,
            Detector::Dis => {
                let (params, downsample_size) = dis::read(value)?;
                Self { params: FlowParams::Dis(params), downsample_size }
            }
        };
        made.params.check().map_err(|error| problem("", error.to_string(), "see doc/subsamplers.md".into()))?;
        Ok(made)
    }
}

fn farneback(value: &Value) -> Result<Arguments, Problem> {
    let mut made = Farneback::default();
    match value {
        Value::Null => {}
        Value::Array(list) if list.len() > NAMES.len() => {
            let what = format!("has {} values, and there are {}", list.len(), NAMES.len());
            return Err(problem("", what, format!("give them in this order: {}", NAMES.join(", "))));
        }
        Value::Array(list) => {
            for (name, value) in NAMES.iter().zip(list) {
                made.set(name, value)?;
            }
        }
        Value::Object(map) => {
            for (name, value) in map {
                made.set(name, value)?;
            }
        }
        _ => {
            let help = format!("give {}, as a list in this order or by name", NAMES.join(", "));
            return Err(problem("", "is neither a list nor a mapping".into(), help));
        }
    }
    Ok(Arguments { params: FlowParams::Farneback(made.params), downsample_size: made.downsample_size })
}

#[derive(Default)]
struct Farneback {
    params: FarnebackParams,
    downsample_size: Option<u32>,
}

impl Farneback {
    fn set(&mut self, name: &str, value: &Value) -> Result<(), Problem> {
        if !NAMES.contains(&name) {
            return Err(problem(name, "unknown parameter".into(), format!("there are {}", NAMES.join(", "))));
        }
        if value.is_null() {
            return Ok(());
        }
        let number = || number(name, value);
        let whole = || whole(name, value);
        let params = &mut self.params;
        match name {
            "pyr_scale" => params.pyr_scale = number()?,
            "levels" => params.levels = whole()?,
            "winsize" => params.winsize = whole()?,
            "iterations" => params.iterations = whole()?,
            "poly_n" => params.poly_n = whole()?,
            "poly_sigma" => params.poly_sigma = number()?,
            "flags" => match whole()? {
                0 => params.gaussian = false,
                GAUSSIAN => params.gaussian = true,
                flags => {
                    let what = format!("{flags} is not available");
                    return Err(problem(name, what, "give 0, or 256 for a Gaussian window".into()));
                }
            },
            _ => self.downsample_size = Some(whole()?),
        }
        Ok(())
    }
}

pub fn number(name: &str, value: &Value) -> Result<f64, Problem> {
    value.as_f64().ok_or_else(|| problem(name, "is no number".into(), "give a number".into()))
}

pub fn whole(name: &str, value: &Value) -> Result<u32, Problem> {
    let number = number(name, value)?;
    let fits = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
    let wrong = || problem(name, "is no whole number, or less than 0".into(), "give a whole number".into());
    if fits { Ok(number as u32) } else { Err(wrong()) }
}

pub fn problem(name: &str, message: String, help: String) -> Problem {
    let message = if name.is_empty() { message } else { format!("`{name}`: {message}") };
    Problem::new("args.detector_args", message, help)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Result<Arguments, Problem> {
        Arguments::read(Detector::Cv2, value)
    }

    #[test]
    fn a_list_and_a_mapping_say_the_same() {
        let list = read(&json!([0.8, 1, 21, 2, 7, 1.5, 256, 32])).unwrap();
        let by_name = json!({"pyr_scale": 0.8, "levels": 1, "winsize": 21, "iterations": 2, "poly_n": 7,
                             "poly_sigma": 1.5, "flags": 256, "downsample_size": 32});
        assert_eq!(list, read(&by_name).unwrap());
        let (levels, winsize, iterations, poly_n) = (1, 21, 2, 7);
        let (pyr_scale, poly_sigma, gaussian) = (0.8, 1.5, true);
        let want = FarnebackParams { pyr_scale, levels, winsize, iterations, poly_n, poly_sigma, gaussian };
        assert_eq!((list.params, list.downsample_size), (FlowParams::Farneback(want), Some(32)));
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        for empty in [json!(null), json!([]), json!({}), json!([0.5, null, 15])] {
            assert_eq!(read(&empty).unwrap(), Arguments::default(), "{empty}");
        }
    }

    #[test]
    fn impossible_arguments() {
        for (bad, wants) in [
            (json!([0.5, 3, 15, 3, 5, 1.2, 4]), "`flags`: 4 is not available"),
            (json!({"win_size": 15}), "`win_size`: unknown parameter"),
            (json!({"levels": 1.5}), "`levels`: is no whole number"),
            (json!({"levels": "3"}), "`levels`: is no number"),
            (json!({"poly_n": 6}), "poly_n is out of range: 5 or 7"),
            (json!([1, 2, 3, 4, 5, 6, 7, 8, 9]), "has 9 values"),
            (json!("fast"), "is neither a list nor a mapping"),
        ] {
            let problem = read(&bad).unwrap_err();
            assert!(problem.message.contains(wants), "{bad}: {problem:?}");
            assert_eq!(problem.key, "args.detector_args");
        }
    }

    #[test]
    fn dis_has_parameters_of_its_own() {
        let dis = |value: &Value| Arguments::read(Detector::Dis, value);
        let fast = FlowParams::Dis(crate::flow::Preset::Fast.params());
        assert_eq!(dis(&json!(null)).unwrap().params, fast);
        let problem = dis(&json!({"patch_stride": 9})).unwrap_err();
        assert_eq!(problem.message, "optical flow: patch_stride is out of range: 1 to patch_size");
        assert!(dis(&json!({"winsize": 15})).is_err());
    }
}
