//! The flow between frames, of every output.

use super::outputs::{Fields, Output};
use super::thin;
use super::work::Work;
use crate::gpu::Cost;
use crate::media::{DecodedFrame, Stretch};
use crate::mill::worker::{Outlet, Stored};
use crate::sample::{Failure, FailureClass};
use crate::subsample::optical_flow::{FlowPlan, H5, Lane};

/// The flows of all outputs in the making.
pub struct Flows {
    /// As the outputs.
    outputs: Vec<Flow>,
}

enum Flow {
    /// Of nothing that is wanted.
    None,
    Running {
        /// Times of the frames that are its own; the end excluded.
        start: i64,
        end: i64,
        lane: Box<Lane>,
    },
    Done(Fields, Option<Stored>),
}

impl Flows {
    pub fn new(work: &Work<'_>, outputs: &[Output]) -> Self {
        let stored = work.video.as_ref().map_or((0, 0), |video| (video.width, video.height));
        let turn = work.video.as_ref().map_or(0, |video| video.rotation);
        let flow = |output: &Output| match work.edit.flow {
            Some(plan) if output.is_wanted => {
                let extension = work.recipe.formats.optical_flow.as_deref();
                let plan = FlowPlan { stores: plan.stores && extension.is_some(), h5: extension == Some(H5), ..plan };
                let stretch = output.stretch().unwrap_or(thin::EVERYTHING);
                let most = most(work, stretch, plan.fps);
                Flow::Running {
                    start: stretch.start,
                    end: stretch.end,
                    lane: Box::new(Lane::new(plan, turn, most, stored)),
                }
            }
            _ => Flow::None,
        };
        Self { outputs: outputs.iter().map(flow).collect() }
    }

    /// The cost of the largest flow, where all of them can be computed of pictures on a device.
    pub fn cost(&self) -> Option<Cost> {
        let running = self.outputs.iter().filter_map(|flow| match flow {
            Flow::Running { lane, .. } => Some(lane),
            Flow::None | Flow::Done(..) => None,
        });
        let costs: Option<Vec<Cost>> = running.map(|lane| lane.cost()).collect();
        costs?.into_iter().max_by_key(|cost| cost.pixels * cost.pairs)
    }

    /// Whether frames are still to come.
    pub fn is_waiting(&self) -> bool {
        self.outputs.iter().any(|flow| matches!(flow, Flow::Running { .. }))
    }

    pub fn frame(
        &mut self,
        frame: &DecodedFrame<'_>,
        pts: i64,
        outlet: &Outlet<'_>,
        work: &Work<'_>,
    ) -> Result<(), Failure> {
        for flow in &mut self.outputs {
            match flow {
                Flow::Running { start, end, lane } if (*start..*end).contains(&pts) => {
                    lane.frame(frame, outlet, work.processors)?;
                }
                // What it holds is given back before the next clip begins.
                Flow::Running { end, .. } if pts >= *end => flow.end(outlet)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// The pass is over.
    ///
    /// # Errors
    /// `too_short`: one frame alone has no flow. Of several clips, one that has none goes out without.
    pub fn store(self, outputs: &mut [Output], extension: Option<&str>, outlet: &Outlet<'_>) -> Result<(), Failure> {
        for (output, mut flow) in outputs.iter_mut().zip(self.outputs) {
            if let Flow::Running { lane, .. } = &flow
                && output.planned.is_none()
                && lane.frames() < 2
            {
                let what = "optical flow needs two frames: fewer are there to be looked at, at the rate `fps`";
                return Err(Failure::new(FailureClass::TooShort, what));
            }
            flow.end(outlet)?;
            if let Flow::Done(fields, stored) = flow {
                output.fields.extend(fields);
                output.members.extend(extension.map(str::to_owned).zip(stored));
            }
        }
        Ok(())
    }
}

impl Flow {
    fn end(&mut self, outlet: &Outlet<'_>) -> Result<(), Failure> {
        *self = match std::mem::replace(self, Flow::None) {
            Flow::Running { lane, .. } => {
                let (fields, stored) = lane.finish(outlet)?;
                Flow::Done(fields, stored)
            }
            over => over,
        };
        Ok(())
    }
}

/// Frames that may be taken of a stretch: those that the packets announce, and some more, for the decoder has the last word
/// on its frames' times.
fn most(work: &Work<'_>, stretch: Stretch, fps: f64) -> u64 {
    let announced = match work.tells_times() {
        true => thin::ticks(&work.frames, &[stretch], fps).len(),
        false => work.packets.len(),
    };
    (announced + announced / 16 + 16) as u64
}
