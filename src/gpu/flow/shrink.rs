//! Pictures of a decoder made small on the device: what `media::Shrinker` does on the CPU, but for rounding.

use cudarc::driver::{CudaSlice, CudaViewMut, LaunchConfig, PushKernelArg};

use super::launches::{LINE, TILE, int, up};
use crate::gpu::{Device, GpuError, Surface};

/// Buffers and tables for pictures of one size.
#[derive(Debug)]
pub struct Shrink {
    /// Of the decoder's pictures, pixels.
    source: (usize, usize),
    /// 8-bit luma of a whole picture, stretched to the full range; of fewer rows; and of fewer columns, too.
    luma: CudaSlice<u8>,
    columns: CudaSlice<f32>,
    small: CudaSlice<u8>,
    down: Table,
    across: Table,
}

/// A table of `resize_table`.
#[derive(Debug)]
struct Table {
    first: CudaSlice<i32>,
    weights: CudaSlice<f32>,
    taps: i32,
}

impl Shrink {
    /// `small`: pixels of what pictures are made, before they are turned.
    pub fn new(device: &Device, source: (usize, usize), small: (usize, usize)) -> Result<Self, GpuError> {
        let stream = device.stream();
        Ok(Self {
            source,
            luma: stream.alloc_zeros(source.0 * source.1)?,
            columns: stream.alloc_zeros(source.0 * small.1)?,
            small: stream.alloc_zeros(small.0 * small.1)?,
            down: Table::new(device, source.1, small.1)?,
            across: Table::new(device, source.0, small.0)?,
        })
    }

    pub fn source(&self) -> (usize, usize) {
        self.source
    }

    /// Starts to make the picture small, `width` x `height` pixels once it is turned by `turn` degrees clockwise.
    pub fn shrink(
        &mut self,
        device: &Device,
        surface: &Surface<'_>,
        (width, height, turn): (usize, usize, u32),
        mut out: CudaViewMut<'_, u8>,
    ) -> Result<(), GpuError> {
        let lies = matches!(turn, 90 | 270);
        let (small_width, small_height) = if lies { (height, width) } else { (width, height) };
        let (full_width, full_height) = self.source;
        let stream = device.stream();
        let config = |grid_dim, block_dim| LaunchConfig { grid_dim, block_dim, shared_mem_bytes: 0 };
        let bytes = if surface.is_deep { 2 } else { 1 };
        let (source_stride, none, one) = (int(surface.stride / bytes), 0_i32, 1_i32);
        let (w, h, full) = (int(full_width), int(full_height), i32::from(surface.full_range));
        let luma = device.kernel(if surface.is_deep { "p010_luma" } else { "nv12_luma" })?;
        let mut launch = stream.launch_builder(luma);
        launch.arg(&surface.address).arg(&source_stride).arg(&none);
        launch.arg(&mut self.luma).arg(&w).arg(&none).arg(&w).arg(&h).arg(&full);
        // SAFETY: the arguments are the kernel's; the surface is one of this device, which the decoder writes on this
        // stream, and the buffer holds a picture of its size.
        unsafe { launch.launch(config((up(full_width, 32), up(full_height, 8), 1), TILE))? };

        let (small_w, small_h) = (int(small_width), int(small_height));
        let mut launch = stream.launch_builder(device.kernel("resize_columns")?);
        launch.arg(&self.luma).arg(&w).arg(&none).arg(&h).arg(&mut self.columns).arg(&w).arg(&small_h);
        launch.arg(&self.down.first).arg(&self.down.weights).arg(&self.down.taps);
        // SAFETY: as above; the table is of these two heights.
        unsafe { launch.launch(config((up(full_width, 128), small_height as u32, 1), LINE))? };

        let mut launch = stream.launch_builder(device.kernel("resize_rows")?);
        launch.arg(&self.columns).arg(&w).arg(&mut self.small).arg(&small_w).arg(&none);
        launch.arg(&small_w).arg(&small_h).arg(&one);
        launch.arg(&self.across.first).arg(&self.across.weights).arg(&self.across.taps);
        // SAFETY: as above; the table is of these two widths.
        unsafe { launch.launch(config((up(small_width, 128), small_height as u32, 1), LINE))? };

        let (stride, turn) = (int(width), i32::try_from(turn).unwrap_or(0));
        let mut launch = stream.launch_builder(device.kernel("upright")?);
        launch.arg(&self.small).arg(&small_w).arg(&none).arg(&mut out).arg(&stride).arg(&none);
        launch.arg(&small_w).arg(&small_h).arg(&one).arg(&turn);
        // SAFETY: as above; the view holds a turned picture.
        unsafe { launch.launch(config((up(width, 32), up(height, 8), 1), TILE))? };
        Ok(())
    }
}

impl Table {
    /// Averages over areas.
    fn new(device: &Device, source: usize, target: usize) -> Result<Self, GpuError> {
        let taps = source.div_ceil(target.max(1)) + 1;
        let stream = device.stream();
        let mut first = stream.alloc_zeros(target)?;
        let mut weights = stream.alloc_zeros(target * taps)?;
        let (kind, from, to, taps) = (0_i32, int(source), int(target), int(taps));
        let mut launch = stream.launch_builder(device.kernel("resize_table")?);
        launch.arg(&kind).arg(&from).arg(&to).arg(&taps).arg(&mut first).arg(&mut weights);
        let config = LaunchConfig { grid_dim: (up(target, 128), 1, 1), block_dim: LINE, shared_mem_bytes: 0 };
        // SAFETY: the arguments are the kernel's, and the buffers hold a row for each target.
        unsafe { launch.launch(config)? };
        Ok(Self { first, weights, taps })
    }
}
