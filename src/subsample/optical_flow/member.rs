//! The member that flows are stored in: an array of NumPy's, or a file of HDF5.

use super::npy::{HEADER_BYTES, header};
use super::{Dtype, FlowPlan};
use crate::hdf5::{Attribute, Chunks, Clash, Kind, Target, Type, Writer};
use crate::mill::worker::{Outlet, Room, Stored};
use crate::sample::{Failure, FailureClass};

/// A member on its way: flows leave this process as they come, so that memory does not grow with the video.
pub struct FlowMember {
    plan: FlowPlan,
    width: u64,
    height: u64,
    flows: u64,
    /// The stored form of one flow.
    bytes: Vec<u8>,
    /// Of each flow, where it is stored in steps.
    scales: Vec<f32>,
    room: Room,
    form: Form,
}

enum Form {
    Npy,
    H5(Box<(Writer, Chunks)>),
}

/// The member's room, as a place for a file.
struct Place<'a> {
    outlet: &'a Outlet<'a>,
    room: &'a Room,
}

impl Target for Place<'_> {
    type Error = Failure;

    fn write_at(&mut self, at: u64, bytes: &[u8]) -> Result<(), Failure> {
        self.outlet.fill(self.room, at, bytes)
    }
}

impl FlowMember {
    /// Room for `most` flows, at most.
    ///
    /// # Errors
    /// `output_too_large`: known before anything is computed.
    pub fn new(
        plan: &FlowPlan,
        (width, height): (usize, usize),
        most: u64,
        outlet: &Outlet<'_>,
    ) -> Result<Self, Failure> {
        let (width, height) = (width as u64, height as u64);
        let (form, len) = if plan.h5 {
            let chunks = Chunks::new(plan.dtype.h5(), &[height, width, 2], most.max(1)).ok_or_else(bug)?;
            // The times and the scales, and what says what they are.
            let rest = most.saturating_add(1).saturating_mul(12).saturating_add(16 << 10);
            let len = chunks.most_bytes(most).saturating_add(rest);
            (Form::H5(Box::new((Writer::default(), chunks))), len)
        } else {
            let flow = width * height * 2 * plan.dtype.bytes();
            (Form::Npy, most.saturating_mul(flow).saturating_add(HEADER_BYTES as u64))
        };
        let room = outlet.reserve(len)?;
        Ok(Self { plan: *plan, width, height, flows: 0, bytes: Vec::new(), scales: Vec::new(), room, form })
    }

    /// The next flow: dx and dy of each pixel.
    ///
    /// # Errors
    /// `decoder_memory`: the machine has no room.
    pub fn add(&mut self, flow: &[f32], outlet: &Outlet<'_>) -> Result<(), Failure> {
        let scale = self.plan.dtype.write(flow, &mut self.bytes);
        self.scales.extend(scale);
        match &mut self.form {
            Form::Npy => {
                let at = HEADER_BYTES as u64 + self.flows * self.bytes.len() as u64;
                outlet.fill(&self.room, at, &self.bytes)?;
            }
            Form::H5(file) => {
                let (writer, chunks) = &mut **file;
                chunks.push(writer, &mut Place { outlet, room: &self.room }, &self.bytes)?;
            }
        }
        self.flows += 1;
        Ok(())
    }

    /// The scale of each flow; none where numbers are stored as they are.
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// The whole member, or none where there is no flow. `times`: seconds of the frames.
    ///
    /// # Errors
    /// As [`FlowMember::add`].
    pub fn finish(self, times: &[f64], outlet: &Outlet<'_>) -> Result<Option<Stored>, Failure> {
        let Self { plan, width, height, flows, bytes, scales, room, form } = self;
        if flows == 0 {
            outlet.close(room, 0);
            return Ok(None);
        }
        let len = match form {
            Form::Npy => {
                outlet.fill(&room, 0, &header(plan.dtype, [flows, height, width, 2]))?;
                HEADER_BYTES as u64 + flows * bytes.len() as u64
            }
            Form::H5(file) => {
                let (writer, chunks) = *file;
                finish_h5(&plan, writer, chunks, times, &scales, Place { outlet, room: &room })?
            }
        };
        Ok(Some(outlet.close(room, len)))
    }
}

/// The datasets `flow`, `times` and, where there are any, `scale`.
fn finish_h5(
    plan: &FlowPlan,
    mut writer: Writer,
    chunks: Chunks,
    times: &[f64],
    scales: &[f32],
    mut place: Place<'_>,
) -> Result<u64, Failure> {
    let attributes = [
        ("detector", Attribute::Text(plan.detector.name().into())),
        ("dtype", Attribute::Text(plan.dtype.name().into())),
        ("fps", Attribute::Float(plan.fps)),
        ("downsample_size", Attribute::Integer(plan.side.into())),
    ];
    let clash = |_: Clash| bug();
    let flow = chunks.finish(&mut writer, &mut place, &attributes)?;
    writer.link("", "flow", flow).map_err(clash)?;
    let bytes: Vec<u8> = times.iter().flat_map(|time| time.to_le_bytes()).collect();
    let shape = [times.len() as u64];
    let times = writer.small(&mut place, Type::new(Kind::Float, 8), &shape, &bytes, &[])?;
    writer.link("", "times", times).map_err(clash)?;
    if plan.dtype == Dtype::Int8 {
        let bytes: Vec<u8> = scales.iter().flat_map(|scale| scale.to_le_bytes()).collect();
        let shape = [scales.len() as u64];
        let scale = writer.small(&mut place, Type::new(Kind::Float, 4), &shape, &bytes, &[])?;
        writer.link("", "scale", scale).map_err(clash)?;
    }
    writer.finish(&mut place)
}

impl Dtype {
    fn h5(self) -> Type {
        match self {
            Dtype::Fp16 => Type::new(Kind::Float, 2),
            Dtype::Fp32 => Type::new(Kind::Float, 4),
            Dtype::Int8 => Type::new(Kind::Signed, 1),
        }
    }
}

/// Names and sizes are those of this file: only a bug gets here.
fn bug() -> Failure {
    Failure::new(FailureClass::Internal, "a bug of clipmill: a flow's HDF5 file cannot be laid out")
}
