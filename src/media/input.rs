//! One sample's media, open.

use std::fs::File;

use ffmpeg_next::format::context::Input;
use ffmpeg_next::packet::Mut as _;
use ffmpeg_next::{Packet, Rational, ffi};

use super::order::{self, Times};
use super::packets::{self, PacketInfo};
use super::pass::{Pass, PassOptions};
use super::smart::{Groups, NotSmart, Survey};
use super::source::Source;
use super::{DecodeOptions, Decoder, Limits, LogCapture, MediaError, demux, probe};
use crate::sample::Container;

/// One sample's media. Bound to the thread that opened it, where FFmpeg's messages about it are caught.
pub struct Media {
    source: Source,
    container: Container,
    limits: Limits,
    input: Input,
    /// Packets were read: the next pass opens the container anew.
    is_read: bool,
    /// What packets are given that the container has no times for.
    times: Option<Times>,
    log: LogCapture,
}

/// What is known of a video stream before a frame is decoded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VideoInfo {
    /// The stream's index in the container.
    pub stream: usize,
    /// Pixels, as stored: not yet rotated.
    pub width: u32,
    pub height: u32,
    /// Degrees, clockwise, by which a picture is to be turned to stand upright: 0, 90, 180 or 270.
    pub rotation: u32,
    pub time_base: Rational,
    /// Frames a second on average; `None` where the container does not tell.
    pub frame_rate: Option<Rational>,
    /// Frames, as the container's header says; `None` where it does not.
    pub frames: Option<u64>,
    /// Seconds, as the container says.
    pub duration: Option<f64>,
}

impl Media {
    /// Opens the media in `file`, which was sniffed as `container`.
    ///
    /// Only the demuxers of that container are used, no other file or address is ever opened, and the limits hold before
    /// a decoder sees a byte.
    pub fn open(file: File, container: Container, limits: Limits) -> Result<Self, MediaError> {
        let log = LogCapture::start();
        let source = Source::new(file).map_err(MediaError::Input)?;
        if source.len() == 0 {
            return Err(MediaError::Empty);
        }
        let input = demux::open(&source, container, &limits, &log)?;
        Ok(Self { source, container, limits, input, is_read: false, times: None, log })
    }

    /// The media's bytes.
    pub fn len(&self) -> u64 {
        self.source.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What FFmpeg said about this media so far.
    pub fn log(&self) -> &LogCapture {
        &self.log
    }

    /// The demuxer's context, for the rooms' other parts (remuxing, audio). After packets were read from it, call
    /// [`Media::rewind`] before the next pass.
    pub fn input(&self) -> &Input {
        &self.input
    }

    /// As [`Media::input`], to read packets.
    pub fn input_mut(&mut self) -> &mut Input {
        self.is_read = true;
        &mut self.input
    }

    /// Goes back to the first packet.
    ///
    /// Opens the container anew rather than seeking: a seek loses the packets before the first keyframe of raw streams,
    /// and edit lists and time stamps are then exactly those of the first pass.
    pub fn rewind(&mut self) -> Result<(), MediaError> {
        if self.is_read {
            self.input = demux::open_again(&self.source, self.container, &self.limits, &self.log, &self.input)?;
            self.is_read = false;
        }
        if let Some(times) = &mut self.times {
            times.met = 0;
        }
        Ok(())
    }

    /// The zero of all times in seconds: the start of the container's earliest stream, as the ffmpeg program counts.
    ///
    /// But for sound alone, where it is the first sample that is to be heard: Opus in WebM begins before 0 with others. And
    /// an MP4's clock begins at 0 with the sample that it was made of, also where the sound comes in late.
    pub fn start_seconds(&self) -> f64 {
        // SAFETY: the context is open.
        let start = match unsafe { (*self.input.as_ptr()).start_time } {
            ffi::AV_NOPTS_VALUE => return 0.0,
            start => start as f64 / f64::from(ffi::AV_TIME_BASE),
        };
        if self.video().is_ok() {
            return start;
        }
        let is_mp4 = matches!(self.container, Container::Mp4 | Container::Mov);
        let has_padding = self.input.streams().any(|stream| is_padded(&stream));
        if is_mp4 || (start < 0.0 && has_padding) { 0.0 } else { start }
    }

    /// Seconds of the container; `None` where it does not tell.
    pub fn duration(&self) -> Option<f64> {
        let duration = self.input.duration();
        (duration != ffi::AV_NOPTS_VALUE && duration > 0).then(|| duration as f64 / f64::from(ffi::AV_TIME_BASE))
    }

    /// Where the stream ends, in its time base, to the sample: MP4 tells, also where the last packet is longer.
    pub(in crate::media) fn exact_end(&self, stream: usize) -> Option<i64> {
        let stream = self.input.stream(stream).filter(|_| matches!(self.container, Container::Mp4 | Container::Mov))?;
        let known = |time: i64| (time != ffi::AV_NOPTS_VALUE).then_some(time);
        known(stream.start_time())?.checked_add(known(stream.duration()).filter(|duration| *duration > 0)?)
    }

    /// The first video stream that is not an attached picture (cover art).
    pub fn video(&self) -> Result<VideoInfo, MediaError> {
        let video = self.input.streams().find(is_video).ok_or(MediaError::NoVideo)?;
        // SAFETY: parameters live as long as their stream.
        let (width, height) = unsafe {
            let parameters = (*video.as_ptr()).codecpar;
            ((*parameters).width, (*parameters).height)
        };
        let rate = video.avg_frame_rate();
        let seconds = video.duration() as f64 * f64::from(video.time_base());
        Ok(VideoInfo {
            stream: video.index(),
            width: u32::try_from(width).unwrap_or(0),
            height: u32::try_from(height).unwrap_or(0),
            rotation: probe::rotation(&video),
            time_base: video.time_base(),
            frame_rate: (rate.numerator() > 0 && rate.denominator() > 0).then_some(rate),
            frames: u64::try_from(video.frames()).ok().filter(|frames| *frames > 0),
            duration: (video.duration() > 0).then_some(seconds),
        })
    }

    /// The index of the first audio stream.
    pub fn audio(&self) -> Result<usize, MediaError> {
        let is_audio =
            |stream: &ffmpeg_next::Stream<'_>| stream.parameters().medium() == ffmpeg_next::media::Type::Audio;
        self.input.streams().find(is_audio).map(|stream| stream.index()).ok_or(MediaError::NoAudio)
    }

    /// What `ffprobe -of json -show_format -show_streams` prints, but for `format.filename`.
    ///
    /// With `extract_keyframes`, also `keyframe_timestamps` of the first video stream: the presentation times (s) of its
    /// keyframes, and the container's duration as the last entry, as video2dataset writes them. Reads all packets then.
    pub fn probe(&mut self, extract_keyframes: bool) -> Result<serde_json::Value, MediaError> {
        let mut value = probe::describe(&self.input, self.source.len());
        if extract_keyframes && let Ok(video) = self.video() {
            let keyframes = self.packets(video.stream)?.into_iter().filter(|packet| packet.is_key);
            let times =
                keyframes.filter_map(|packet| packet.time()).map(|time| time as f64 * f64::from(video.time_base));
            value["keyframe_timestamps"] = probe::keyframe_list(times, self.duration());
        }
        Ok(value)
    }

    /// All packets of a stream, in the file's order. One pass over the file, nothing decoded.
    pub fn packets(&mut self, stream: usize) -> Result<Vec<PacketInfo>, MediaError> {
        self.rewind()?;
        packets::index(self, stream, &mut |_| {})
    }

    /// As [`Media::packets`] of the first video stream, with presentation times also where the container keeps none (AVI
    /// with reordered frames): the video is decoded once for them, and packets of later passes have them, too. Where they
    /// cannot be told, they stay out.
    pub fn shown_packets(&mut self) -> Result<Vec<PacketInfo>, MediaError> {
        self.shown_packets_and(&mut |_| {})
    }

    /// As [`Media::shown_packets`], and whether clips can be copied in part, or why not. No further pass.
    pub fn surveyed_packets(&mut self) -> Result<(Vec<PacketInfo>, Result<Groups, NotSmart>), MediaError> {
        let mut survey = Survey::new(self);
        let packets = self.shown_packets_and(&mut |packet| survey.packet(packet))?;
        let groups = survey.finish(&packets);
        Ok((packets, groups))
    }

    fn shown_packets_and(&mut self, look: &mut dyn FnMut(&Packet)) -> Result<Vec<PacketInfo>, MediaError> {
        let stream = self.video()?.stream;
        self.rewind()?;
        let mut packets = packets::index(self, stream, look)?;
        if packets.iter().all(|packet| packet.pts.is_some()) {
            return Ok(packets);
        }
        if let Some(shown) = order::times(self, stream, &packets) {
            packets.iter_mut().zip(&shown).for_each(|(packet, time)| packet.pts = Some(*time));
            self.set_times(Some(Times { stream, shown, met: 0, hides_decoding: false }));
        }
        Ok(packets)
    }

    /// Sets what packets are given from the next pass on.
    pub(super) fn set_times(&mut self, times: Option<Times>) {
        self.times = times;
    }

    /// A decoder of the first video stream, at its first frame.
    pub fn decoder(&mut self, options: DecodeOptions) -> Result<Decoder<'_>, MediaError> {
        self.rewind()?;
        Decoder::open(self, options)
    }

    /// A pass over the file from its first packet on.
    pub fn pass(&mut self, options: PassOptions) -> Result<Pass<'_>, MediaError> {
        self.rewind()?;
        Pass::open(self, options)
    }

    /// The next packet of any stream. Anything but more packets ends the file, as it does for the ffmpeg program;
    /// `Err` tells why it ended early.
    pub(super) fn read(&mut self, packet: &mut Packet) -> Result<bool, ffmpeg_next::Error> {
        self.is_read = true;
        loop {
            // FFmpeg writes over what it is given: the packet before would never be freed.
            // SAFETY: a packet, empty or whole, is what it takes.
            unsafe { ffi::av_packet_unref(packet.as_mut_ptr()) };
            match packet.read(&mut self.input) {
                Ok(()) => {
                    if let Some(times) = &mut self.times {
                        times.give(packet);
                    }
                    return Ok(true);
                }
                Err(ffmpeg_next::Error::Other { errno: libc::EAGAIN }) => {}
                Err(ffmpeg_next::Error::Eof) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether the stream is sound whose first samples are not to be heard.
fn is_padded(stream: &ffmpeg_next::Stream<'_>) -> bool {
    // SAFETY: parameters live as long as their stream.
    let padding = unsafe { (*(*stream.as_ptr()).codecpar).initial_padding };
    stream.parameters().medium() == ffmpeg_next::media::Type::Audio && padding > 0
}

fn is_video(stream: &ffmpeg_next::Stream<'_>) -> bool {
    // SAFETY: the stream is borrowed.
    let disposition = unsafe { (*stream.as_ptr()).disposition };
    stream.parameters().medium() == ffmpeg_next::media::Type::Video
        && disposition & ffi::AV_DISPOSITION_ATTACHED_PIC == 0
}

#[cfg(test)]
mod tests {
    use ffmpeg_next::packet::Ref as _;

    use super::*;

    #[test]
    fn a_packet_that_was_read_is_freed_by_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mp4");
        let mut ffmpeg = std::process::Command::new("ffmpeg");
        ffmpeg.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=d=1:s=96x64:r=5"]).arg(&path);
        assert!(ffmpeg.status().expect("ffmpeg is installed").success());
        let mut media = Media::open(File::open(path).unwrap(), Container::Mp4, Limits::default()).unwrap();
        let mut packet = Packet::empty();
        assert!(media.read(&mut packet).unwrap());
        let kept = super::super::keep(&packet);
        // SAFETY: the packet holds its bytes.
        let owners = || unsafe { ffi::av_buffer_get_ref_count((*kept.as_ptr()).buf) };
        assert_eq!(owners(), 2);
        assert!(media.read(&mut packet).unwrap());
        assert_eq!(owners(), 1);
    }
}
