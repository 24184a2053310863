//! Farneback's method on a GPU.
//!
//! ```text
//! mod      frames in, flows out: fills one batch while the GPU works on another
//! buffers  the memory of a batch, and how much that is
//! shrink   pictures of a decoder on the device made small
//! launches the kernels' order for a batch (kernels/README.md)
//! ```

mod buffers;
mod launches;
mod shrink;

use std::sync::Arc;

use super::memory::Pinned;
use super::{Device, GpuError, Surface};
use crate::flow::{FarnebackParams, FlowError, Luma, Plan};
use buffers::Buffers;
use shrink::Shrink;

/// Takes each flow, in order.
type Each<'e, E> = dyn FnMut(&[f32]) -> Result<(), E> + 'e;

/// Dense flow by polynomial expansion, with the parameters, and within rounding the numbers, of
/// [`crate::flow::Farneback`]; for frames of one size.
///
/// Pairs of frames are worked on in batches, two of which are under way: the CPU fills one while the GPU computes the
/// other. How large they are changes no number. Flows are as those of the CPU: dx and dy of each pixel, in pixels, row after
/// row, never NaN.
#[derive(Debug)]
pub struct Farneback {
    device: Arc<Device>,
    /// Of a frame, pixels.
    width: usize,
    height: usize,
    plan: Plan,
    buffers: Buffers,
    slots: [Slot; 2],
    filling: usize,
    /// Polynomials of a batch's last frame wait for the next batch, behind so many others.
    carried: Option<usize>,
    halved: u32,
    /// Where frames come from a decoder on the device.
    shrink: Option<Shrink>,
}

/// One batch on the host's side.
#[derive(Debug)]
struct Slot {
    frames: Pinned<u8>,
    flows: Pinned<f32>,
    /// Frames that were filled in, and those of them that the device has already.
    filled: usize,
    uploaded: usize,
    /// Flows that the GPU is at, or done with.
    pairs: usize,
}

impl Farneback {
    /// `batch`: pairs of frames that are worked on together, at most. Where memory is short, half as many are tried, and
    /// half of these again.
    ///
    /// # Errors
    /// [`GpuError::OutOfMemory`] where there is none for one pair; [`GpuError::Lost`]; [`GpuError::Flow`] as
    /// [`crate::flow::Farneback::new`].
    pub fn new(
        device: &Arc<Device>,
        params: &FarnebackParams,
        width: usize,
        height: usize,
        batch: usize,
    ) -> Result<Self, GpuError> {
        let plan = Plan::new(params, width, height)?;
        let mut batch = batch.clamp(1, buffers::MOST_PAIRS);
        while batch > 1 && Buffers::bytes(&plan, batch) > device.budget() {
            batch /= 2;
        }
        let mut halved = 0;
        loop {
            match Self::with_batch(device, &plan, batch) {
                Ok((buffers, slots)) => {
                    let device = Arc::clone(device);
                    return Ok(Self {
                        device,
                        width,
                        height,
                        plan,
                        buffers,
                        slots,
                        filling: 0,
                        carried: None,
                        halved,
                        shrink: None,
                    });
                }
                Err(GpuError::OutOfMemory) if batch > 1 => {
                    batch /= 2;
                    halved += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// How often a batch was halved for want of memory.
    pub fn halved(&self) -> u32 {
        self.halved
    }

    /// The next frame of a video. Flows that are done by now go to `each`.
    ///
    /// # Errors
    /// [`GpuError::Flow`] for a frame of another size, [`GpuError::Lost`], and those of `each`.
    pub fn push<E: From<GpuError>>(&mut self, frame: Luma<'_>, each: &mut Each<'_, E>) -> Result<(), E> {
        let Self { width, height, .. } = *self;
        if (frame.width(), frame.height()) != (width, height) {
            return Err(GpuError::Flow(FlowError::OtherSize).into());
        }
        self.collect(self.filling, each)?;
        let Some(slot) = self.slots.get_mut(self.filling) else { return Ok(()) };
        let pixels = slot.frames.write()?;
        let target = pixels.chunks_exact_mut(width).skip(slot.filled * height);
        target.zip(0..height).for_each(|(row, y)| row.copy_from_slice(frame.row(y)));
        self.filled()?;
        Ok(())
    }

    /// As [`Farneback::push`], with a decoder's picture in the device's memory: it is made small there, and turned clockwise
    /// by `turn` degrees (0, 90, 180, 270). It is read before anything that is started on the device's stream later.
    ///
    /// # Errors
    /// The same; [`GpuError::OutOfMemory`] where there is no room for a picture of its size.
    pub fn push_surface<E: From<GpuError>>(
        &mut self,
        surface: Surface<'_>,
        turn: u32,
        each: &mut Each<'_, E>,
    ) -> Result<(), E> {
        self.collect(self.filling, each)?;
        self.draw(&surface, turn)?;
        self.filled()?;
        Ok(())
    }

    /// No frame comes any more: all flows that are left go to `each`. The next frame begins a video.
    ///
    /// # Errors
    /// As [`Farneback::push`].
    pub fn finish<E: From<GpuError>>(&mut self, each: &mut Each<'_, E>) -> Result<(), E> {
        if self.slots.get(self.filling).is_some_and(|slot| slot.filled > 0) {
            self.submit()?;
        }
        // The one that would be filled next is the older one.
        self.collect(self.filling, each)?;
        self.collect(1 - self.filling, each)?;
        self.carried = None;
        Ok(())
    }

    fn with_batch(device: &Device, plan: &Plan, batch: usize) -> Result<(Buffers, [Slot; 2]), GpuError> {
        let buffers = Buffers::new(device, plan, batch)?;
        let pixels = buffers::pixels(plan);
        let slot = || {
            Ok::<_, GpuError>(Slot {
                frames: Pinned::new(device.context(), (batch + 1) * pixels)?,
                flows: Pinned::new(device.context(), batch * pixels * 2)?,
                filled: 0,
                uploaded: 0,
                pairs: 0,
            })
        };
        Ok((buffers, [slot()?, slot()?]))
    }

    fn draw(&mut self, surface: &Surface<'_>, turn: u32) -> Result<(), GpuError> {
        let Self { width, height, .. } = *self;
        let small = if matches!(turn, 90 | 270) { (height, width) } else { (width, height) };
        self.upload()?;
        let device = &self.device;
        let shrink = match &mut self.shrink {
            Some(shrink) if shrink.source() == surface.size() => shrink,
            other => other.insert(Shrink::new(device, surface.size(), small)?),
        };
        let Some(slot) = self.slots.get_mut(self.filling) else { return Ok(()) };
        let pixels = width * height;
        let out = self.buffers.frames.slice_mut(slot.filled * pixels..(slot.filled + 1) * pixels);
        shrink.shrink(device, surface, (width, height, turn), out)?;
        slot.uploaded = slot.filled + 1;
        Ok(())
    }

    /// One more frame is there: a batch that is full is started.
    fn filled(&mut self) -> Result<(), GpuError> {
        let wanted = self.buffers.pairs + usize::from(self.carried.is_none());
        let Some(slot) = self.slots.get_mut(self.filling) else { return Ok(()) };
        slot.filled += 1;
        if slot.filled == wanted { self.submit() } else { Ok(()) }
    }

    /// Starts to copy the frames of the host that the device has not yet.
    fn upload(&mut self) -> Result<(), GpuError> {
        let pixels = self.width * self.height;
        let Some(slot) = self.slots.get_mut(self.filling) else { return Ok(()) };
        if slot.uploaded < slot.filled {
            let range = slot.uploaded * pixels..slot.filled * pixels;
            let mut target = self.buffers.frames.slice_mut(range.clone());
            slot.frames.upload(range, &mut target, self.device.stream())?;
        }
        slot.uploaded = slot.filled;
        Ok(())
    }

    /// Starts the batch that was filled, and goes on to fill the other.
    fn submit(&mut self) -> Result<(), GpuError> {
        self.upload()?;
        let Some(slot) = self.slots.get_mut(self.filling) else { return Ok(()) };
        let frames = std::mem::take(&mut slot.filled);
        slot.uploaded = 0;
        let before = usize::from(self.carried.is_some());
        let pixels = self.width * self.height;
        self.buffers.expand(&self.device, &self.plan, self.carried, frames)?;
        slot.pairs = before + frames - 1;
        if slot.pairs > 0 {
            let flow = self.buffers.solve(&self.device, &self.plan, slot.pairs)?;
            slot.flows.download(slot.pairs * pixels * 2, flow, self.device.stream())?;
        }
        self.carried = Some(slot.pairs);
        self.filling = 1 - self.filling;
        Ok(())
    }

    /// Hands out the flows of a batch that was started, once they are there.
    fn collect<E: From<GpuError>>(&mut self, slot: usize, each: &mut Each<'_, E>) -> Result<(), E> {
        let Some(slot) = self.slots.get_mut(slot) else { return Ok(()) };
        let pairs = std::mem::take(&mut slot.pairs);
        if pairs == 0 {
            return Ok(());
        }
        let flow = self.width * self.height * 2;
        slot.flows.read()?.chunks_exact(flow).take(pairs).try_for_each(each)
    }
}
