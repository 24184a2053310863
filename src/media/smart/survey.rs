//! Whether a stream can be copied in part, and from which packets on.

use ffmpeg_next::codec::{self, Id};
use ffmpeg_next::{Packet, ffi};

use super::seams::{Coding, Groups};
use super::sets::Sets;
use super::units::{Framing, kind, kind_of};
use super::{NotSmart, Sequence};
use crate::media::{Media, PacketInfo};

/// Looks at a stream's packets as they are read.
pub struct Survey {
    stream: usize,
    sets: Sets,
    framing: Framing,
    /// By packet: whether nothing from it on refers to what was before.
    refreshes: Vec<bool>,
    problem: Option<NotSmart>,
}

impl Survey {
    /// Of the first video stream.
    pub fn new(media: &Media) -> Self {
        let mut survey = Self {
            stream: usize::MAX,
            sets: Sets::default(),
            framing: Framing::StartCodes,
            refreshes: Vec::new(),
            problem: None,
        };
        match header(media) {
            Ok((stream, sets, framing)) => (survey.stream, survey.sets, survey.framing) = (stream, sets, framing),
            Err(why) => survey.problem = Some(why),
        }
        survey
    }

    /// Takes the file's next packet.
    pub fn packet(&mut self, packet: &Packet) {
        if self.problem.is_some() || packet.stream() != self.stream {
            return;
        }
        match self.look(packet) {
            Ok(refreshes) => self.refreshes.push(refreshes && packet.is_key()),
            Err(why) => self.problem = Some(why),
        }
    }

    fn look(&mut self, packet: &Packet) -> Result<bool, NotSmart> {
        use ffmpeg_next::packet::side_data::Type;
        if packet.side_data().any(|data| matches!(data.kind(), Type::NewExtraData | Type::ParamChange)) {
            return Err(NotSmart::Changes);
        }
        let units = self.framing.units(packet.data().unwrap_or_default()).ok_or(NotSmart::Damaged)?;
        let mut slices = (0, 0);
        for unit in units {
            match kind_of(unit) {
                kind::IDR => slices.0 += 1,
                kind::SLICE => slices.1 += 1,
                kind::SPS | kind::PPS => self.sets.add(unit)?,
                // Hints, and marks of ends.
                kind::SEI | kind::DELIMITER..=kind::FILLER => {}
                // Partitions, views, layers.
                _ => return Err(NotSmart::Damaged),
            }
        }
        match slices {
            (0, 0) | (1.., 1..) => Err(NotSmart::Damaged),
            (refreshing, _) => Ok(refreshing > 0),
        }
    }

    /// `packets`: those that were seen.
    ///
    /// # Errors
    /// Why nothing of the stream can be copied in part.
    pub fn finish(self, packets: &[PacketInfo]) -> Result<Groups, NotSmart> {
        if let Some(why) = self.problem {
            return Err(why);
        }
        if self.refreshes.len() != packets.len() {
            return Err(NotSmart::Damaged);
        }
        let sequence = self.sets.sequence()?;
        if !sequence.is_progressive {
            return Err(NotSmart::Interlaced);
        }
        let profile = profile(&sequence).ok_or(NotSmart::Format)?;
        let formats = formats(&sequence).ok_or(NotSmart::Format)?;
        if !can_encode(formats) {
            return Err(NotSmart::Format);
        }
        let id = self.sets.free_id().ok_or(NotSmart::Changes)?;
        // No frame reordered yet: the packets tell.
        let coding = Coding { sets: self.sets, framing: self.framing, profile, formats, depth: 0, id };
        let groups = Groups::new(packets, &self.refreshes, coding)?;
        match groups.coding.sets.header(groups.coding.depth) {
            Some(_) => Ok(groups),
            None => Err(NotSmart::Damaged),
        }
    }
}

fn header(media: &Media) -> Result<(usize, Sets, Framing), NotSmart> {
    let info = media.video().map_err(|_| NotSmart::Codec)?;
    let stream = media.input().stream(info.stream).ok_or(NotSmart::Codec)?;
    let parameters = stream.parameters();
    if parameters.id() != Id::H264 {
        return Err(NotSmart::Codec);
    }
    if info.rotation != 0 || crate::media::Streams::of(media).turn().is_some() {
        return Err(NotSmart::Turned);
    }
    // SAFETY: the parameters are borrowed; FFmpeg keeps the header's pointer and size in step.
    let header = unsafe {
        let raw: *const ffi::AVCodecParameters = parameters.as_ptr();
        match usize::try_from((*raw).extradata_size) {
            Ok(size) if size > 0 && !(*raw).extradata.is_null() => std::slice::from_raw_parts((*raw).extradata, size),
            _ => &[],
        }
    };
    let (sets, framing) = Sets::of_header(header)?;
    Ok((info.stream, sets, framing))
}

/// x264's name of the profile; none: it cannot write it.
fn profile(sequence: &Sequence) -> Option<&'static str> {
    Some(match sequence.profile {
        66 => "baseline",
        77 => "main",
        100 => "high",
        110 => "high10",
        122 => "high422",
        _ => return None,
    })
}

/// FFmpeg's names of the pixel formats, best first.
fn formats(sequence: &Sequence) -> Option<&'static str> {
    Some(match (sequence.chroma, sequence.depth) {
        (1, (8, 8)) => "yuv420p|yuvj420p",
        (1, (10, 10)) => "yuv420p10le",
        (2, (8, 8)) => "yuv422p|yuvj422p",
        (2, (10, 10)) => "yuv422p10le",
        _ => return None,
    })
}

fn can_encode(formats: &str) -> bool {
    let Some(encoder) = codec::encoder::find_by_name(Groups::ENCODER).and_then(|codec| codec.video().ok()) else {
        return false;
    };
    let wanted: Vec<&str> = formats.split('|').collect();
    let mut known = encoder.formats().into_iter().flatten();
    known.any(|format| format.descriptor().is_some_and(|known| wanted.contains(&known.name())))
}
