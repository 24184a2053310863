//! What computes the flows of one output: frames in, flows out, on the CPU one by one, on a GPU in batches.

use super::FlowPlan;
use crate::flow::{Flow, FlowError, FlowParams, Luma};
use crate::gpu::{self, Cost, GpuError, Surface};
use crate::sample::{Failure, FailureClass};
use crate::subsample::Processors;

/// Takes each flow, in order: dx and dy of every pixel.
pub type Each<'e> = dyn FnMut(&[f32]) -> Result<(), Failure> + 'e;

/// Dense flow between the frames of a video.
pub trait Engine {
    /// The next frame. Flows that are done go to `each`; not all are at once.
    ///
    /// # Errors
    /// The sample's failure, also one of `each`.
    fn push(&mut self, frame: Luma<'_>, each: &mut Each<'_>) -> Result<(), Failure>;

    /// Whether it takes pictures of a decoder on the device.
    fn takes_surfaces(&self) -> bool {
        false
    }

    /// The next frame, of any size: it is made small on the device, and turned clockwise by `turn` degrees.
    ///
    /// # Errors
    /// As [`Engine::push`].
    fn push_surface(&mut self, _: Surface<'_>, _turn: u32, _: &mut Each<'_>) -> Result<(), Failure> {
        Err(Failure::new(FailureClass::Internal, "a bug of clipmill: a picture on a GPU for the CPU's flow"))
    }

    /// No frame comes any more: the rest of the flows.
    ///
    /// # Errors
    /// The same.
    fn finish(&mut self, each: &mut Each<'_>) -> Result<(), Failure>;
}

/// The engine for frames of this size, `pairs` of them at most; on a GPU where there is one and it is quicker.
///
/// # Errors
/// The sample's failure.
pub fn engine(
    plan: &FlowPlan,
    (width, height): (usize, usize),
    pairs: u64,
    processors: &Processors,
) -> Result<Box<dyn Engine>, Failure> {
    let cost = Cost { pixels: (width * height) as u64, pairs };
    if let FlowParams::Farneback(params) = &plan.params
        && let Some(device) = processors.for_flow(cost)
    {
        match gpu::Farneback::new(&device, params, width, height, cost.batch()) {
            Ok(farneback) => {
                processors.halved(farneback.halved());
                return Ok(Box::new(OnGpu(farneback)));
            }
            // No frame has been looked at yet.
            Err(GpuError::OutOfMemory) if !processors.requires_gpu() => processors.fell_back("gpu_memory"),
            Err(error) => return Err(failure(&error)),
        }
    }
    let flow = Flow::new(&plan.params, width, height, None).map_err(failed)?;
    Ok(Box::new(OnCpu(flow)))
}

struct OnCpu(Flow);

impl Engine for OnCpu {
    fn push(&mut self, frame: Luma<'_>, each: &mut Each<'_>) -> Result<(), Failure> {
        match self.0.push(frame).map_err(failed)? {
            Some(flow) => each(flow),
            None => Ok(()),
        }
    }

    fn finish(&mut self, _: &mut Each<'_>) -> Result<(), Failure> {
        Ok(())
    }
}

struct OnGpu(gpu::Farneback);

impl Engine for OnGpu {
    fn push(&mut self, frame: Luma<'_>, each: &mut Each<'_>) -> Result<(), Failure> {
        self.0.push::<Failure>(frame, each)
    }

    fn takes_surfaces(&self) -> bool {
        true
    }

    fn push_surface(&mut self, surface: Surface<'_>, turn: u32, each: &mut Each<'_>) -> Result<(), Failure> {
        self.0.push_surface::<Failure>(surface, turn, each)
    }

    fn finish(&mut self, each: &mut Each<'_>) -> Result<(), Failure> {
        self.0.finish::<Failure>(each)
    }
}

/// The settings were checked, and sizes are those of the lane: only a bug gets here.
fn failed(error: FlowError) -> Failure {
    failure(&GpuError::Flow(error))
}

fn failure(error: &GpuError) -> Failure {
    match error {
        GpuError::OutOfMemory => Failure::new(FailureClass::GpuMemory, format!("optical flow: {error}")),
        GpuError::Lost(_) => Failure::new(FailureClass::GpuLost, format!("optical flow: {error}")),
        GpuError::Flow(error) => Failure::new(FailureClass::Internal, format!("a bug of clipmill: {error}")),
    }
}

impl From<GpuError> for Failure {
    fn from(error: GpuError) -> Self {
        failure(&error)
    }
}
