use std::sync::Arc;

use rayon::ThreadPool;

use super::{Dis, DisParams, Farneback, FarnebackParams, FlowError, Luma};

/// A method, and its parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FlowParams {
    Farneback(FarnebackParams),
    Dis(DisParams),
}

impl Default for FlowParams {
    fn default() -> Self {
        Self::Farneback(FarnebackParams::default())
    }
}

impl FlowParams {
    /// # Errors
    /// [`FlowError::Parameter`] for the first parameter that is out of range.
    pub fn check(&self) -> Result<(), FlowError> {
        match self {
            Self::Farneback(params) => params.check(),
            Self::Dis(params) => params.check(),
        }
    }
}

/// The flow of a video, by either method.
#[derive(Debug)]
pub enum Flow {
    Farneback(Farneback),
    Dis(Dis),
}

impl Flow {
    /// For frames of one size; on all threads of `pool`, or without one on the caller's.
    ///
    /// # Errors
    /// [`FlowError::Parameter`] and [`FlowError::Size`].
    pub fn new(
        params: &FlowParams,
        width: usize,
        height: usize,
        pool: Option<Arc<ThreadPool>>,
    ) -> Result<Self, FlowError> {
        match params {
            FlowParams::Farneback(params) => Farneback::new(params, width, height, pool).map(Self::Farneback),
            FlowParams::Dis(params) => Dis::new(params, width, height, pool).map(Self::Dis),
        }
    }

    /// The next frame of a video: the flow to it from the frame before, or nothing if it is the first.
    ///
    /// # Errors
    /// [`FlowError::OtherSize`]; the frame is then not counted.
    pub fn push(&mut self, frame: Luma) -> Result<Option<&[f32]>, FlowError> {
        match self {
            Self::Farneback(farneback) => farneback.push(frame),
            Self::Dis(dis) => dis.push(frame),
        }
    }

    /// Forgets the frames that were pushed: the next one begins a video.
    pub fn restart(&mut self) {
        match self {
            Self::Farneback(farneback) => farneback.restart(),
            Self::Dis(dis) => dis.restart(),
        }
    }

    /// The flow from `first` to `second`, into `flow`. Frames that were pushed are forgotten.
    ///
    /// # Errors
    /// [`FlowError::OtherSize`], and [`FlowError::Buffer`] when `flow` has another length than 2 × width × height.
    pub fn pair(&mut self, first: Luma, second: Luma, flow: &mut [f32]) -> Result<(), FlowError> {
        match self {
            Self::Farneback(farneback) => farneback.pair(first, second, None, flow),
            Self::Dis(dis) => dis.pair(first, second, flow),
        }
    }
}
