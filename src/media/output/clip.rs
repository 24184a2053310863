//! One output file of one clip.

mod open_ended;

use ffmpeg_next::{Packet, Rational, frame};

use super::encoder::VideoCodec;
use super::faststart::FileBytes;
use super::lane::{Lane, Turn, in_turn};
use super::muxer::{Muxer, SideData};
use super::own::{Gate, copy_video};
use super::pictures::Encoded;
use super::smart::{Smart, SmartSpec};
use super::sound::{AudioCodec, SoundCopy, SoundTrack};
use super::source::Streams;
use crate::media::log::LogLines;
use crate::media::{DecodedFrame, MediaError, Stretch, VideoInfo};

/// What one file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipSpec {
    /// Without the dot; says which container.
    pub extension: String,
    pub video: VideoSpec,
    pub sound: SoundSpec,
    /// Presentation times of the video's frames that belong to it, in the stream's time base; none: all.
    pub stretch: Option<Stretch>,
    /// The sound that belongs to it, seconds in the streams' clock.
    pub span: (f64, f64),
    /// Where the file's time begins, seconds in the streams' clock.
    pub zero: f64,
}

/// What becomes of the pictures.
#[derive(Debug, Clone, PartialEq)]
pub enum VideoSpec {
    None,
    /// Packets as they are: the stretch begins at a keyframe.
    Copy,
    /// Whole groups of pictures as they are, encoded edges.
    Smart(SmartSpec),
    Encode {
        /// A chain of filters as `ffmpeg -vf` takes it.
        graph: Option<String>,
        codec: VideoCodec,
    },
}

/// What becomes of the sound; a source without any gives a file without any.
#[derive(Debug, Clone, PartialEq)]
pub enum SoundSpec {
    None,
    Copy,
    Encode(AudioCodec),
}

/// A finished file.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipFile {
    pub bytes: FileBytes,
    pub video: Option<StreamSummary>,
    pub sound: Option<StreamSummary>,
}

/// What a file holds of one stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StreamSummary {
    /// Seconds in the streams' clock.
    pub start: f64,
    /// Where the last packet ends.
    pub end: f64,
    pub packets: u64,
    /// Of them, the encoded ones of a video whose other packets are copied.
    pub encoded: u64,
    /// Pixels, as a player shows them but for the turn of a copied stream; 0 for sound.
    pub width: u32,
    pub height: u32,
}

enum Pictures {
    None,
    Copy { stream: usize, zero: i64, is_over: bool, has_key: bool },
    Smart(Box<Smart>),
    Encode(Box<Encoded>),
}

enum Sound {
    None,
    Copy(Box<SoundCopy>),
    Encode(Box<SoundTrack>),
}

/// Takes the frames and packets of one pass and makes one file of those that belong to it.
pub struct ClipWriter {
    muxer: Muxer,
    pictures: Pictures,
    sound: Sound,
    video_lane: Lane,
    sound_lane: Lane,
    turns: Vec<Turn>,
    stretch: Option<Stretch>,
    span: (f64, f64),
    gate: Gate,
    zero: f64,
    info: Option<VideoInfo>,
    has_begun: bool,
    side_data: Vec<SideData>,
    log: LogLines,
}

impl ClipWriter {
    pub fn new(source: &Streams, spec: &ClipSpec) -> Result<Self, MediaError> {
        let muxer = Muxer::new(&spec.extension)?;
        let info = source.video.as_ref().map(|(info, ..)| *info);
        let zero_in = |time_base: Rational| (spec.zero / f64::from(time_base)).round() as i64;
        let mut video_lane = Lane::default();
        let mut side_data = Vec::new();
        let pictures = match (&spec.video, &source.video) {
            (VideoSpec::None, _) => Pictures::None,
            (_, None) => return Err(MediaError::NoVideo),
            (VideoSpec::Copy, Some((info, parameters, kept))) => {
                video_lane.ready = Some((parameters.clone(), info.time_base));
                side_data = kept.clone();
                Pictures::Copy { stream: info.stream, zero: zero_in(info.time_base), is_over: false, has_key: false }
            }
            (VideoSpec::Smart(spec), Some((info, parameters, kept))) => {
                side_data = kept.clone();
                Pictures::Smart(Box::new(Smart::new(
                    spec,
                    info,
                    parameters,
                    zero_in(info.time_base),
                    frame_length(info),
                )))
            }
            (VideoSpec::Encode { graph, codec }, Some((info, ..))) => {
                let encoded = Encoded::new(info, source.turn(), graph.clone(), codec.clone())
                    .with_clock(zero_in(info.time_base), frame_length(info))
                    .with_global_headers(muxer.wants_global_headers());
                Pictures::Encode(Box::new(encoded))
            }
        };
        video_lane.is_ended = matches!(pictures, Pictures::None);
        if let Some(info) = &info {
            video_lane.usual_duration = frame_length(info);
            video_lane.size = (info.width, info.height);
        }
        if matches!(pictures, Pictures::Copy { .. } | Pictures::Smart(_))
            && let Some(info) = &info
        {
            video_lane.end = known_end(spec.stretch).map(|end| end - zero_in(info.time_base));
        }
        let (sound, sound_lane) = sound(source, spec, &muxer)?;
        let mut writer = Self {
            muxer,
            pictures,
            sound,
            video_lane,
            sound_lane,
            turns: Vec::new(),
            stretch: spec.stretch,
            span: spec.span,
            gate: Gate::default(),
            zero: spec.zero,
            info,
            has_begun: false,
            side_data,
            log: source.log.clone(),
        };
        writer.flush()?;
        Ok(writer)
    }

    /// Whether it wants frames, and not only packets.
    pub fn wants_frames(&self) -> bool {
        match &self.pictures {
            Pictures::Encode(_) => true,
            Pictures::Smart(smart) => smart.wants_frames(),
            Pictures::Copy { .. } | Pictures::None => false,
        }
    }

    /// Streams whose packets it wants.
    pub fn streams(&self) -> Vec<usize> {
        let video = match &self.pictures {
            Pictures::Copy { stream, .. } => Some(*stream),
            Pictures::Smart(smart) => Some(smart.stream()),
            _ => None,
        };
        let sound = match &self.sound {
            Sound::None => None,
            Sound::Copy(copy) => Some(copy.stream),
            Sound::Encode(track) => Some(track.stream()),
        };
        video.into_iter().chain(sound).collect()
    }

    /// Takes a decoded frame; those outside of its stretch are none of its business.
    pub fn frame(&mut self, frame: &DecodedFrame<'_>, pts: i64) -> Result<(), MediaError> {
        self.picture(frame.raw(), pts)
    }

    /// As [`ClipWriter::frame`], for one that was kept.
    pub fn picture(&mut self, frame: &frame::Video, pts: i64) -> Result<(), MediaError> {
        if self.stretch.is_some_and(|stretch| !(stretch.start..stretch.end).contains(&pts)) {
            return Ok(());
        }
        match &mut self.pictures {
            Pictures::Encode(encoded) => encoded.frame(frame, pts, &self.log, &mut self.video_lane)?,
            Pictures::Smart(smart) => smart.frame(frame, pts, &self.log)?,
            Pictures::Copy { .. } | Pictures::None => {}
        }
        self.flush()
    }

    /// Takes a packet of one of [`ClipWriter::streams`].
    pub fn packet(&mut self, packet: &Packet) -> Result<(), MediaError> {
        let stream = packet.stream();
        if !self.takes(packet) {
            return Ok(());
        }
        match &mut self.pictures {
            Pictures::Copy { stream: video, zero, is_over, has_key } if *video == stream => {
                if let Some(kept) = copy_video(packet, self.stretch, *zero, is_over, has_key) {
                    self.video_lane.take(kept);
                }
            }
            Pictures::Smart(smart) if smart.stream() == stream => smart.packet(packet)?,
            _ => {}
        }
        match &mut self.sound {
            Sound::Copy(copy) if copy.stream == stream => copy.push(packet, &mut self.sound_lane),
            Sound::Encode(track) if track.stream() == stream => {
                let lane = &mut self.sound_lane;
                track.push(packet, &self.log, &mut |packet| {
                    lane.take(packet);
                    Ok(())
                })?;
                if lane.ready.is_none() {
                    lane.ready = track.parameters();
                }
            }
            _ => {}
        }
        self.flush()
    }

    /// Whether a packet can be one of its own; any of another stream than the sound's may be.
    fn takes(&mut self, packet: &Packet) -> bool {
        let (stream, time_base) = match &self.sound {
            Sound::None => return true,
            Sound::Copy(copy) => (copy.stream, copy.time_base()),
            Sound::Encode(track) => (track.stream(), track.time_base()),
        };
        packet.stream() != stream || self.gate.takes(packet, time_base, self.span)
    }

    /// Nothing more comes: the whole file.
    ///
    /// # Errors
    /// [`MediaError::NothingInside`]: not one frame or packet was its own.
    pub fn finish(mut self) -> Result<ClipFile, MediaError> {
        match &mut self.pictures {
            // A clip's last frame lasts until the one behind the clip is shown.
            Pictures::Encode(encoded) => encoded.finish(known_end(self.stretch), &self.log, &mut self.video_lane)?,
            Pictures::Smart(smart) => smart.finish(&self.log, &mut self.video_lane)?,
            Pictures::Copy { .. } | Pictures::None => {}
        }
        if let Sound::Encode(track) = &mut self.sound {
            let lane = &mut self.sound_lane;
            track.end(&self.log, &mut |packet| {
                lane.take(packet);
                Ok(())
            })?;
            if lane.ready.is_none() {
                lane.ready = track.parameters();
            }
        }
        self.video_lane.is_ended = true;
        self.sound_lane.is_ended = true;
        if self.video_lane.packets == 0 && !matches!(self.pictures, Pictures::None) {
            return Err(MediaError::NothingInside);
        }
        if self.video_lane.packets + self.sound_lane.packets == 0 {
            return Err(MediaError::NothingInside);
        }
        self.flush()?;
        let video = self.video_lane.summary(self.zero);
        let sound = self.sound_lane.summary(self.zero);
        Ok(ClipFile { bytes: self.muxer.finish()?, video, sound })
    }

    /// Writes what waits, once the headers are known.
    fn flush(&mut self) -> Result<(), MediaError> {
        if !self.has_begun {
            let ready = |lane: &Lane| lane.ready.is_some() || lane.is_ended;
            if !ready(&self.video_lane) || !ready(&self.sound_lane) {
                return Ok(());
            }
            for (lane, is_sound) in [(&mut self.video_lane, false), (&mut self.sound_lane, true)] {
                // A stream that nothing came of would be an empty track.
                if let Some((parameters, time_base)) =
                    lane.ready.as_ref().filter(|_| !lane.is_ended || lane.packets > 0)
                {
                    let add = if is_sound { Muxer::add_sound } else { Muxer::add_stream };
                    lane.muxed = Some(add(&mut self.muxer, parameters, *time_base)?);
                }
            }
            self.copy_turn();
            self.muxer.begin(&self.log)?;
            self.has_begun = true;
        }
        in_turn(&mut self.video_lane, &mut self.sound_lane, &mut self.turns);
        self.turns.drain(..).try_for_each(|(_, stream, packet)| self.muxer.write(packet, stream))
    }

    /// Copied pictures still have to be turned by the player.
    fn copy_turn(&mut self) {
        let Some(info) = &self.info else { return };
        if let (Pictures::Copy { .. } | Pictures::Smart(_), Some(muxed)) = (&self.pictures, self.video_lane.muxed) {
            self.muxer.add_side_data(muxed, &self.side_data);
        }
        if let (Some(rate), Some(muxed)) = (info.frame_rate, self.video_lane.muxed)
            && matches!(self.pictures, Pictures::Copy { .. })
        {
            self.muxer.set_frame_rate(muxed, rate);
        }
    }
}

/// How long a frame lasts that does not tell, in the stream's time base.
fn frame_length(info: &VideoInfo) -> i64 {
    let seconds = info.frame_rate.map_or(0.04, |rate| 1.0 / f64::from(rate));
    ((seconds / f64::from(info.time_base)).round() as i64).max(1)
}

/// Where a clip ends that does not go on to the end of the media.
fn known_end(stretch: Option<Stretch>) -> Option<i64> {
    stretch.map(|stretch| stretch.end).filter(|end| *end != i64::MAX)
}

fn sound(source: &Streams, spec: &ClipSpec, muxer: &Muxer) -> Result<(Sound, Lane), MediaError> {
    let ended = Lane { is_ended: true, ..Lane::default() };
    let (SoundSpec::Copy | SoundSpec::Encode(_), Some((index, parameters, time_base))) = (&spec.sound, &source.sound)
    else {
        // A file of sound alone has nothing else to hold.
        if spec.video == VideoSpec::None && spec.sound != SoundSpec::None {
            return Err(MediaError::NoAudio);
        }
        return Ok((Sound::None, ended));
    };
    if let SoundSpec::Encode(codec) = &spec.sound {
        let global = muxer.wants_global_headers();
        let track = SoundTrack::open(source, codec.clone(), spec.span, spec.zero, global)?;
        return Ok((Sound::Encode(Box::new(track)), Lane::default()));
    }
    let source = (*index, parameters.clone(), *time_base);
    let copy = SoundCopy::new(source, &spec.extension, spec.span, spec.zero);
    Ok((Sound::Copy(Box::new(copy)), Lane::default()))
}
