//! One level of the pyramid.

use rayon::prelude::*;

use super::DisParams;
use super::densify::{Sums, densify};
use super::plane::{LANES, Plane, extend, gradient, smooth};
use super::refine::Refinement;
use super::search::{Found, Frames, Grid, Rules, search};
use super::shrink::{Shrink, Source};

#[derive(Debug)]
pub struct Level {
    pub width: usize,
    pub height: usize,
    shrink: Shrink,
    /// A frame before it is smoothed.
    raw: Plane,
    /// Two frames, which take turns.
    frames: [Plane; 2],
    /// The gradient of the first frame; some lanes longer than the frame.
    gradient: [Vec<f32>; 2],
    grid: Grid,
    found: Vec<Found>,
    /// dx and dy, each a plane.
    flow: [Vec<f32>; 2],
    refinement: Option<Refinement>,
    bands: Vec<Band>,
}

/// Rows of two planes.
type Rows<'a> = (&'a mut [f32], &'a mut [f32]);

/// Buffers of what one thread works on.
#[derive(Debug)]
struct Band {
    sums: Sums,
    /// A row of what the level is made of.
    row: Vec<f32>,
}

impl Level {
    /// The level of that size, made of something of size `source`.
    pub fn new(params: &DisParams, source: (usize, usize), (width, height): (usize, usize), threads: usize) -> Self {
        // A frame may be smaller than a patch is to be.
        let size = (params.patch_size as usize).min(width).min(height);
        let stride = (params.patch_stride as usize).min(size);
        // A patch may lie outside but for a pixel, and lanes reach beyond it.
        let border = size.next_multiple_of(LANES) + 2;
        let grid = Grid::new(size, stride, width, height);
        let plane = Plane::new(width, height, border);
        let threads = threads.min(height);
        let rows = height.div_ceil(threads);
        let band = || Band { sums: Sums::new(width, rows), row: vec![0.0; source.0] };
        let numbers = || vec![0.0; width * height];
        let with_slack = || vec![0.0; width * height + 2 * LANES];
        Self {
            width,
            height,
            shrink: Shrink::new(source, (width, height)),
            raw: Plane::new(width, height, 1),
            frames: [plane.clone(), plane],
            gradient: [with_slack(), with_slack()],
            found: vec![Found::default(); grid.columns.len() * grid.rows.len()],
            grid,
            flow: [numbers(), numbers()],
            refinement: Refinement::new(params, width, height, threads),
            bands: (0..threads).map(|_| band()).collect(),
        }
    }

    pub fn frame(&self, which: usize) -> &Plane {
        &self.frames[which]
    }

    /// Makes frame `which` (0 or 1) from a larger one.
    pub fn take(&mut self, source: &impl Source, which: usize) {
        let Self { shrink, raw, frames, bands, .. } = self;
        rows_of(raw, bands, |y, wide, band| shrink.row(source, y, wide, &mut band.row));
        rows_of(&mut frames[which], bands, |y, wide, _| smooth(raw, y, wide));
    }

    /// The flow from frame `first` (0 or 1) to the other; it begins with the coarser level's.
    pub fn solve(&mut self, rules: Rules, first: usize, coarser: Option<&Self>) {
        self.make_gradient(first);
        self.start(coarser);
        let (one, other) = (&self.frames[first], &self.frames[1 - first]);
        let frames = Frames { first: one, second: other, gradient: &self.gradient };
        search(frames, &self.grid, rules, &mut self.found, self.bands.len() > 1);
        let [dx, dy] = &mut self.flow;
        let rows = self.height.div_ceil(self.bands.len());
        let (grid, found, len) = (&self.grid, &self.found, rows * self.width);
        let work = |(index, ((dx, dy), band)): (usize, (Rows, &mut Band))| {
            densify((one, other), grid, found, index * rows, &mut band.sums, (dx, dy));
        };
        if self.bands.len() == 1 {
            dx.chunks_mut(len).zip(dy.chunks_mut(len)).zip(&mut self.bands).enumerate().for_each(work);
        } else {
            dx.par_chunks_mut(len).zip(dy.par_chunks_mut(len)).zip(&mut self.bands).enumerate().for_each(work);
        }
        if let Some(refinement) = &mut self.refinement {
            refinement.refine(one, other, &mut self.flow);
        }
    }

    fn make_gradient(&mut self, first: usize) {
        let Self { width, height, frames, gradient: [along_x, along_y], bands, .. } = self;
        let (plane, width, rows) = (&frames[first], *width, height.div_ceil(bands.len()));
        let pixels = width * *height;
        let work = |(index, (along_x, along_y)): (usize, Rows)| {
            let lines = along_x.chunks_exact_mut(width).zip(along_y.chunks_exact_mut(width));
            (index * rows..).zip(lines).for_each(|(y, (along_x, along_y))| gradient(plane, y, along_x, along_y));
        };
        let (along_x, along_y, len) = (&mut along_x[..pixels], &mut along_y[..pixels], rows * width);
        if bands.len() == 1 {
            along_x.chunks_mut(len).zip(along_y.chunks_mut(len)).enumerate().for_each(work);
        } else {
            along_x.par_chunks_mut(len).zip(along_y.par_chunks_mut(len)).enumerate().for_each(work);
        }
    }

    /// Patches start from the coarser level's flow at their middle, or from no movement.
    fn start(&mut self, coarser: Option<&Self>) {
        let middle = (self.grid.size - 1) as f32 * 0.5;
        let places = self.grid.rows.iter().flat_map(|y| self.grid.columns.iter().map(move |x| (*x, *y)));
        let Some(coarser) = coarser else {
            self.found.iter_mut().for_each(|found| found.flow = [0.0; 2]);
            return;
        };
        let growth = [self.width as f32 / coarser.width as f32, self.height as f32 / coarser.height as f32];
        for (found, (x, y)) in self.found.iter_mut().zip(places) {
            let at = |at: usize, growth: f32| (at as f32 + middle + 0.5) / growth - 0.5;
            let [dx, dy] = coarser.flow_at(at(x, growth[0]), at(y, growth[1]));
            found.flow = [dx * growth[0], dy * growth[1]];
        }
    }

    /// The flow between pixels.
    fn flow_at(&self, x: f32, y: f32) -> [f32; 2] {
        let (x, y) = (x.clamp(0.0, (self.width - 1) as f32), y.clamp(0.0, (self.height - 1) as f32));
        let (left, top) = (x as usize, y as usize);
        let (right, bottom) = ((left + 1).min(self.width - 1), (top + 1).min(self.height - 1));
        let (fx, fy) = (x - left as f32, y - top as f32);
        self.flow.each_ref().map(|flow| {
            let mix = |y: usize| flow[y * self.width + left] * (1.0 - fx) + flow[y * self.width + right] * fx;
            mix(top) * (1.0 - fy) + mix(bottom) * fy
        })
    }

    /// dx and dy, each a plane.
    pub fn flow(&self) -> [&[f32]; 2] {
        let [dx, dy] = &self.flow;
        [dx, dy]
    }
}

/// Makes all rows of a plane, and its border: `make(y, row, buffers)`.
fn rows_of(plane: &mut Plane, bands: &mut [Band], make: impl Fn(usize, &mut [f32], &mut Band) + Sync + Send) {
    let (stride, border, rows) = (plane.stride, plane.border, plane.height.div_ceil(bands.len()));
    let work = |(index, (data, band)): (usize, (&mut [f32], &mut Band))| {
        for (y, wide) in (index * rows..).zip(data.chunks_exact_mut(stride)) {
            make(y, &mut wide[border..stride - border], band);
            extend(wide, border);
        }
    };
    let data = plane.wide_rows();
    if bands.len() == 1 {
        data.chunks_mut(rows * stride).zip(bands).enumerate().for_each(work);
    } else {
        data.par_chunks_mut(rows * stride).zip(bands).enumerate().for_each(work);
    }
    plane.repeat_rows();
}
