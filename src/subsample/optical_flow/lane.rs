//! The flow of one output: frames in, a member and fields out.

use serde_json::{Map, Value, json};

use super::engine::{Engine, engine};
use super::member::FlowMember;
use super::motion::Motion;
use super::{Dtype, FlowPlan, Gray, Ticks, gray};
use crate::flow::{FlowError, Luma};
use crate::gpu::Cost;
use crate::media::{DecodedFrame, Shrinker, SmallFormat};
use crate::mill::worker::{Outlet, Stored};
use crate::sample::{Failure, FailureClass};
use crate::subsample::Processors;

/// Pixels of a small picture, at most: flow takes a hundred bytes for each.
const MAX_PIXELS: u64 = 1 << 23;

/// Frames of one output on their way. Holds two small pictures and what was said of each flow: memory does not grow with
/// the video but for a few numbers per flow.
pub struct Lane {
    plan: FlowPlan,
    /// Degrees clockwise until pictures stand upright.
    turn: u32,
    /// Frames that may be taken, at most.
    most: u64,
    /// Pixels of a picture, as the container says.
    stored: (u32, u32),
    ticks: Ticks,
    running: Option<Running>,
    /// Seconds of the frames that were taken.
    times: Vec<f64>,
    motion: Motion,
}

/// What the first frame decides the size of.
struct Running {
    shrinker: Shrinker,
    engine: Box<dyn Engine>,
    width: usize,
    height: usize,
    luma: Vec<u8>,
    /// Where flows are written down.
    member: Option<FlowMember>,
}

/// What becomes of a flow.
fn take(
    flow: &[f32],
    member: &mut Option<FlowMember>,
    motion: &mut Motion,
    outlet: &Outlet<'_>,
) -> Result<(), Failure> {
    motion.add(flow);
    member.as_mut().map_or(Ok(()), |member| member.add(flow, outlet))
}

impl Lane {
    /// `turn`: degrees clockwise until pictures stand upright; `most`: frames that may be taken, at most; `stored`: the
    /// pictures' size, as the container says.
    pub fn new(plan: FlowPlan, turn: u32, most: u64, stored: (u32, u32)) -> Self {
        let (ticks, motion) = (Ticks::new(plan.fps), Motion::new());
        Self { plan, turn, most, stored, ticks, running: None, times: Vec::new(), motion }
    }

    /// What the flow will cost, as the container tells; none where its pictures have to be made on the CPU.
    pub fn cost(&self) -> Option<Cost> {
        let (width, height) = small(self.stored.0, self.stored.1, self.plan.side).ok()?;
        let pixels = u64::from(width) * u64::from(height);
        self.plan.has_gpu_kernels().then_some(Cost { pixels, pairs: self.most.saturating_sub(1) })
    }

    /// The next frame of the output, in the order of presentation.
    ///
    /// # Errors
    /// The sample's failure: pictures that cannot be made small, or outputs over their limit.
    pub fn frame(
        &mut self,
        frame: &DecodedFrame<'_>,
        outlet: &Outlet<'_>,
        processors: &Processors,
    ) -> Result<(), Failure> {
        if !self.ticks.takes(frame.seconds) {
            return Ok(());
        }
        if self.times.len() as u64 >= self.most {
            let what = "optical flow: the frames' times are not those of their packets";
            return Err(Failure::new(FailureClass::NotDecodable, what));
        }
        let running = match &mut self.running {
            Some(running) => running,
            none => none.insert(Running::new(&self.plan, self.turn, frame, self.most, outlet, processors)?),
        };
        self.times.push((frame.seconds * 1e6).round() / 1e6);
        running.push(&self.plan, self.turn, frame, &mut self.motion, outlet)
    }

    /// After the last frame: the fields, and the member where flows are stored. Of fewer than two frames there is no flow:
    /// the fields that speak of it are null, and there is no member.
    ///
    /// # Errors
    /// `decoder_memory`: the machine has no room.
    pub fn finish(mut self, outlet: &Outlet<'_>) -> Result<(Map<String, Value>, Option<Stored>), Failure> {
        if let Some(Running { engine, member, .. }) = &mut self.running {
            engine.finish(&mut |flow| take(flow, member, &mut self.motion, outlet))?;
        }
        let flows = self.motion.flows();
        let some = |value: Value| if flows == 0 { Value::Null } else { value };
        let fields = [
            ("mean_optical_flow_magnitude", some(self.motion.mean())),
            ("max_optical_flow_magnitude", some(self.motion.max())),
            ("mean_optical_flow_magnitude_per_frame", self.motion.means()),
            ("optical_flow_magnitude_percentiles", some(self.motion.percentiles())),
            ("optical_flow_times", json!(self.times)),
            ("optical_flow_fps", json!(self.plan.fps)),
            ("optical_flow_downsample_size", json!(self.plan.side)),
            ("optical_flow_dtype", json!(self.plan.dtype.name())),
        ];
        let mut fields: Map<String, Value> = fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
        let member = self.running.and_then(|running| running.member);
        if self.plan.dtype == Dtype::Int8 {
            let scales = member.as_ref().map(FlowMember::scales).filter(|scales| !scales.is_empty());
            fields.insert("optical_flow_scales".into(), json!(scales));
        }
        let stored = member.map(|member| member.finish(&self.times, outlet)).transpose()?;
        Ok((fields, stored.flatten()))
    }

    /// Frames that were taken.
    pub fn frames(&self) -> usize {
        self.times.len()
    }
}

impl Running {
    fn new(
        plan: &FlowPlan,
        turn: u32,
        frame: &DecodedFrame<'_>,
        most: u64,
        outlet: &Outlet<'_>,
        processors: &Processors,
    ) -> Result<Self, Failure> {
        let picture = frame.raw();
        let (stored_width, stored_height) = small(picture.width(), picture.height(), plan.side)?;
        let format = match plan.gray {
            Gray::Bt601 => SmallFormat::Luma,
            Gray::Video2dataset => SmallFormat::Rgb,
        };
        let shrinker = Shrinker::new(format, stored_width, stored_height);
        let (width, height) = match turn {
            90 | 270 => (stored_height as usize, stored_width as usize),
            _ => (stored_width as usize, stored_height as usize),
        };
        let most_flows = most.saturating_sub(1);
        let engine = engine(plan, (width, height), most_flows, processors)?;
        let member = plan.stores.then(|| FlowMember::new(plan, (width, height), most_flows, outlet)).transpose()?;
        Ok(Self { shrinker, engine, width, height, luma: Vec::new(), member })
    }

    fn push(
        &mut self,
        plan: &FlowPlan,
        turn: u32,
        frame: &DecodedFrame<'_>,
        motion: &mut Motion,
        outlet: &Outlet<'_>,
    ) -> Result<(), Failure> {
        let Self { engine, member, .. } = self;
        let mut each = |flow: &[f32]| take(flow, member, motion, outlet);
        if plan.has_gpu_kernels()
            && let Some(surface) = frame.surface().filter(|_| engine.takes_surfaces())
        {
            return engine.push_surface(surface, turn, &mut each);
        }
        let picture = self.shrinker.shrink(frame)?;
        let bytes = if plan.gray == Gray::Bt601 { 1 } else { 3 };
        gray::upright(&picture, bytes, turn, &mut self.luma);
        let luma = Luma::new(&self.luma, self.width, self.height, self.width).map_err(failed)?;
        engine.push(luma, &mut each)
    }
}

/// The small picture's size: `side` pixels on its shorter side, the other one in proportion, to the nearest pixel.
fn small(width: u32, height: u32, side: u32) -> Result<(u32, u32), Failure> {
    let (short, long) = (u64::from(width.min(height).max(1)), u64::from(width.max(height)));
    let other = (long * u64::from(side) * 2 + short) / (short * 2);
    let fits = |other: u64| other * u64::from(side) <= MAX_PIXELS && other <= 1 << 15;
    let other = u32::try_from(other).ok().filter(|other| fits(u64::from(*other))).ok_or_else(|| {
        let what = format!(
            "optical flow: a picture of {width}x{height} with {side} pixels on its shorter side is too large: over \
             {MAX_PIXELS} pixels, or 32768 on its longer side"
        );
        Failure::new(FailureClass::MediaLimit, what)
    })?;
    Ok(if width < height { (side, other) } else { (other, side) })
}

/// The settings were checked, and sizes are those of the lane: only a bug gets here.
fn failed(error: FlowError) -> Failure {
    Failure::new(FailureClass::Internal, format!("a bug of clipmill: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_side_has_the_size_that_was_asked_for() {
        assert_eq!(small(640, 272, 16).unwrap(), (38, 16));
        assert_eq!(small(272, 640, 16).unwrap(), (16, 38));
        assert_eq!(small(1280, 720, 16).unwrap(), (28, 16));
        assert_eq!(small(10, 10, 256).unwrap(), (256, 256));
        // As large as can be, and a pixel more.
        assert_eq!(small(2048, 1, 16).unwrap(), (32768, 16));
        for (width, height, side) in [(2049, 1, 16), (2, 16384, 16), (4096, 2049, 4096), (u32::MAX, 1, 4096)] {
            assert_eq!(small(width, height, side).unwrap_err().class, FailureClass::MediaLimit, "{width}x{height}");
        }
    }
}
