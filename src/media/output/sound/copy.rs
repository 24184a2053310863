//! Packets of sound as they are: of a clip, or of everything.
//!
//! A clip rarely begins where a packet does, and decoders need packets before the first one that is heard: the overlap of
//! AAC, the bit reservoir of MP3, the state of Opus. Files that can hide samples get such packets, too, and say from which
//! sample on to play: MP4 by its edit list, MP3 by the delay in its LAME tag, Opus by its pre-skip. They sound as the
//! source does, to the sample. All other files have the packets whose middle lies in the clip.

use std::collections::VecDeque;

use ffmpeg_next::codec::{Id, Parameters};
use ffmpeg_next::packet::Mut as _;
use ffmpeg_next::{Packet, Rational, ffi};

use crate::media::output::lane::Lane;
use crate::media::output::muxer::keep;

/// Seconds that a decoder is run before what is heard of it; Opus' own figure is 0.08 (RFC 7845, section 4.6).
const RUN_UP: f64 = 0.08;
/// What a decoder of MP3 delays by itself. FFmpeg adds it to what the tag says, so that a file cannot hide less.
const MP3_DELAY: i64 = 529;
/// The most that a LAME tag (12 bits) and OpusHead (16) can hide, samples. MP3 gets that much: its reservoir may reach back
/// over several packets.
const MP3_MOST: i64 = 4095 + MP3_DELAY;
const OPUS_MOST: i64 = 65_535;

/// How a file says from which sample on to play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hides {
    /// It cannot.
    Nothing,
    /// Packets have times before 0.
    EditList,
    LameTag,
    PreSkip,
}

impl Hides {
    fn of(extension: &str, codec: Id) -> Self {
        match (extension, codec) {
            ("mp4" | "m4v" | "m4a" | "mov", _) => Hides::EditList,
            ("mp3", Id::MP3) => Hides::LameTag,
            ("opus" | "ogg" | "oga" | "webm" | "mkv" | "mka", Id::OPUS) => Hides::PreSkip,
            _ => Hides::Nothing,
        }
    }
}

/// The packets of one file in the making.
pub struct SoundCopy {
    pub stream: usize,
    parameters: Parameters,
    time_base: Rational,
    hides: Hides,
    /// The clip, and where the file's time begins: in the time base.
    start: i64,
    end: i64,
    zero: i64,
    /// Of before the clip, which its first packet may need.
    before: VecDeque<Packet>,
    /// Samples at the file's beginning that are not to be heard, once it has begun.
    hidden: Option<i64>,
}

impl SoundCopy {
    /// `span` and `zero`: seconds in the stream's clock.
    pub fn new(
        (stream, parameters, time_base): (usize, Parameters, Rational),
        extension: &str,
        span: (f64, f64),
        zero: f64,
    ) -> Self {
        // Saturates: an open end becomes the last time of all.
        let time = |seconds: f64| (seconds / f64::from(time_base)).round() as i64;
        let hides = Hides::of(extension, parameters.id());
        let (start, end, zero) = (time(span.0), time(span.1), time(zero));
        Self { stream, parameters, time_base, hides, start, end, zero, before: VecDeque::new(), hidden: None }
    }

    pub fn time_base(&self) -> Rational {
        self.time_base
    }

    /// The clip ends here, seconds in the stream's clock: before the first packet comes.
    pub fn end_at(&mut self, end: f64) {
        self.end = (end / f64::from(self.time_base)).round() as i64;
    }

    /// Takes a packet of the stream; what belongs to the file goes to `lane`.
    pub fn push(&mut self, packet: &Packet, lane: &mut Lane) {
        let Some(begin) = packet.pts().or(packet.dts()) else { return };
        let length = packet.duration().max(0);
        if self.hides == Hides::Nothing {
            let middle = begin.saturating_add(length / 2);
            if (self.start..self.end).contains(&middle) {
                self.take(keep(packet), lane);
            }
            return;
        }
        if begin >= self.end {
            return;
        }
        if begin.saturating_add(length.max(1)) <= self.start {
            self.before.push_back(keep(packet));
            self.forget();
            return;
        }
        for earlier in std::mem::take(&mut self.before) {
            self.take(earlier, lane);
        }
        self.take(keep(packet), lane);
    }

    /// Lets go of packets that are too far from the clip.
    fn forget(&mut self) {
        let run_up = (RUN_UP / f64::from(self.time_base)) as i64;
        while let Some(first) = self.before.front() {
            let begin = first.pts().or(first.dts()).unwrap_or(i64::MIN);
            let is_far = match self.hides {
                Hides::LameTag => self.samples(self.start.saturating_sub(begin)) > MP3_MOST,
                _ => begin.saturating_add(first.duration().max(0)) <= self.start.saturating_sub(run_up),
            };
            if !is_far {
                return;
            }
            self.before.pop_front();
        }
    }

    fn take(&mut self, mut packet: Packet, lane: &mut Lane) {
        let begin = packet.pts().or(packet.dts()).unwrap_or(self.zero);
        let is_first = self.hidden.is_none();
        let hidden = *self.hidden.get_or_insert(self.own(self.samples(self.start.max(self.zero) - begin)));
        if is_first {
            lane.ready = Some((hiding(&self.parameters, self.hides, hidden), self.time_base));
        }
        if self.hides != Hides::Nothing {
            self.trim(&mut packet, begin, is_first);
        }
        packet.set_pts(packet.pts().map(|time| time - self.zero));
        packet.set_dts(packet.dts().map(|time| time - self.zero));
        lane.take(packet);
    }

    /// What is heard of the packet ends with the clip. Also drops what the source said of it.
    fn trim(&self, packet: &mut Packet, begin: i64, is_first: bool) {
        let padding = i64::from(discarded(packet));
        // All demuxers but that of MP3 leave out of a packet's length what is not to be heard of its end.
        let unheard = if self.parameters.id() == Id::MP3 { self.time(padding).min(packet.duration()) } else { 0 };
        let length = packet.duration() - unheard;
        let over = (begin + length).saturating_sub(self.end).clamp(0, length);
        let cut = padding + self.samples(over);
        // SAFETY: the packet is ours; its side data goes, the flag is a plain number.
        unsafe {
            let raw = packet.as_mut_ptr();
            ffi::av_packet_free_side_data(raw);
            (*raw).flags &= !ffi::AV_PKT_FLAG_DISCARD;
        }
        if cut <= 0 && !(is_first && self.hides == Hides::LameTag) {
            return;
        }
        match self.hides {
            // These muxers take it from there; that of MP3 the delay, too, in place of the stream's.
            Hides::LameTag => set_skipped(packet, self.hidden.unwrap_or(0), cut),
            Hides::PreSkip => {
                set_skipped(packet, 0, cut);
                packet.set_duration(packet.duration() - over);
            }
            _ => packet.set_duration((length - over).max(1)),
        }
    }

    /// Where the file begins with the source's first packet, the source knows better how much of it is hidden than a
    /// coarse clock.
    fn own(&self, hidden: i64) -> i64 {
        // SAFETY: the parameters are ours.
        let own = i64::from(unsafe { (*self.parameters.as_ptr()).initial_padding });
        if own > 0 && (hidden - own).abs() < self.samples(1).max(1) { own } else { hidden }
    }

    fn rate(&self) -> f64 {
        // SAFETY: the parameters are ours.
        f64::from(unsafe { (*self.parameters.as_ptr()).sample_rate })
    }

    fn samples(&self, time: i64) -> i64 {
        (time as f64 * f64::from(self.time_base) * self.rate()).round() as i64
    }

    fn time(&self, samples: i64) -> i64 {
        let seconds = if self.rate() > 0.0 { samples as f64 / self.rate() } else { 0.0 };
        (seconds / f64::from(self.time_base)).round() as i64
    }
}

/// The stream's parameters, in a file whose first `hidden` samples are not to be heard.
fn hiding(parameters: &Parameters, hides: Hides, hidden: i64) -> Parameters {
    let mut parameters = parameters.clone();
    let most = match hides {
        Hides::LameTag => MP3_MOST,
        Hides::PreSkip => OPUS_MOST,
        _ => return parameters,
    };
    let hidden = hidden.clamp(0, most);
    // SAFETY: the parameters are a copy of our own, and the bytes of OpusHead lie within the length that stands beside
    // them: a 16-bit number at 10, little-endian (RFC 7845, section 5.1).
    unsafe {
        let raw = parameters.as_mut_ptr();
        (*raw).initial_padding = i32::try_from(hidden).unwrap_or(0);
        if hides == Hides::PreSkip && !(*raw).extradata.is_null() && (*raw).extradata_size >= 19 {
            let bytes = u16::try_from(hidden).unwrap_or(0).to_le_bytes();
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), (*raw).extradata.add(10), bytes.len());
        }
    }
    parameters
}

/// Samples at the packet's end that are not to be heard.
fn discarded(packet: &Packet) -> u32 {
    let kind = ffmpeg_next::packet::side_data::Type::SkipSamples;
    let found = packet.side_data().find(|data| data.kind() == kind);
    found.and_then(|data| data.data().get(4..8)?.try_into().ok()).map_or(0, u32::from_le_bytes)
}

/// Says how many samples at the packet's start and at its end are not to be heard.
fn set_skipped(packet: &mut Packet, start: i64, end: i64) {
    let bytes = |samples: i64| u32::try_from(samples).unwrap_or(0).to_le_bytes();
    let [a, b, c, d] = bytes(start);
    let [e, f, g, h] = bytes(end);
    let skipped = [a, b, c, d, e, f, g, h, 0, 0];
    // SAFETY: FFmpeg allocates as many bytes as are then written; null is looked for.
    unsafe {
        let kind = ffi::AVPacketSideDataType::AV_PKT_DATA_SKIP_SAMPLES;
        let data = ffi::av_packet_new_side_data(packet.as_mut_ptr(), kind, skipped.len());
        if !data.is_null() {
            std::ptr::copy_nonoverlapping(skipped.as_ptr(), data, skipped.len());
        }
    }
}
