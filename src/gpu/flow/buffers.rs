//! The memory of a batch on the device.

use cudarc::driver::CudaSlice;

use crate::flow::{Plan, PlanLevel, PlanWindow, Taps};
use crate::gpu::{Device, GpuError};

/// Pairs in a batch, at most: five planes of each are items of one launch, and a grid has 65535 of them.
pub const MOST_PAIRS: usize = 4096;

/// Numbers of a polynomial that lie together, and of a displacement; planes of a pair's equations.
pub const QUAD: usize = 4;
pub const FLOW: usize = 2;
pub const EQUATIONS: usize = 5;

/// Pixels of a frame.
pub fn pixels(plan: &Plan) -> usize {
    plan.levels.first().map_or(0, |full| full.width * full.height)
}

/// All buffers that kernels work on, without padding between a batch's items.
#[derive(Debug)]
pub struct Buffers {
    /// Pairs that there is room for.
    pub pairs: usize,
    pub frames: CudaSlice<u8>,
    /// Frames at one level's size: of one level after the other.
    pub level: CudaSlice<f32>,
    pub equations: CudaSlice<f32>,
    pub sums: CudaSlice<f32>,
    /// The weights of a Gaussian window; of a box, one that nobody reads.
    pub weights: CudaSlice<f32>,
    /// The full size first.
    pub levels: Vec<LevelBuffers>,
}

#[derive(Debug)]
pub struct LevelBuffers {
    pub columns: Table,
    pub rows: Table,
    /// From the next coarser level's flow: columns, rows.
    pub enlarge: Option<[Table; 2]>,
    pub quad: CudaSlice<f32>,
    pub mixed: CudaSlice<f32>,
    pub flow: CudaSlice<f32>,
}

#[derive(Debug)]
pub struct Table {
    pub first: CudaSlice<i32>,
    pub weights: CudaSlice<f32>,
    pub taps: i32,
}

impl Buffers {
    /// Bytes that a batch of `pairs` takes.
    pub fn bytes(plan: &Plan, pairs: usize) -> u64 {
        let full = pixels(plan) as u64;
        let levels: u64 = plan.levels.iter().map(|level| (level.width * level.height) as u64).sum();
        let (pairs, frames) = (pairs as u64, pairs as u64 + 1);
        let polynomials = levels * frames * (QUAD as u64 + 1);
        let flows = levels * pairs * FLOW as u64;
        let equations = full * pairs * 2 * EQUATIONS as u64;
        full * frames + 4 * (full * frames + polynomials + flows + equations)
    }

    pub fn new(device: &Device, plan: &Plan, pairs: usize) -> Result<Self, GpuError> {
        let full = pixels(plan);
        let weights: &[f32] = match &plan.window {
            PlanWindow::Box { .. } => &[0.0],
            PlanWindow::Gaussian { weights } => weights,
        };
        Ok(Self {
            pairs,
            frames: device.stream().alloc_zeros(full * (pairs + 1))?,
            level: numbers(device, full * (pairs + 1))?,
            equations: numbers(device, full * pairs * EQUATIONS)?,
            sums: numbers(device, full * pairs * EQUATIONS)?,
            weights: device.stream().clone_htod(weights)?,
            levels: plan
                .levels
                .iter()
                .map(|level| LevelBuffers::new(device, level, pairs))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl LevelBuffers {
    fn new(device: &Device, level: &PlanLevel, pairs: usize) -> Result<Self, GpuError> {
        let pixels = level.width * level.height;
        let enlarge = match &level.enlarge {
            Some([columns, rows]) => Some([Table::new(device, columns)?, Table::new(device, rows)?]),
            None => None,
        };
        Ok(Self {
            columns: Table::new(device, &level.columns)?,
            rows: Table::new(device, &level.rows)?,
            enlarge,
            quad: numbers(device, pixels * QUAD * (pairs + 1))?,
            mixed: numbers(device, pixels * (pairs + 1))?,
            flow: numbers(device, pixels * FLOW * pairs)?,
        })
    }
}

impl Table {
    fn new(device: &Device, table: &Taps) -> Result<Self, GpuError> {
        let (first, weights) = (device.stream().clone_htod(&table.first)?, device.stream().clone_htod(&table.weights)?);
        Ok(Self { first, weights, taps: i32::try_from(table.taps).unwrap_or(i32::MAX) })
    }
}

/// Zeroed: what no kernel has written yet is no stranger's.
fn numbers(device: &Device, len: usize) -> Result<CudaSlice<f32>, GpuError> {
    Ok(device.stream().alloc_zeros(len)?)
}
