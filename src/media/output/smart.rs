//! The pictures of a file that are copied, but for its edges.

use std::sync::Arc;

use ffmpeg_next::codec::Parameters;
use ffmpeg_next::{Packet, ffi, frame};

use super::encoder::VideoCodec;
use super::lane::Lane;
use super::muxer::keep;
use super::pictures::Encoded;
use crate::media::log::LogLines;
use crate::media::smart::units::{self, Framing, kind, kind_of};
use crate::media::smart::{Groups, NotSmart, Seams, Sets};
use crate::media::{MediaError, VideoInfo};

/// What is copied and what is encoded.
#[derive(Debug, Clone, PartialEq)]
pub struct SmartSpec {
    pub groups: Arc<Groups>,
    pub seams: Seams,
    /// Of the edges; see [`Groups::edges`].
    pub codec: VideoCodec,
}

/// One edge: frames through an encoder of its own.
struct Edge {
    encoded: Encoded,
    lane: Lane,
    /// When the frame behind it is shown.
    end: i64,
}

/// The parts of one file, each in its order.
pub struct Smart {
    groups: Arc<Groups>,
    seams: Seams,
    stream: usize,
    parameters: Parameters,
    zero: i64,
    lead: Edge,
    tail: Edge,
    copied: Vec<Packet>,
}

impl Smart {
    /// `zero`: where the file's time begins; `usual`: how long a frame lasts that does not tell.
    pub fn new(spec: &SmartSpec, info: &VideoInfo, parameters: &Parameters, zero: i64, usual: i64) -> Self {
        let edge = |end| {
            let encoded = Encoded::new(info, None, None, spec.codec.clone());
            Edge {
                encoded: encoded.with_clock(zero, usual).with_global_headers(true),
                lane: Lane { usual_duration: usual, ..Lane::default() },
                end,
            }
        };
        Self {
            groups: spec.groups.clone(),
            seams: spec.seams,
            stream: info.stream,
            parameters: parameters.clone(),
            zero,
            lead: edge(spec.seams.copied.start),
            tail: edge(spec.seams.whole.end),
            copied: Vec::new(),
        }
    }

    pub fn stream(&self) -> usize {
        self.stream
    }

    pub fn wants_frames(&self) -> bool {
        self.seams.encoded() > 0
    }

    /// Takes a frame of the clip; those of the copied part are not needed.
    pub fn frame(&mut self, frame: &frame::Video, pts: i64, log: &LogLines) -> Result<(), MediaError> {
        let copied = self.seams.copied;
        let edge = match pts {
            _ if pts < copied.start => &mut self.lead,
            _ if pts >= copied.end => &mut self.tail,
            _ => return Ok(()),
        };
        edge.encoded.frame(frame, pts, log, &mut edge.lane)
    }

    /// Takes a packet of its stream; it keeps those of the copied part.
    pub fn packet(&mut self, packet: &Packet) -> Result<(), MediaError> {
        let copied = self.seams.copied;
        let Some(pts) = packet.pts().filter(|pts| (copied.start..copied.end).contains(pts)) else { return Ok(()) };
        let mut kept = plain(packet, self.groups.coding.framing, false)?;
        kept.set_pts(Some(pts - self.zero));
        self.copied.push(kept);
        Ok(())
    }

    /// Nothing more comes: all packets, in their order, go to `lane`.
    ///
    /// # Errors
    /// [`MediaError::NoSeam`]: the parts are not those that were planned, or do not fit together.
    pub fn finish(&mut self, log: &LogLines, lane: &mut Lane) -> Result<(), MediaError> {
        let mut sets = self.groups.coding.sets.clone();
        let [before, between, behind] = self.seams.frames;
        let lead = packets(&mut self.lead, before, &mut sets, log)?;
        let tail = packets(&mut self.tail, behind, &mut sets, log)?;
        if self.copied.len() != between {
            return Err(MediaError::NoSeam(NotSmart::Missing));
        }
        let header = sets.header(self.groups.coding.depth).ok_or(MediaError::NoSeam(NotSmart::Unlike))?;
        set_header(&mut self.parameters, &header)?;
        let time_base = self.lead.encoded.time_base();
        let mut all: Vec<Packet> = lead.into_iter().chain(self.copied.drain(..)).chain(tail).collect();
        set_times(&mut all, self.seams.whole.end - self.zero);
        lane.ready = Some((self.parameters.clone(), time_base));
        lane.encoded = self.seams.encoded() as u64;
        all.into_iter().for_each(|packet| lane.take(packet));
        Ok(())
    }
}

/// What an edge of so many frames became; its parameter sets are added to `sets`.
fn packets(edge: &mut Edge, frames: usize, sets: &mut Sets, log: &LogLines) -> Result<Vec<Packet>, MediaError> {
    if frames == 0 {
        return Ok(Vec::new());
    }
    edge.encoded.finish(Some(edge.end), log, &mut edge.lane)?;
    let refuse = |why| Err(MediaError::NoSeam(why));
    let Some((parameters, _)) = edge.lane.ready.take() else { return refuse(NotSmart::Missing) };
    let made = std::mem::take(&mut edge.lane.waiting);
    if made.len() != frames {
        return refuse(NotSmart::Missing);
    }
    let source = sets.sequence().map_err(MediaError::NoSeam)?;
    let (own, framing) = Sets::of_header(header_of(&parameters)).map_err(MediaError::NoSeam)?;
    let sequence = own.sequence().map_err(MediaError::NoSeam)?;
    if !sequence.continues(&source) || sequence.aspect != source.aspect || framing != Framing::StartCodes {
        return refuse(NotSmart::Unlike);
    }
    for unit in Framing::StartCodes.units(header_of(&parameters)).unwrap_or_default() {
        sets.add(unit).map_err(MediaError::NoSeam)?;
    }
    made.iter().map(|packet| plain(packet, Framing::StartCodes, true)).collect()
}

/// The packet with lengths of four bytes before its units, without the parameter sets that are in the header, and without
/// marks that belong to the other framing. The bytes are shared where nothing changes.
fn plain(packet: &Packet, framing: Framing, is_edge: bool) -> Result<Packet, MediaError> {
    let damaged = || MediaError::NoSeam(NotSmart::Damaged);
    let bytes = packet.data().unwrap_or_default();
    let found = framing.units(bytes).ok_or_else(damaged)?;
    let is_kept = |unit: &&[u8]| match kind_of(unit) {
        kind::SPS | kind::PPS | kind::DELIMITER | kind::FILLER => false,
        // What an encoder says of itself would be taken to be said of the copied part, too.
        kind::SEI => !is_edge || !is_signature(unit),
        _ => true,
    };
    let kept = || found.iter().copied().filter(is_kept);
    if framing == Framing::Lengths(4) && kept().count() == found.len() {
        return Ok(keep(packet));
    }
    let packed = units::packed(kept());
    let mut changed = Packet::copy(&packed);
    changed.set_pts(packet.pts());
    changed.set_duration(packet.duration());
    changed.set_flags(packet.flags());
    Ok(changed)
}

/// Text that belongs to no standard, as x264 puts its name and settings.
fn is_signature(unit: &[u8]) -> bool {
    unit.get(1) == Some(&5)
}

/// Decoding times, as late as the order of the frames allows; and how long each frame is shown, the last one until `end`.
fn set_times(packets: &mut [Packet], end: i64) {
    let mut shown: Vec<i64> = packets.iter().filter_map(Packet::pts).collect();
    shown.sort_unstable();
    let delay = packets.iter().zip(&shown).filter_map(|(packet, time)| Some(time - packet.pts()?)).max().unwrap_or(0);
    for (packet, time) in packets.iter_mut().zip(&shown) {
        packet.set_dts(Some(time - delay));
        if let Some(own) = packet.pts() {
            let next = shown.get(shown.partition_point(|time| *time <= own)).copied().unwrap_or(end);
            packet.set_duration((next - own).max(1));
        }
    }
}

fn header_of(parameters: &Parameters) -> &[u8] {
    // SAFETY: the parameters are borrowed as long as the slice; FFmpeg keeps pointer and size in step.
    unsafe {
        let raw: *const ffi::AVCodecParameters = parameters.as_ptr();
        match usize::try_from((*raw).extradata_size) {
            Ok(size) if size > 0 && !(*raw).extradata.is_null() => std::slice::from_raw_parts((*raw).extradata, size),
            _ => &[],
        }
    }
}

fn set_header(parameters: &mut Parameters, header: &[u8]) -> Result<(), MediaError> {
    let size = i32::try_from(header.len()).map_err(|_| MediaError::NoSeam(NotSmart::Unlike))?;
    let padded = header.len() + ffi::AV_INPUT_BUFFER_PADDING_SIZE as usize;
    // SAFETY: the parameters are ours alone; they own their header, which FFmpeg's allocator made and frees, with zeros
    // behind it.
    unsafe {
        let raw = parameters.as_mut_ptr();
        let copy = ffi::av_mallocz(padded).cast::<u8>();
        if copy.is_null() {
            return Err(MediaError::Encoder { detail: "out of memory".into() });
        }
        std::ptr::copy_nonoverlapping(header.as_ptr(), copy, header.len());
        ffi::av_freep((&raw mut (*raw).extradata).cast());
        (*raw).extradata = copy;
        (*raw).extradata_size = size;
        // `avc1`: all parameter sets are in the header.
        (*raw).codec_tag = 0;
    }
    Ok(())
}
