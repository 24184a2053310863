//! One pass over a file: what is needed of it, and nothing else.

mod select;
mod video;

use ffmpeg_next::{Discard, Error, Packet, frame};

use super::hw::{self, Download};
use super::picture::Converter;
use super::{DecodeOptions, DecodeReport, DecodedFrame, Media, MediaError};

pub use select::{Action, Stretch, select};
use video::Video;

/// What a pass over a file meets next.
pub enum Event<'a> {
    /// A packet of one of the streams that were asked for.
    Packet(&'a Packet),
    Frame(DecodedFrame<'a>),
}

/// What a pass over a file is to meet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PassOptions {
    /// How to decode the first video stream; none: no frames.
    pub frames: Option<DecodeOptions>,
    /// What to do with each packet of that stream, in the file's order; none: decode all.
    pub actions: Option<Vec<Action>>,
    /// Streams whose packets are wanted as they are.
    pub packets: Vec<usize>,
}

/// One pass over a file: packets in its order, and the frames of the first video stream in presentation order.
pub struct Pass<'m> {
    media: &'m mut Media,
    video: Option<Video>,
    wanted: Vec<usize>,
    packet: Packet,
    frame: frame::Video,
    converter: Converter,
    download: Download,
    /// Pictures of a GPU are left there.
    stays_on_device: bool,
    report: DecodeReport,
    packets: u64,
    size: Option<(u32, u32)>,
    /// No packet is left.
    is_over: bool,
    is_last_corrupt: bool,
}

impl<'m> Pass<'m> {
    pub(super) fn open(media: &'m mut Media, options: PassOptions) -> Result<Self, MediaError> {
        let stays_on_device = options.frames.is_some_and(|decode| decode.stays_on_device);
        let video = match options.frames {
            Some(decode) => Some(Video::open(media, decode, options.actions)?),
            None => None,
        };
        let decoded = video.as_ref().map(|video| video.info.stream);
        for mut stream in media.input_mut().streams_mut() {
            let index = stream.index();
            if Some(index) != decoded && !options.packets.contains(&index) {
                // SAFETY: the stream is borrowed; the demuxer skips its packets.
                unsafe { (*stream.as_mut_ptr()).discard = Discard::All.into() };
            }
        }
        Ok(Self {
            media,
            video,
            wanted: options.packets,
            packet: Packet::empty(),
            frame: frame::Video::empty(),
            converter: Converter::default(),
            download: Download::default(),
            stays_on_device,
            report: DecodeReport::default(),
            packets: 0,
            size: None,
            is_over: false,
            is_last_corrupt: false,
        })
    }

    /// What happened so far.
    pub fn report(&self) -> DecodeReport {
        self.report
    }

    /// The next packet or frame; `None` after the last.
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, MediaError> {
        loop {
            if self.receive()? {
                return Ok(Some(Event::Frame(self.decoded()?)));
            }
            if self.is_over {
                return Ok(None);
            }
            if !self.read()? {
                self.drain()?;
                continue;
            }
            self.feed()?;
            if self.wanted.contains(&self.packet.stream()) {
                return Ok(Some(Event::Packet(&self.packet)));
            }
        }
    }

    /// Goes on to the next frame, past all packets.
    pub(super) fn next_frame(&mut self) -> Result<bool, MediaError> {
        loop {
            if self.receive()? {
                return Ok(true);
            }
            if self.is_over {
                return Ok(false);
            }
            if self.read()? { self.feed()? } else { self.drain()? }
        }
    }

    /// What it means that not one frame came.
    pub fn no_frames(&self) -> MediaError {
        MediaError::NoFrames { detail: self.last_message("no message") }
    }

    pub(super) fn decoded(&mut self) -> Result<DecodedFrame<'_>, MediaError> {
        let size = (self.frame.width(), self.frame.height());
        let is_resized = self.size.replace(size).is_some_and(|before| before != size);
        let pts = self.frame.timestamp().or(self.frame.pts());
        self.report.frames += 1;
        let limit = self.media.limits().max_frames;
        if self.report.frames > limit {
            return Err(MediaError::TooManyFrames { limit });
        }
        self.report.size_changes += u64::from(is_resized);
        self.report.guessed_times += u64::from(pts.is_none());
        let seconds = self.video.as_mut().map_or(0.0, |video| video.clock.seconds(pts));
        let is_key = self.frame.is_key();
        let is_on_device = hw::is_on_device(&self.frame);
        let is_damaged = self.frame.is_corrupt() || self.frame.has_decode_errors();
        let decoded = self.media.count_decoded();
        decoded.frames += 1;
        decoded.on_device += u64::from(is_on_device);
        decoded.damaged += u64::from(is_damaged);
        self.report.damaged_frames += u64::from(is_damaged);
        let picture = match is_on_device && !self.stays_on_device {
            true => self.download.host(&self.frame)?,
            false => &self.frame,
        };
        Ok(DecodedFrame { picture, converter: &mut self.converter, pts, seconds, is_key, is_resized })
    }

    /// Whether the decoder had one more frame.
    fn receive(&mut self) -> Result<bool, MediaError> {
        loop {
            let Some(video) = &mut self.video else { return Ok(false) };
            if !video.is_filled {
                return Ok(false);
            }
            match video.codec.receive_frame(&mut self.frame) {
                Ok(()) => return Ok(true),
                Err(Error::Eof) => video.emptied(),
                Err(Error::Other { errno: libc::EAGAIN }) if video.is_draining => {
                    // A decoder that wants more after the end was told would be asked for ever.
                    return Err(MediaError::Decoder { detail: self.last_message("no end of stream") });
                }
                Err(Error::Other { errno: libc::EAGAIN }) => return Ok(false),
                Err(error) => self.count_corrupt(error)?,
            }
        }
    }

    /// The next packet of any stream that is met.
    fn read(&mut self) -> Result<bool, MediaError> {
        let is_more = self.media.read(&mut self.packet).unwrap_or_else(|_| {
            self.report.ended_early = true;
            false
        });
        if !is_more {
            // A packet that the end of the file cuts off comes with this flag, or with this message instead of it.
            let is_partial = |line: &String| line.contains("partial file");
            self.report.ended_early |= self.is_last_corrupt || self.media.log().lines().iter().any(is_partial);
            self.is_over = true;
            return Ok(false);
        }
        self.is_last_corrupt = self.packet.is_corrupt();
        self.packets += 1;
        let limit = self.media.limits().max_packets;
        if self.packets > limit {
            return Err(MediaError::TooManyPackets { count: self.packets, limit });
        }
        Ok(true)
    }

    /// Gives the decoder the packet, where it is the decoder's and its frame is wanted.
    fn feed(&mut self) -> Result<(), MediaError> {
        let Some(video) = &mut self.video else { return Ok(()) };
        if self.packet.stream() != video.info.stream {
            return Ok(());
        }
        match video.next_action() {
            Action::Skip => self.drain(),
            action => match video.send(&self.packet, action) {
                Ok(()) => Ok(()),
                Err(error) => self.count_corrupt(error),
            },
        }
    }

    /// Lets the decoder bring out what it holds back.
    fn drain(&mut self) -> Result<(), MediaError> {
        let Some(video) = &mut self.video else { return Ok(()) };
        if !video.is_filled || video.is_draining {
            return Ok(());
        }
        video.is_draining = true;
        let told = video.codec.send_eof();
        told.map_err(|error| MediaError::Decoder { detail: self.last_message(&error.to_string()) })
    }

    fn count_corrupt(&mut self, error: Error) -> Result<(), MediaError> {
        if matches!(error, Error::Other { errno: libc::ENOMEM }) {
            return Err(MediaError::Decoder { detail: "out of memory".into() });
        }
        self.report.corrupt_packets += 1;
        self.media.count_decoded().damaged += 1;
        let (count, limit) = (self.report.corrupt_packets, self.media.limits().max_corrupt_packets);
        if count > limit {
            return Err(MediaError::TooCorrupt { count, limit, detail: self.last_message(&error.to_string()) });
        }
        Ok(())
    }

    fn last_message(&self, otherwise: &str) -> String {
        self.media.log().last_useful().unwrap_or_else(|| otherwise.to_owned())
    }
}
