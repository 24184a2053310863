use std::sync::Arc;

use rayon::ThreadPool;

use super::level::{Level, Method};
use super::{FarnebackParams, FlowError, Luma};

/// Dense flow by polynomial expansion (Farnebäck 2003), with the parameters, borders, pyramid and, within rounding, the
/// numbers of OpenCV's `calcOpticalFlowFarneback`.
///
/// For frames of one size. Memory is taken once, not for each pair (but for two small tables where an initial flow is
/// given): 64 bytes for each pixel, a third more for a pyramid of halves, and for each thread about `winsize` × 20 bytes
/// for each pixel of a row.
///
/// A flow is dx and dy of each pixel of the first frame, in pixels, `f32`, row after row; never NaN or infinite. A surface
/// without structure has no flow.
#[derive(Debug)]
pub struct Farneback {
    width: usize,
    height: usize,
    method: Method,
    /// The full size first.
    levels: Vec<Level>,
    pool: Option<Arc<ThreadPool>>,
    /// Where the polynomials of the last pushed frame are.
    last: Option<usize>,
    flow: Vec<f32>,
}

impl Farneback {
    /// Works on all threads of `pool`, or without one on the caller's.
    ///
    /// # Errors
    /// [`FlowError::Parameter`] and [`FlowError::Size`].
    pub fn new(
        params: &FarnebackParams,
        width: usize,
        height: usize,
        pool: Option<Arc<ThreadPool>>,
    ) -> Result<Self, FlowError> {
        params.check()?;
        if !(1..=super::luma::MAX_SIDE).contains(&width) || !(1..=super::luma::MAX_SIDE).contains(&height) {
            return Err(FlowError::Size);
        }
        let threads = pool.as_ref().map_or(1, |pool| pool.current_num_threads());
        let method = Method::new(params);
        let levels = Level::all(params, &method, width, height, threads);
        Ok(Self { width, height, method, levels, pool, last: None, flow: Vec::new() })
    }

    /// The next frame of a video: the flow to it from the frame before, or nothing if it is the first. The frame before
    /// is not expanded again.
    ///
    /// # Errors
    /// [`FlowError::OtherSize`]; the frame is then not counted.
    pub fn push(&mut self, frame: Luma) -> Result<Option<&[f32]>, FlowError> {
        self.check(&frame)?;
        let before = self.last;
        let slot = before.map_or(0, |before| 1 - before);
        self.last = Some(slot);
        self.flow.resize(self.width * self.height * 2, 0.0);
        let Self { width, height, method, levels, pool, flow, .. } = self;
        install(pool.as_deref(), || {
            levels.iter_mut().for_each(|level| level.expand(method, &frame, slot));
            if let Some(before) = before {
                solve(method, levels, before, None, (*width, *height), flow);
            }
        });
        Ok(before.map(|_| &*self.flow))
    }

    /// Forgets the frames that were pushed: the next one begins a video.
    pub fn restart(&mut self) {
        self.last = None;
    }

    /// The flow from `first` to `second`, into `flow`. `initial` is a flow to begin with (OpenCV's
    /// `OPTFLOW_USE_INITIAL_FLOW`); numbers in it that are none, or beyond all bounds, count as 0 or as the bound.
    /// Frames that were pushed are forgotten.
    ///
    /// # Errors
    /// [`FlowError::OtherSize`], and [`FlowError::Buffer`] when `flow` or `initial` has another length than 2 × width ×
    /// height.
    pub fn pair(
        &mut self,
        first: Luma,
        second: Luma,
        initial: Option<&[f32]>,
        flow: &mut [f32],
    ) -> Result<(), FlowError> {
        self.check(&first)?;
        self.check(&second)?;
        let len = self.width * self.height * 2;
        if flow.len() != len || initial.is_some_and(|initial| initial.len() != len) {
            return Err(FlowError::Buffer);
        }
        self.last = None;
        let Self { width, height, method, levels, pool, .. } = self;
        install(pool.as_deref(), || {
            for level in levels.iter_mut() {
                level.expand(method, &first, 0);
                level.expand(method, &second, 1);
            }
            solve(method, levels, 0, initial, (*width, *height), flow);
        });
        Ok(())
    }

    /// What the last [`Farneback::pair`] left, for tests that compare its steps with others': for each level, the full
    /// size first, the polynomials of both frames (five numbers a pixel: b along y and x, A's yy, xx, and twice its xy)
    /// and the flow, but for the full size's.
    #[doc(hidden)]
    pub fn steps(&self) -> impl Iterator<Item = ([&[f32]; 2], &[f32])> {
        self.levels.iter().map(Level::made)
    }

    fn check(&self, frame: &Luma) -> Result<(), FlowError> {
        let is_same = frame.width() == self.width && frame.height() == self.height;
        if is_same { Ok(()) } else { Err(FlowError::OtherSize) }
    }
}

pub fn install(pool: Option<&ThreadPool>, work: impl FnOnce() + Send) {
    match pool {
        Some(pool) if pool.current_num_threads() > 1 => pool.install(work),
        _ => work(),
    }
}

/// From the coarsest level down to the full size.
fn solve(
    method: &Method,
    levels: &mut [Level],
    first: usize,
    initial: Option<&[f32]>,
    (width, height): (usize, usize),
    flow: &mut [f32],
) {
    let mut coarser: Option<&Level> = None;
    let mut flow = Some(flow);
    for (number, level) in levels.iter_mut().enumerate().rev() {
        match (coarser, initial) {
            (Some(coarser), _) => level.start_above(method, coarser),
            (None, Some(initial)) => level.start_from(initial, width, height),
            (None, None) => level.start(),
        }
        level.improve(method, first, flow.take_if(|_| number == 0));
        coarser = Some(level);
    }
}
