//! The order of the kernels for a batch: kernels/README.md, "One batch of Farneback flow".

use std::sync::Arc;

use cudarc::driver::{CudaSlice, CudaStream, DeviceRepr, LaunchConfig, PushKernelArg};

use super::buffers::{Buffers, EQUATIONS, FLOW, LevelBuffers, QUAD};
use crate::flow::{Expansion, Plan, PlanLevel, PlanWindow};
use crate::gpu::{Device, GpuError};

// SAFETY: plain numbers, laid out as C does.
unsafe impl DeviceRepr for Expansion {}

/// Threads of a block: of a line of pixels, and of a tile.
pub const LINE: (u32, u32, u32) = (128, 1, 1);
pub const TILE: (u32, u32, u32) = (32, 8, 1);

impl Buffers {
    /// The polynomials of `frames` new frames on all levels. `carried`: those of the frame before lie behind so many others,
    /// and come first now.
    pub fn expand(
        &mut self,
        device: &Device,
        plan: &Plan,
        carried: Option<usize>,
        frames: usize,
    ) -> Result<(), GpuError> {
        let stream = device.stream();
        let at = usize::from(carried.is_some());
        let expand_kernel = if plan.poly_n == 7 { "expand_7" } else { "expand_5" };
        let (pyramid, expand) = (device.kernel("pyramid_level")?, device.kernel(expand_kernel)?);
        let Self { frames: pictures, level: shrunk, levels, .. } = self;
        let Some(full) = plan.levels.first() else { return Ok(()) };
        let (full_width, full_height, step) = (int(full.width), int(full.height), int(full.width * full.height));
        for (level, buffers) in plan.levels.iter().zip(levels) {
            let pixels = level.width * level.height;
            let (tile, span) = level.tile();
            let (tile, span) = (int(tile), int(span));
            if let Some(behind @ 1..) = carried {
                carry(&mut buffers.quad, behind, pixels * QUAD, stream)?;
                carry(&mut buffers.mixed, behind, pixels, stream)?;
            }
            let (width, height) = (int(level.width), int(level.height));
            let LevelBuffers { columns, rows, quad, mixed, .. } = buffers;
            let mut launch = stream.launch_builder(pyramid);
            launch.arg(&*pictures).arg(&full_width).arg(&full_height).arg(&full_width).arg(&step);
            launch.arg(&mut *shrunk).arg(&width).arg(&height);
            launch.arg(&columns.first).arg(&columns.weights).arg(&columns.taps);
            launch.arg(&rows.first).arg(&rows.weights).arg(&rows.taps).arg(&tile).arg(&span);
            let grid = (up(level.width, tile.unsigned_abs()), level.height as u32, frames as u32);
            let shared = 4 * span.unsigned_abs();
            // SAFETY: the arguments are the kernel's, and the buffers hold `frames` items of these sizes.
            unsafe { launch.launch(LaunchConfig { grid_dim: grid, block_dim: LINE, shared_mem_bytes: shared })? };

            let mut quad = quad.slice_mut(at * pixels * QUAD..);
            let mut mixed = mixed.slice_mut(at * pixels..);
            let mut launch = stream.launch_builder(expand);
            launch.arg(&*shrunk).arg(&width).arg(&height).arg(&mut quad).arg(&mut mixed).arg(&plan.expansion);
            let grid = (up(level.width, 32), up(level.height, 16), frames as u32);
            // SAFETY: as above; there is room for `at` items more.
            unsafe { launch.launch(LaunchConfig { grid_dim: grid, block_dim: TILE, shared_mem_bytes: 0 })? };
        }
        Ok(())
    }

    /// The flows of the batch's first `pairs` pairs, from the coarsest level to the full size.
    pub fn solve(&mut self, device: &Device, plan: &Plan, pairs: usize) -> Result<&CudaSlice<f32>, GpuError> {
        let Self { equations: planes, sums, weights, levels, .. } = self;
        for number in (0..plan.levels.len()).rev() {
            let (finer, coarser) = levels.split_at_mut(number + 1);
            let (Some(level), Some(buffers)) = (plan.levels.get(number), finer.last_mut()) else { continue };
            match plan.levels.get(number + 1).zip(coarser.first()) {
                Some((coarse, from)) => enlarge(device, plan, (coarse, &from.flow), (level, buffers), pairs)?,
                None => {
                    let mut flow = buffers.flow.slice_mut(..pairs * level.width * level.height * FLOW);
                    device.stream().memset_zeros(&mut flow)?;
                }
            }
            for _ in 0..plan.iterations {
                equations(device, level, buffers, planes, pairs)?;
                average(device, &plan.window, (level, buffers), (planes, sums, weights), pairs)?;
            }
        }
        self.levels.first().map(|level| &level.flow).ok_or_else(|| GpuError::Lost("no level".into()))
    }
}

/// The equations of the pixels around each pixel, averaged and solved.
fn average(
    device: &Device,
    window: &PlanWindow,
    (level, buffers): (&PlanLevel, &mut LevelBuffers),
    (equations, sums, weights): (&CudaSlice<f32>, &mut CudaSlice<f32>, &CudaSlice<f32>),
    pairs: usize,
) -> Result<(), GpuError> {
    let (width, height, radius) = (int(level.width), int(level.height), int(radius(window)));
    let (stream, planes, reach) = (device.stream(), (EQUATIONS * pairs) as u32, radius.unsigned_abs());
    let config = |grid_dim, block_dim, shared_mem_bytes| LaunchConfig { grid_dim, block_dim, shared_mem_bytes };
    let rows = (up(level.width, 128), level.height as u32, pairs as u32);
    match window {
        PlanWindow::Box { scale, .. } => {
            let mut columns = stream.launch_builder(device.kernel("box_columns")?);
            columns.arg(equations).arg(&mut *sums).arg(&width).arg(&height).arg(&radius);
            let grid = (up(level.width, 128), up(level.height, 2 * reach + 1), planes);
            // SAFETY: the arguments are the kernel's, and the buffers hold `pairs` items of these sizes.
            unsafe { columns.launch(config(grid, LINE, 0))? };
            let mut solve = stream.launch_builder(device.kernel("box_solve")?);
            solve.arg(&*sums).arg(&mut buffers.flow).arg(&width).arg(&height).arg(&radius).arg(scale);
            // SAFETY: as above.
            unsafe { solve.launch(config(rows, LINE, 40 * (128 + 2 * reach)))? };
        }
        PlanWindow::Gaussian { .. } => {
            let mut columns = stream.launch_builder(device.kernel("gauss_columns")?);
            columns.arg(equations).arg(&mut *sums).arg(&width).arg(&height).arg(&radius).arg(weights);
            let grid = (up(level.width, 32), up(level.height, 32), planes);
            // SAFETY: as above; there are radius + 1 weights.
            unsafe { columns.launch(config(grid, TILE, 128 * (32 + 2 * reach)))? };
            let mut solve = stream.launch_builder(device.kernel("gauss_solve")?);
            solve.arg(&*sums).arg(&mut buffers.flow).arg(&width).arg(&height).arg(&radius).arg(weights);
            // SAFETY: as above.
            unsafe { solve.launch(config(rows, LINE, 20 * (128 + 2 * reach)))? };
        }
    }
    Ok(())
}

/// A coarser level's flow at this level's size.
fn enlarge(
    device: &Device,
    plan: &Plan,
    (coarse, from): (&PlanLevel, &CudaSlice<f32>),
    (level, buffers): (&PlanLevel, &mut LevelBuffers),
    pairs: usize,
) -> Result<(), GpuError> {
    let Some([columns, rows]) = &buffers.enlarge else { return Ok(()) };
    let (coarse_width, coarse_height) = (int(coarse.width), int(coarse.height));
    let (width, height) = (int(level.width), int(level.height));
    let mut launch = device.stream().launch_builder(device.kernel("flow_enlarge")?);
    launch.arg(from).arg(&coarse_width).arg(&coarse_height).arg(&mut buffers.flow).arg(&width).arg(&height);
    launch.arg(&columns.first).arg(&columns.weights).arg(&columns.taps);
    launch.arg(&rows.first).arg(&rows.weights).arg(&rows.taps).arg(&plan.growth);
    let grid = (up(level.width, 32), up(level.height, 8), pairs as u32);
    // SAFETY: the arguments are the kernel's, and both flows hold `pairs` items of their level's size.
    unsafe { launch.launch(LaunchConfig { grid_dim: grid, block_dim: TILE, shared_mem_bytes: 0 })? };
    Ok(())
}

/// What each pixel says of its displacement.
fn equations(
    device: &Device,
    level: &PlanLevel,
    buffers: &LevelBuffers,
    out: &mut CudaSlice<f32>,
    pairs: usize,
) -> Result<(), GpuError> {
    let (width, height) = (int(level.width), int(level.height));
    let mut launch = device.stream().launch_builder(device.kernel("flow_equations")?);
    launch.arg(&buffers.quad).arg(&buffers.mixed).arg(&buffers.flow).arg(out).arg(&width).arg(&height);
    let grid = (up(level.width, 32), up(level.height, 8), pairs as u32);
    // SAFETY: the arguments are the kernel's; it reads `pairs` + 1 polynomials of each pixel.
    unsafe { launch.launch(LaunchConfig { grid_dim: grid, block_dim: TILE, shared_mem_bytes: 0 })? };
    Ok(())
}

/// Brings the item that lies behind so many others to the front.
fn carry(items: &mut CudaSlice<f32>, behind: usize, len: usize, stream: &Arc<CudaStream>) -> Result<(), GpuError> {
    let (mut front, rest) = items.split_at_mut(len);
    let last = rest.slice((behind - 1) * len..behind * len);
    Ok(stream.memcpy_dtod(&last, &mut front)?)
}

fn radius(window: &PlanWindow) -> usize {
    match window {
        PlanWindow::Box { radius, .. } => *radius,
        PlanWindow::Gaussian { weights } => weights.len().saturating_sub(1),
    }
}

/// Sizes are at most 32768 a side.
pub fn int(size: usize) -> i32 {
    i32::try_from(size).unwrap_or(i32::MAX)
}

pub fn up(size: usize, step: u32) -> u32 {
    (size as u32).div_ceil(step.max(1))
}
