use super::level::{Method, scaled, scales};
use super::resample::Table;
use super::window::Window;
use super::{FarnebackParams, FlowError};

/// What Farneback's method does with frames of one size, as plain numbers: what the GPU's kernels are given, so that they
/// compute what the CPU does.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The full size first.
    pub levels: Vec<PlanLevel>,
    pub expansion: Expansion,
    /// Radius of the neighbourhood that a polynomial stands for, pixels: 5 or 7.
    pub poly_n: u32,
    pub window: PlanWindow,
    /// Passes per level.
    pub iterations: u32,
    /// How much larger a flow is on the next finer level.
    pub growth: f32,
}

/// One level of the pyramid.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanLevel {
    /// Pixels.
    pub width: usize,
    pub height: usize,
    /// Size relative to the frame.
    pub scale: f32,
    /// From the frame to this level; beyond the frame's ends it is mirrored.
    pub columns: Taps,
    pub rows: Taps,
    /// From a given flow of the frame's size to this level: columns, rows.
    pub start: [Taps; 2],
    /// From the next coarser level's flow to this level's; none at the coarsest.
    pub enlarge: Option<[Taps; 2]>,
}

/// For each target index, `taps` consecutive source indices from `first` on, and their weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Taps {
    pub taps: usize,
    pub first: Vec<i32>,
    pub weights: Vec<f32>,
}

/// Polynomial expansion's one-dimensional kernels by distance from the pixel, as `kernels/expansion.cu` takes them.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expansion {
    /// The Gaussian weight; weight × distance; weight × (distance² − its weighted mean) × the fit's factor.
    pub smooth: [f32; 8],
    pub slope: [f32; 8],
    pub curve: [f32; 8],
    /// The fit's factors for b, and for the term of xy.
    pub linear: f32,
    pub mixed: f32,
}

/// The averaging window.
#[derive(Debug, Clone, PartialEq)]
pub enum PlanWindow {
    /// All pixels count the same; sums are multiplied by `scale`.
    Box { radius: usize, scale: f32 },
    /// Weights by distance, 0 to the radius.
    Gaussian { weights: Vec<f32> },
}

impl Plan {
    /// # Errors
    /// [`FlowError::Parameter`], and [`FlowError::Size`] when a side is 0 or above 32768.
    pub fn new(params: &FarnebackParams, width: usize, height: usize) -> Result<Self, FlowError> {
        params.check()?;
        if !(1..=super::luma::MAX_SIDE).contains(&width) || !(1..=super::luma::MAX_SIDE).contains(&height) {
            return Err(FlowError::Size);
        }
        let Method { kernels, window, iterations, growth } = Method::new(params);
        let mut levels: Vec<PlanLevel> = Vec::new();
        for scale in scales(params, width, height) {
            let coarse = PlanLevel::new(width, height, scale);
            if let Some(fine) = levels.last_mut() {
                let sides = [(coarse.width, fine.width), (coarse.height, fine.height)];
                fine.enlarge = Some(sides.map(|(source, target)| Table::linear(source, target).into()));
            }
            levels.push(coarse);
        }
        let ([smooth, slope, curve], linear, mixed) = kernels.into_parts();
        let expansion = Expansion { smooth, slope, curve, linear, mixed };
        let window = match window {
            Window::Box { radius, scale } => PlanWindow::Box { radius, scale },
            Window::Gaussian { weights } => PlanWindow::Gaussian { weights },
        };
        Ok(Self { levels, expansion, poly_n: params.poly_n, window, iterations, growth })
    }
}

impl PlanLevel {
    fn new(frame_width: usize, frame_height: usize, scale: f64) -> Self {
        let (width, height) = (scaled(frame_width, scale), scaled(frame_height, scale));
        Self {
            width,
            height,
            scale: scale as f32,
            columns: Table::pyramid(frame_width, width, scale).into(),
            rows: Table::pyramid(frame_height, height, scale).into(),
            start: [Table::area(frame_width, width).into(), Table::area(frame_height, height).into()],
            enlarge: None,
        }
    }

    /// How many pixels of a row one block of `pyramid_level` makes, and how many columns of the frame it needs for that,
    /// at most: as many as fit into 48 KiB.
    pub fn tile(&self) -> (usize, usize) {
        let span = |tile: usize| {
            let ends = |targets: &[i32]| targets.last().zip(targets.first()).map_or(0, |(last, first)| last - first);
            self.columns.first.chunks(tile).map(ends).max().unwrap_or(0) as usize + self.columns.taps
        };
        let tiles = [128, 64, 32, 16, 8, 4, 2].map(|tile| (tile, span(tile)));
        tiles.into_iter().find(|(_, span)| *span <= 48 * 1024 / size_of::<f32>()).unwrap_or((1, span(1)))
    }
}

impl From<Table> for Taps {
    fn from(table: Table) -> Self {
        let (taps, first, weights) = table.into_parts();
        Self { taps, first, weights }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_fit_into_shared_memory() {
        for (pyr_scale, width, height) in [(0.5, 1280, 720), (0.05, 32768, 32768), (0.001, 32768, 32768)] {
            let params = FarnebackParams { pyr_scale, levels: 8, ..Default::default() };
            let plan = Plan::new(&params, width, height).unwrap();
            assert!(plan.levels.len() > 1);
            for level in &plan.levels {
                let (tile, span) = level.tile();
                assert!(tile >= 1 && span * 4 <= 48 * 1024, "{tile} {span}");
            }
        }
    }

    #[test]
    fn sizes_that_no_frame_has_are_refused() {
        let params = FarnebackParams::default();
        assert!(matches!(Plan::new(&params, 0, 9), Err(FlowError::Size)));
        assert!(matches!(Plan::new(&params, 9, 32769), Err(FlowError::Size)));
        let params = FarnebackParams { poly_n: 6, ..params };
        assert!(matches!(Plan::new(&params, 9, 9), Err(FlowError::Parameter { name: "poly_n", .. })));
    }
}
