//! Dense optical flow between pictures of a video, as a member `npy` and as JSON fields.
//!
//! ```text
//! mod        the settings, and what they ask for (FlowPlan)
//! arguments  `detector_args`: OpenCV's parameters, as a list or by name; dis: those of that detector
//! old        what configs of video2dataset say elsewhere
//! ticks      which frames are looked at
//! gray       small pictures to upright grey ones
//! engine     what computes flows, on the CPU or a GPU
//! npy        the numbers of the member, and the header of an array
//! member     the member: an array, or an HDF5 file
//! motion     the statistics
//! lane       all of it together, for one output
//! ```

mod arguments;
mod dis;
#[cfg(feature = "media")]
mod engine;
#[cfg(feature = "media")]
mod gray;
#[cfg(feature = "media")]
mod lane;
#[cfg(feature = "media")]
mod member;
#[cfg(feature = "media")]
mod motion;
#[cfg(feature = "media")]
mod npy;
pub mod old;
#[cfg(feature = "media")]
mod ticks;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::edit::{Edit, Picture};
use super::{Needs, Problem, Subsampler};
use crate::flow::FlowParams;
use crate::sample::{Column, ColumnKind, Failure};

#[cfg(feature = "media")]
pub use lane::Lane;
#[cfg(feature = "media")]
pub use ticks::Ticks;

use arguments::Arguments;

/// The extensions that the member may have.
pub const EXTENSIONS: [&str; 2] = ["npy", H5];

/// The one of an HDF5 file.
pub const H5: &str = "h5";

/// Pictures a second that can be asked for.
const RATES: std::ops::RangeInclusive<f64> = 0.01..=1000.0;

/// Pixels of the shorter side that can be asked for.
const SIZES: std::ops::RangeInclusive<u64> = 2..=4096;

/// Pixels of the shorter side, where nothing says so.
const SIDE: u32 = 16;

/// Settings of `OpticalFlowSubsampler`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `farneback`, or `cv2` for the same: Farneback's method with OpenCV's numbers; or `dis`, Dense Inverse Search.
    pub detector: Detector,
    /// OpenCV's parameters. Of `dis`, see below. Of Farneback's method, as a list in this order or by these names: `pyr_scale` 0.5, `levels` 3, `winsize` 15, `iterations` 3, `poly_n` 5, `poly_sigma` 1.2, `flags` 0 (256: Gaussian window), `downsample_size`. What is left out has the value given here.
    pub detector_args: Option<Value>,
    /// Pictures a second that are looked at.
    pub fps: f64,
    /// Pixels of the shorter side that pictures are made small to; null: `downsample_size`, or 16.
    pub resize_size: Option<u32>,
    /// Another name for `resize_size`.
    pub downsample_size: Option<u32>,
    /// Of the numbers in the member: 2 bytes each, 4, or 1 and a scale for each flow.
    pub dtype: Dtype,
    /// How colours become grey: `bt601`, the stream's own luma; or `video2dataset`, with red and blue mixed up as it had them.
    pub gray: Gray,
    /// `npy` makes the member that `encode_formats` names, also where that is `h5`; `none` keeps the statistics alone.
    pub store: Store,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Detector {
    Cv2,
    Farneback,
    Dis,
}

impl Detector {
    /// One name for one method.
    pub fn name(self) -> &'static str {
        match self {
            Detector::Cv2 | Detector::Farneback => "farneback",
            Detector::Dis => "dis",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dtype {
    /// IEEE half precision, rounded to the nearest; what lies beyond it becomes its largest number.
    Fp16,
    /// IEEE single precision.
    Fp32,
    /// Steps of a 127th of the flow's largest number. Off by half a step at most.
    Int8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gray {
    Bt601,
    Video2dataset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Store {
    Npy,
    None,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            detector: Detector::Cv2,
            detector_args: None,
            fps: 2.0,
            resize_size: None,
            downsample_size: None,
            dtype: Dtype::Fp16,
            gray: Gray::Bt601,
            store: Store::Npy,
        }
    }
}

/// What a worker has to know to compute flows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlowPlan {
    /// Pictures a second.
    pub fps: f64,
    /// Pixels of the small pictures' shorter side.
    pub side: u32,
    pub dtype: Dtype,
    pub gray: Gray,
    pub params: FlowParams,
    pub detector: Detector,
    /// Flows are written down, too.
    pub stores: bool,
    /// As a file of HDF5, and not as a bare array.
    pub h5: bool,
}

impl FlowPlan {
    /// Whether the whole way from a decoder's pictures to flows can be gone on a GPU.
    #[cfg(feature = "media")]
    fn has_gpu_kernels(&self) -> bool {
        self.gray == Gray::Bt601 && matches!(self.params, FlowParams::Farneback(_))
    }
}

impl Settings {
    fn arguments(&self) -> Result<Arguments, Problem> {
        Arguments::read(self.detector, self.detector_args.as_ref().unwrap_or(&Value::Null))
    }

    fn side(&self, arguments: &Arguments) -> u32 {
        self.resize_size.or(self.downsample_size).or(arguments.downsample_size).unwrap_or(SIDE)
    }

    /// What is to be done; the settings were found good.
    fn plan(&self) -> FlowPlan {
        let arguments = self.arguments().unwrap_or_default();
        FlowPlan {
            fps: self.fps,
            side: self.side(&arguments),
            dtype: self.dtype,
            gray: self.gray,
            params: arguments.params,
            detector: self.detector,
            stores: self.store == Store::Npy,
            // What `encode_formats` says is put in where outputs begin.
            h5: false,
        }
    }
}

impl Subsampler for Settings {
    fn needs(&self, needs: &mut Needs) {
        needs.flow = true;
    }

    fn fields(&self) -> Vec<Column> {
        use ColumnKind::{Float, Integer, Json, String};
        let fields = [
            ("mean_optical_flow_magnitude", Float),
            ("max_optical_flow_magnitude", Float),
            ("mean_optical_flow_magnitude_per_frame", Json),
            ("optical_flow_magnitude_percentiles", Json),
            ("optical_flow_times", Json),
            ("optical_flow_fps", Float),
            ("optical_flow_downsample_size", Integer),
            ("optical_flow_dtype", String),
        ];
        let scales = (self.dtype == Dtype::Int8).then_some(("optical_flow_scales", Json));
        let fields = fields.into_iter().chain(scales);
        fields.map(|(name, kind)| Column { name: name.into(), kind }).collect()
    }

    fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        if !RATES.contains(&self.fps) {
            found.push(Problem::new("args.fps", "is no rate to look at pictures", "give 0.01 to 1000 a second"));
        }
        if self.resize_size.is_some() && self.downsample_size.is_some_and(|size| self.resize_size != Some(size)) {
            let what = "differs from `resize_size`, and both mean the same";
            found.push(Problem::new("args.downsample_size", what, "give one of them"));
        }
        match self.arguments() {
            Err(problem) => found.push(problem),
            Ok(arguments) if !SIZES.contains(&self.side(&arguments).into()) => {
                let key = match (self.resize_size, self.downsample_size) {
                    (Some(_), _) => "args.resize_size",
                    (None, Some(_)) => "args.downsample_size",
                    (None, None) => "args.detector_args",
                };
                found.push(Problem::new(key, "is no size to make pictures small to", "give 2 to 4096 pixels"));
            }
            Ok(_) => {}
        }
        found
    }

    fn edit(&self, _: Picture, edit: &mut Edit) -> Result<(), Failure> {
        edit.flow = Some(self.plan());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(args: Value) -> Settings {
        serde_json::from_value(args).unwrap()
    }

    #[test]
    fn sizes_stand_in_three_places() {
        let side = |args: Value| settings(args).plan().side;
        assert_eq!(side(json!({})), 16);
        assert_eq!(side(json!({"detector_args": {"downsample_size": 24}})), 24);
        assert_eq!(side(json!({"downsample_size": 32, "detector_args": {"downsample_size": 24}})), 32);
        assert_eq!(side(json!({"resize_size": 40, "downsample_size": 40})), 40);
    }

    #[test]
    fn impossible_settings() {
        let keys = |args: Value| settings(args).problems().into_iter().map(|p| p.key).collect::<Vec<_>>();
        assert!(keys(json!({"detector": "farneback", "dtype": "fp32", "store": "none"})).is_empty());
        assert_eq!(keys(json!({"fps": 0})), ["args.fps"]);
        assert_eq!(keys(json!({"resize_size": 1})), ["args.resize_size"]);
        assert_eq!(keys(json!({"downsample_size": 5000})), ["args.downsample_size"]);
        assert_eq!(keys(json!({"resize_size": 16, "downsample_size": 17})), ["args.downsample_size"]);
        assert_eq!(keys(json!({"detector_args": [0.5, 3, 15, 3, 5, 1.2, 0, 1]})), ["args.detector_args"]);
        assert!(keys(json!({"detector": "dis", "detector_args": {"preset": "ultrafast"}})).is_empty());
        assert_eq!(keys(json!({"detector": "dis", "detector_args": [0.5, 3]})), ["args.detector_args"]);
        assert_eq!(keys(json!({"detector": "cv2", "detector_args": {"preset": "fast"}})), ["args.detector_args"]);
    }
}
