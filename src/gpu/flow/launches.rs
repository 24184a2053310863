//! The order of the kernels for a batch: kernels/README.md, "One batch of Farneback flow".

use std::sync::Arc;

use cudarc::driver::{CudaSlice, CudaStream, DeviceRepr, LaunchConfig, PushKernelArg};

use super::buffers::{Buffers, EQUATIONS, FLOW, LevelBuffers, QUAD};
use super::plan::{LevelPlan, Plan, Window};
use crate::gpu::{Device, GpuError};

/// The kernels of `src/flow/expansion.rs`, by value: `struct Expansion` of `kernels/expansion.cu`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Expansion {
    pub smooth: [f32; 8],
    pub slope: [f32; 8],
    pub curve: [f32; 8],
    pub linear: f32,
    pub mixed: f32,
}

// SAFETY: plain numbers, laid out as C does.
unsafe impl DeviceRepr for Expansion {}

/// Threads of a block: of a line of pixels, and of a tile.
const LINE: (u32, u32, u32) = (128, 1, 1);
const TILE: (u32, u32, u32) = (32, 8, 1);

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
        let (pyramid, expand) = (device.kernel("pyramid_level")?, device.kernel(plan.expand_kernel())?);
        let Self { frames: pictures, level: shrunk, levels, .. } = self;
        let (full_width, full_height) = (int(plan.width), int(plan.height));
        let step = int(plan.width * plan.height);
        for (level, buffers) in plan.levels.iter().zip(levels) {
            if let Some(behind @ 1..) = carried {
                carry(&mut buffers.quad, behind, level.pixels() * QUAD, stream)?;
                carry(&mut buffers.mixed, behind, level.pixels(), stream)?;
            }
            let (width, height) = (int(level.width), int(level.height));
            let LevelBuffers { columns, rows, quad, mixed, .. } = buffers;
            let mut launch = stream.launch_builder(pyramid);
            launch.arg(&*pictures).arg(&full_width).arg(&full_height).arg(&full_width).arg(&step);
            launch.arg(&mut *shrunk).arg(&width).arg(&height);
            launch.arg(&columns.first).arg(&columns.weights).arg(&columns.taps);
            launch.arg(&rows.first).arg(&rows.weights).arg(&rows.taps).arg(&level.tile).arg(&level.span);
            let grid = (up(level.width, level.tile.unsigned_abs()), level.height as u32, frames as u32);
            let shared = 4 * level.span.unsigned_abs();
            // SAFETY: the arguments are the kernel's, and the buffers hold `frames` items of these sizes.
            unsafe { launch.launch(LaunchConfig { grid_dim: grid, block_dim: LINE, shared_mem_bytes: shared })? };

            let mut quad = quad.slice_mut(at * level.pixels() * QUAD..);
            let mut mixed = mixed.slice_mut(at * level.pixels()..);
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
        for number in (0..plan.levels.len()).rev() {
            let (finer, coarser) = self.levels.split_at_mut(number + 1);
            let (Some(level), Some(buffers)) = (plan.levels.get(number), finer.last_mut()) else { continue };
            match plan.levels.get(number + 1).zip(coarser.first()) {
                Some((coarse, from)) => enlarge(device, plan, (coarse, &from.flow), (level, buffers), pairs)?,
                None => {
                    let mut flow = buffers.flow.slice_mut(..pairs * level.pixels() * FLOW);
                    device.stream().memset_zeros(&mut flow)?;
                }
            }
            for _ in 0..plan.iterations {
                equations(device, level, buffers, &mut self.equations, pairs)?;
                self.average(device, plan, number, pairs)?;
            }
            // Borrowed anew for each level.
        }
        self.levels.first().map(|level| &level.flow).ok_or_else(|| GpuError::Lost("no level".into()))
    }

    /// The equations of the pixels around each pixel, averaged and solved.
    fn average(&mut self, device: &Device, plan: &Plan, number: usize, pairs: usize) -> Result<(), GpuError> {
        let Self { equations, sums, weights, levels, .. } = self;
        let (Some(level), Some(buffers)) = (plan.levels.get(number), levels.get_mut(number)) else { return Ok(()) };
        let (width, height) = (int(level.width), int(level.height));
        let stream = device.stream();
        let (planes, radius) = ((EQUATIONS * pairs) as u32, plan.radius());
        let rows = up(level.width, 128);
        let (columns, solve) = match plan.window {
            Window::Box { .. } => (device.kernel("box_columns")?, device.kernel("box_solve")?),
            Window::Gaussian { .. } => (device.kernel("gauss_columns")?, device.kernel("gauss_solve")?),
        };
        let mut down = stream.launch_builder(columns);
        down.arg(&*equations).arg(&mut *sums).arg(&width).arg(&height).arg(&radius);
        let reach = radius.unsigned_abs();
        let (across, last) = match &plan.window {
            Window::Box { scale, .. } => {
                let grid = (rows, up(level.height, 2 * reach + 1), planes);
                let config = LaunchConfig { grid_dim: grid, block_dim: LINE, shared_mem_bytes: 0 };
                // SAFETY: the arguments are the kernel's, and the buffers hold `pairs` items of these sizes.
                unsafe { down.launch(config)? };
                (40 * (128 + 2 * reach), Some(scale))
            }
            Window::Gaussian { .. } => {
                down.arg(&*weights);
                let grid = (up(level.width, 32), up(level.height, 32), planes);
                let shared = 128 * (32 + 2 * reach);
                let config = LaunchConfig { grid_dim: grid, block_dim: TILE, shared_mem_bytes: shared };
                // SAFETY: as above; there are radius + 1 weights.
                unsafe { down.launch(config)? };
                (20 * (128 + 2 * reach), None)
            }
        };
        let mut launch = stream.launch_builder(solve);
        launch.arg(&*sums).arg(&mut buffers.flow).arg(&width).arg(&height).arg(&radius);
        match last {
            Some(scale) => launch.arg(scale),
            None => launch.arg(&*weights),
        };
        let grid = (rows, level.height as u32, pairs as u32);
        // SAFETY: as above.
        unsafe { launch.launch(LaunchConfig { grid_dim: grid, block_dim: LINE, shared_mem_bytes: across })? };
        Ok(())
    }
}

/// A coarser level's flow at this level's size.
fn enlarge(
    device: &Device,
    plan: &Plan,
    (coarse, from): (&LevelPlan, &CudaSlice<f32>),
    (level, buffers): (&LevelPlan, &mut LevelBuffers),
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
    level: &LevelPlan,
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

/// Sizes are at most 32768 a side.
fn int(size: usize) -> i32 {
    i32::try_from(size).unwrap_or(i32::MAX)
}

fn up(size: usize, step: u32) -> u32 {
    (size as u32).div_ceil(step.max(1))
}
