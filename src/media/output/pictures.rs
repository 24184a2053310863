//! The pictures of a file that are encoded anew.

use std::collections::VecDeque;

use ffmpeg_next::{Rational, Rescale, ffi, frame};

use super::encoder::{VideoCodec, VideoEncoder};
use super::filter::{FilterSpec, VideoFilter};
use super::lane::Lane;
use crate::media::log::LogLines;
use crate::media::{MediaError, VideoInfo};

/// Seconds; a clock that goes back by more was set back. The ffmpeg program's own limit.
const SET_BACK: f64 = 0.1;

/// Frames through filters and an encoder, which is opened for the first picture that comes out of the filters.
pub struct Encoded {
    filter: VideoFilter,
    encoder: Option<VideoEncoder>,
    codec: VideoCodec,
    global_headers: bool,
    /// Of the frames that come in.
    time_base: Rational,
    /// Where the file's time begins.
    zero: i64,
    /// Of a frame that does not tell.
    usual: i64,
    /// Where the last frame that came ends, in the file's time.
    end: i64,
    /// Added to times since the stream's clock was set back.
    offset: i64,
    /// The last frame's time.
    last: Option<i64>,
    /// What comes of frames before this time, in the file's clock, is encoded; the rest waits.
    released: i64,
    waiting: VecDeque<frame::Video>,
    is_over: bool,
}

impl Encoded {
    pub fn new(info: &VideoInfo, turn: Option<String>, graph: Option<String>, codec: VideoCodec) -> Self {
        let filter = VideoFilter::new(FilterSpec {
            graph,
            turn,
            time_base: info.time_base,
            frame_rate: info.frame_rate,
            formats: codec.formats.clone(),
        });
        let time_base = info.time_base;
        Self {
            filter,
            encoder: None,
            codec,
            global_headers: false,
            time_base,
            zero: 0,
            usual: 1,
            end: 0,
            offset: 0,
            last: None,
            released: i64::MAX,
            waiting: VecDeque::new(),
            is_over: false,
        }
    }

    /// `zero`: where the file's time begins; `usual`: how long a frame lasts that does not tell.
    pub fn with_clock(self, zero: i64, usual: i64) -> Self {
        Self { zero, usual, ..self }
    }

    pub fn time_base(&self) -> Rational {
        self.time_base
    }

    pub fn with_global_headers(self, global_headers: bool) -> Self {
        Self { global_headers, ..self }
    }

    /// Nothing is encoded before it is released.
    pub fn held(self) -> Self {
        Self { released: i64::MIN, ..self }
    }

    /// Takes a frame; what the encoder makes goes to `lane`.
    pub fn frame(&mut self, frame: &frame::Video, pts: i64, log: &LogLines, lane: &mut Lane) -> Result<(), MediaError> {
        if self.is_over {
            return Ok(());
        }
        let length = frame.packet().duration;
        let mut own = pts - self.zero + self.offset;
        // Streams that were put together start anew; as in the ffmpeg program, what follows is shown behind the rest.
        let tolerated = (SET_BACK / f64::from(self.time_base)) as i64;
        if self.last.is_some_and(|last| own + tolerated < last) {
            self.offset += self.end - own;
            own = self.end;
        }
        self.last = self.last.max(Some(own));
        self.end = own + if length > 0 { length } else { self.usual };
        let waiting = &mut self.waiting;
        self.filter.push(frame, own, log, |picture| {
            waiting.push_back(picture);
            Ok(())
        })?;
        self.encode(log, lane)
    }

    /// Encodes what comes of the frames before `pts`.
    pub fn release(&mut self, pts: i64, log: &LogLines, lane: &mut Lane) -> Result<(), MediaError> {
        self.released = self.released.max(pts - self.zero);
        self.encode(log, lane)
    }

    /// Bytes of the pictures that wait to be released.
    pub fn waiting_bytes(&self) -> u64 {
        self.waiting.front().map_or(0, |picture| bytes(picture) * self.waiting.len() as u64)
    }

    /// No more frames. `end`: when the frame behind the last one is shown, in the clock of the frames that came in.
    pub fn finish(&mut self, end: Option<i64>, log: &LogLines, lane: &mut Lane) -> Result<(), MediaError> {
        if std::mem::replace(&mut self.is_over, true) {
            return Ok(());
        }
        let end = end.filter(|_| self.offset == 0).map_or(self.end, |end| end - self.zero);
        if self.last.is_some_and(|last| last >= end) {
            // Frames behind the end came before it was known. Filters keep the order: what comes of a frame is never shown
            // before it, and what is shown before the end has come out, as a frame behind it was put in.
            self.released = end;
            self.encode(log, lane)?;
            self.waiting.clear();
        } else {
            let waiting = &mut self.waiting;
            self.filter.end(end, |picture| {
                waiting.push_back(picture);
                Ok(())
            })?;
            self.released = i64::MAX;
            self.encode(log, lane)?;
        }
        let Some(encoder) = &mut self.encoder else { return Ok(()) };
        // Where the filters change the clock, frames have its constant length.
        let end = (encoder.time_base() == self.time_base).then_some(end);
        encoder.end(end, &mut |packet| {
            lane.take(packet);
            Ok(())
        })
    }

    fn encode(&mut self, log: &LogLines, lane: &mut Lane) -> Result<(), MediaError> {
        while let Some(picture) = self.next_released() {
            let encoder = match &mut self.encoder {
                Some(encoder) => encoder,
                none => {
                    let (time_base, rate) = self.filter.output().unwrap_or((self.time_base, None));
                    let open = VideoEncoder::open(&self.codec, &picture, time_base, rate, self.global_headers, log)?;
                    lane.size = (picture.width(), picture.height());
                    lane.ready = Some((open.parameters(), open.time_base()));
                    let frame = rate.map_or(1.0, |rate| 1.0 / f64::from(rate) / f64::from(time_base));
                    lane.usual_duration = (frame.round() as i64).max(1);
                    none.insert(open)
                }
            };
            encoder.push(picture, &mut |packet| {
                lane.take(packet);
                Ok(())
            })?;
        }
        Ok(())
    }

    fn next_released(&mut self) -> Option<frame::Video> {
        let pts = self.waiting.front()?.pts();
        let is_released = match self.released {
            i64::MIN => false,
            i64::MAX => true,
            released => {
                // Rounded as FFmpeg's `fps` filter rounds.
                let time_base = self.filter.output().map_or(self.time_base, |(time_base, _)| time_base);
                pts.is_some_and(|pts| pts < released.rescale(self.time_base, time_base))
            }
        };
        if is_released { self.waiting.pop_front() } else { None }
    }
}

fn bytes(picture: &frame::Video) -> u64 {
    let side = |side: u32| i32::try_from(side).unwrap_or(i32::MAX);
    // SAFETY: it computes from four numbers, and refuses those that make no sense with a negative one.
    let bytes = unsafe {
        ffi::av_image_get_buffer_size(picture.format().into(), side(picture.width()), side(picture.height()), 1)
    };
    u64::try_from(bytes).unwrap_or(0)
}
