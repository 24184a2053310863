//! Decodes everything once, to see whether it can be.

use ffmpeg_next::codec::{self, Context};
use ffmpeg_next::{Error, Packet, decoder, frame};

use super::{DecodeOptions, Event, Media, MediaError, PassOptions};

/// What came out of a whole decode.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Checked {
    /// Frames of the video; 0 where there is none.
    pub frames: u64,
    /// Pixels of the last frame, as stored.
    pub width: u32,
    pub height: u32,
    /// Seconds from the container's start: the first frame, and the last one.
    pub first: f64,
    pub last: f64,
    /// Samples of sound, per channel.
    pub sound_samples: u64,
    /// Packets that a decoder refused, and frames with parts missing.
    pub broken: u64,
}

impl Media {
    /// Decodes the video and the sound from end to end.
    pub fn check_decode(&mut self) -> Result<Checked, MediaError> {
        let (video, sound) = (self.video().ok(), self.audio().ok());
        let mut track = sound.map(|stream| Sound::open(self, stream)).transpose()?;
        let mut checked = Checked::default();
        let options = PassOptions {
            frames: video.map(|_| DecodeOptions::default()),
            actions: None,
            packets: sound.into_iter().collect(),
        };
        let mut pass = self.pass(options)?;
        while let Some(event) = pass.next_event()? {
            match event {
                Event::Packet(packet) => {
                    if let Some(track) = &mut track {
                        track.push(packet);
                    }
                }
                Event::Frame(frame) => {
                    if checked.frames == 0 {
                        checked.first = frame.seconds;
                    }
                    (checked.frames, checked.last) = (checked.frames + 1, frame.seconds);
                    (checked.width, checked.height) = (frame.raw().width(), frame.raw().height());
                }
            }
        }
        let report = pass.report();
        if video.is_some() && report.frames == 0 {
            return Err(pass.no_frames());
        }
        checked.broken = report.corrupt_packets + report.damaged_frames + u64::from(report.ended_early);
        if let Some(mut track) = track {
            track.end();
            checked.sound_samples = track.samples;
            checked.broken += track.broken;
        }
        Ok(checked)
    }
}

/// The decoder of the sound.
struct Sound {
    decoder: decoder::Opened,
    frame: frame::Audio,
    samples: u64,
    broken: u64,
}

impl Sound {
    fn open(media: &Media, stream: usize) -> Result<Self, MediaError> {
        let stream = media.input().stream(stream).ok_or(MediaError::NoAudio)?;
        let parameters: codec::Parameters = stream.parameters();
        let found = decoder::find(parameters.id())
            .ok_or_else(|| MediaError::UnsupportedCodec { codec: parameters.id().name().to_owned() })?;
        let fail = |error: Error| MediaError::Decoder {
            detail: media.log().last_useful().unwrap_or_else(|| error.to_string()),
        };
        let mut context = Context::new_with_codec(found);
        context.set_parameters(parameters).map_err(fail)?;
        let decoder = context.decoder().open().map_err(fail)?;
        Ok(Self { decoder, frame: frame::Audio::empty(), samples: 0, broken: 0 })
    }

    fn push(&mut self, packet: &Packet) {
        if self.decoder.send_packet(packet).is_err() {
            self.broken += 1;
        }
        self.receive();
    }

    fn end(&mut self) {
        if self.decoder.send_eof().is_ok() {
            self.receive();
        }
    }

    fn receive(&mut self) {
        loop {
            match self.decoder.receive_frame(&mut self.frame) {
                Ok(()) => self.samples += self.frame.samples() as u64,
                Err(Error::Eof | Error::Other { errno: libc::EAGAIN }) => return,
                Err(_) => {
                    self.broken += 1;
                    return;
                }
            }
        }
    }
}
