use std::sync::Arc;

use rayon::ThreadPool;

use super::enlarge::Enlarge;
use super::search::Rules;
use super::{DisParams, Level};
use crate::flow::farneback::install;
use crate::flow::{FlowError, Luma, luma};

/// Dense flow by inverse search of patches, with the parameters of OpenCV's `DISOpticalFlow`; not its numbers.
///
/// For frames of one size, of any. Memory is taken once, not for each pair: about 130 bytes for each pixel of the finest
/// level, or 50 without refinement, and 8 for each pixel of a frame where frames are pushed.
///
/// A flow is dx and dy of each pixel of the first frame, in pixels, `f32`, row after row; never NaN or infinite. A surface
/// without structure has the flow of what is around it, and without anything around it none. Frames that are smaller than
/// a patch are one patch of their shorter side; so a single pixel does not move.
#[derive(Debug)]
pub struct Dis {
    width: usize,
    height: usize,
    rules: Rules,
    /// The finest first.
    levels: Vec<Level>,
    enlarge: Enlarge,
    pool: Option<Arc<ThreadPool>>,
    /// Where the last pushed frame is.
    last: Option<usize>,
    flow: Vec<f32>,
}

impl Dis {
    /// Works on all threads of `pool`, or without one on the caller's.
    ///
    /// # Errors
    /// [`FlowError::Parameter`] and [`FlowError::Size`].
    pub fn new(
        params: &DisParams,
        width: usize,
        height: usize,
        pool: Option<Arc<ThreadPool>>,
    ) -> Result<Self, FlowError> {
        params.check()?;
        if !(1..=luma::MAX_SIDE).contains(&width) || !(1..=luma::MAX_SIDE).contains(&height) {
            return Err(FlowError::Size);
        }
        let threads = pool.as_ref().map_or(1, |pool| pool.current_num_threads());
        let rules = Rules {
            steps: params.gradient_descent_iterations,
            is_without_mean: params.use_mean_normalization,
            asks_neighbours: params.use_spatial_propagation,
        };
        let (finest, coarsest) = scales(params, width, height);
        let size = |scale: u32| ((width >> scale).max(1), (height >> scale).max(1));
        let mut source = (width, height);
        let mut levels = Vec::new();
        for scale in finest..=coarsest {
            levels.push(Level::new(params, source, size(scale), threads));
            source = size(scale);
        }
        let enlarge = Enlarge::new(size(finest), (width, height), threads);
        Ok(Self { width, height, rules, levels, enlarge, pool, last: None, flow: Vec::new() })
    }

    /// The next frame of a video: the flow to it from the frame before, or nothing if it is the first.
    ///
    /// # Errors
    /// [`FlowError::OtherSize`]; the frame is then not counted.
    pub fn push(&mut self, frame: Luma) -> Result<Option<&[f32]>, FlowError> {
        self.check(&frame)?;
        let before = self.last;
        let slot = before.map_or(0, |before| 1 - before);
        self.last = Some(slot);
        self.flow.resize(self.width * self.height * 2, 0.0);
        let Self { rules, levels, enlarge, pool, flow, .. } = self;
        install(pool.as_deref(), || {
            take(levels, &frame, slot);
            if let Some(before) = before {
                solve(*rules, levels, before, enlarge, flow);
            }
        });
        Ok(before.map(|_| &*self.flow))
    }

    /// Forgets the frames that were pushed: the next one begins a video.
    pub fn restart(&mut self) {
        self.last = None;
    }

    /// The flow from `first` to `second`, into `flow`. Frames that were pushed are forgotten.
    ///
    /// # Errors
    /// [`FlowError::OtherSize`], and [`FlowError::Buffer`] when `flow` has another length than 2 × width × height.
    pub fn pair(&mut self, first: Luma, second: Luma, flow: &mut [f32]) -> Result<(), FlowError> {
        self.check(&first)?;
        self.check(&second)?;
        if flow.len() != self.width * self.height * 2 {
            return Err(FlowError::Buffer);
        }
        self.last = None;
        let Self { rules, levels, enlarge, pool, .. } = self;
        install(pool.as_deref(), || {
            take(levels, &first, 0);
            take(levels, &second, 1);
            solve(*rules, levels, 0, enlarge, flow);
        });
        Ok(())
    }

    fn check(&self, frame: &Luma) -> Result<(), FlowError> {
        let is_same = frame.width() == self.width && frame.height() == self.height;
        if is_same { Ok(()) } else { Err(FlowError::OtherSize) }
    }
}

/// The finest and the coarsest level. The coarsest is small enough to find movements of a quarter of the longer side, as
/// OpenCV has it, and not smaller than a patch; the finest is as asked for where there is such a level.
fn scales(params: &DisParams, width: usize, height: usize) -> (u32, u32) {
    let patch = params.patch_size as usize;
    let mut far = 0;
    // The nearest power of two, by the logarithm, to the longer side over four patches: 2^(far + 1/2) is the border.
    while (width.max(height) as f64) >= 4.0 * patch as f64 * 2_f64.powi(far) * std::f64::consts::SQRT_2 {
        far += 1;
    }
    let deep = (width.min(height) / patch).checked_ilog2().unwrap_or(0);
    let coarsest = far.unsigned_abs().min(deep);
    (params.finest_scale.min(coarsest), coarsest)
}

/// Makes frame `which` of all levels.
fn take(levels: &mut [Level], frame: &Luma, which: usize) {
    let Some((finest, coarser)) = levels.split_first_mut() else { return };
    finest.take(frame, which);
    let mut source = &*finest;
    for level in coarser {
        level.take(source.frame(which), which);
        source = level;
    }
}

/// From the coarsest level to the finest, and to the frame's size.
fn solve(rules: Rules, levels: &mut [Level], first: usize, enlarge: &mut Enlarge, flow: &mut [f32]) {
    let mut coarser: Option<&Level> = None;
    for level in levels.iter_mut().rev() {
        level.solve(rules, first, coarser);
        coarser = Some(level);
    }
    if let Some(finest) = coarser {
        enlarge.flow(finest, flow);
    }
}
