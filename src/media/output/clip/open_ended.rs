//! Clips that are begun before it is known where they end.

use super::{ClipSpec, ClipWriter, Pictures, Sound};
use crate::media::MediaError;
use crate::media::output::source::Streams;

impl ClipWriter {
    /// A file whose end is not known yet: [`ClipWriter::end_at`] tells it, before the first packet of sound comes. Until
    /// then nothing is encoded but what [`ClipWriter::release`] allows.
    pub fn open_ended(source: &Streams, spec: &ClipSpec) -> Result<Self, MediaError> {
        let mut writer = Self::new(source, spec)?;
        if let Pictures::Encode(encoded) = writer.pictures {
            writer.pictures = Pictures::Encode(Box::new(encoded.held()));
        }
        Ok(writer)
    }

    /// The frames before `pts` belong to it, wherever it ends.
    pub fn release(&mut self, pts: i64) -> Result<(), MediaError> {
        if let Pictures::Encode(encoded) = &mut self.pictures {
            encoded.release(pts, &self.log, &mut self.video_lane)?;
        }
        self.flush()
    }

    /// Bytes of pictures that wait to be released.
    pub fn waiting_bytes(&self) -> u64 {
        match &self.pictures {
            Pictures::Encode(encoded) => encoded.waiting_bytes(),
            _ => 0,
        }
    }

    /// It ends here: `stretch_end` in the video's time base, `span_end` in seconds, as in [`ClipSpec`]. No frame is missing,
    /// and those behind the end, if any came, are forgotten.
    ///
    /// # Errors
    /// [`MediaError::NothingInside`]: no picture is left.
    pub fn end_at(&mut self, stretch_end: i64, span_end: f64) -> Result<(), MediaError> {
        if let Some(stretch) = &mut self.stretch {
            stretch.end = stretch_end;
        }
        self.span.1 = span_end;
        match &mut self.sound {
            Sound::None => {}
            Sound::Copy(copy) => copy.end_at(span_end),
            Sound::Encode(track) => track.end_at(span_end),
        }
        if let Pictures::Encode(encoded) = &mut self.pictures {
            // An encoder needs much memory, and the sound may be far behind.
            encoded.finish(Some(stretch_end), &self.log, &mut self.video_lane)?;
            if self.video_lane.packets == 0 {
                return Err(MediaError::NothingInside);
            }
        }
        Ok(())
    }
}
