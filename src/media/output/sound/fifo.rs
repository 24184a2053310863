//! Samples on their way to an encoder: in frames of the one size that it takes, with silence where the source has a gap.

use std::ffi::{c_int, c_void};
use std::ptr::NonNull;

use ffmpeg_next::{Error, ffi, frame};

/// Samples of silence that are made at once.
const BLOCK: usize = 4096;

/// A queue of samples of one format, rate and layout.
pub struct Fifo {
    raw: NonNull<ffi::AVAudioFifo>,
    /// The shape of every frame.
    like: frame::Audio,
    /// Samples of a frame that goes out, the last one aside.
    frame_size: usize,
    /// Samples that went out.
    sent: i64,
}

// SAFETY: the queue is plain memory with one owner.
unsafe impl Send for Fifo {}

impl Fifo {
    /// For frames shaped as `first`; `frame_size` 0: the encoder takes any size.
    pub fn new(first: &frame::Audio, frame_size: u32) -> Result<Self, Error> {
        let channels = c_int::from(first.channels());
        // SAFETY: an allocation; null is looked for.
        let raw = unsafe { ffi::av_audio_fifo_alloc(first.format().into(), channels, 1) };
        let raw = NonNull::new(raw).ok_or(Error::Other { errno: libc::ENOMEM })?;
        let frame_size = if frame_size == 0 { BLOCK } else { frame_size as usize };
        Ok(Self { raw, like: first.clone(), frame_size, sent: 0 })
    }

    /// Samples that were put in so far.
    pub fn written(&self) -> i64 {
        self.sent + self.waiting() as i64
    }

    fn waiting(&self) -> usize {
        // SAFETY: the queue lives as long as `self`.
        usize::try_from(unsafe { ffi::av_audio_fifo_size(self.raw.as_ptr()) }).unwrap_or(0)
    }

    /// Takes a frame of the queue's shape.
    pub fn push(&mut self, frame: &frame::Audio) -> Result<(), Error> {
        let same = frame.format() == self.like.format() && frame.channels() == self.like.channels();
        if !same || frame.rate() != self.like.rate() {
            return Err(Error::InvalidData);
        }
        let samples = c_int::try_from(frame.samples()).map_err(|_| Error::InvalidData)?;
        // SAFETY: the frame has the queue's format and channels, so `extended_data` has the planes that it reads, each of
        // the frame's samples; they are only read.
        check(unsafe {
            let planes = (*frame.as_ptr()).extended_data.cast::<*mut c_void>();
            ffi::av_audio_fifo_write(self.raw.as_ptr(), planes, samples)
        })
    }

    /// Puts in silence, at most a block of `samples`, and says how much: what waits is to be taken in between.
    pub fn push_silence(&mut self, samples: i64) -> Result<i64, Error> {
        let count = usize::try_from(samples).unwrap_or(0).min(BLOCK);
        let frame = self.blank(count)?;
        // SAFETY: the frame was made with this format, these channels and as many samples.
        check(unsafe {
            let raw = frame.as_ptr();
            let (channels, format) = (c_int::from(self.like.channels()), self.like.format().into());
            ffi::av_samples_set_silence((*raw).extended_data, 0, (*raw).nb_samples, channels, format)
        })?;
        self.push(&frame)?;
        Ok(count as i64)
    }

    /// The next frame with its time in samples; one that is not whole only if it is the `last`.
    pub fn pop(&mut self, last: bool) -> Result<Option<frame::Audio>, Error> {
        let count = self.waiting().min(self.frame_size);
        if count == 0 || (count < self.frame_size && !last) {
            return Ok(None);
        }
        let mut frame = self.blank(count)?;
        // SAFETY: the frame was made with the queue's format and channels, for as many samples as are read.
        check(unsafe {
            let raw = frame.as_mut_ptr();
            let planes = (*raw).extended_data.cast::<*mut c_void>();
            ffi::av_audio_fifo_read(self.raw.as_ptr(), planes, (*raw).nb_samples)
        })?;
        frame.set_pts(Some(self.sent));
        self.sent += count as i64;
        Ok(Some(frame))
    }

    fn blank(&self, samples: usize) -> Result<frame::Audio, Error> {
        let mut frame = frame::Audio::empty();
        // SAFETY: an empty frame is given its shape, then its memory; FFmpeg checks the numbers.
        check(unsafe {
            let (raw, like) = (frame.as_mut_ptr(), self.like.as_ptr());
            (*raw).format = (*like).format;
            (*raw).sample_rate = (*like).sample_rate;
            (*raw).nb_samples = c_int::try_from(samples).map_err(|_| Error::InvalidData)?;
            match ffi::av_channel_layout_copy(&mut (*raw).ch_layout, &(*like).ch_layout) {
                0 => ffi::av_frame_get_buffer(raw, 0),
                error => error,
            }
        })?;
        Ok(frame)
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        // SAFETY: it was allocated by `new` and is freed once.
        unsafe { ffi::av_audio_fifo_free(self.raw.as_ptr()) }
    }
}

fn check(result: c_int) -> Result<(), Error> {
    if result < 0 { Err(Error::from(result)) } else { Ok(()) }
}
