//! The clips of one sample in the making: each file is fed from the one pass.

use crate::media::{ClipFile, ClipSpec, ClipWriter, DecodedFrame, MediaError, NotSmart, Streams, WARM_UP};

/// One clip: the files that are made of it.
pub struct Job {
    /// Its place among the outputs.
    pub index: usize,
    /// Seconds in the streams' clock.
    pub span: (f64, f64),
    /// Member extension and what the file holds.
    pub files: Vec<ClipSpec>,
}

/// A finished clip.
pub struct Done {
    pub index: usize,
    pub files: Vec<(String, ClipFile)>,
    /// It could not be put together of copied and encoded parts after all, so there are no files.
    pub refused: Option<NotSmart>,
}

struct Active {
    index: usize,
    span: (f64, f64),
    writers: Vec<(String, ClipWriter)>,
    is_video_over: bool,
    is_sound_over: bool,
}

/// Feeds all clips.
pub struct Clips<'s> {
    source: &'s Streams,
    video: Option<(usize, f64)>,
    sound: Option<(usize, f64)>,
    /// By start, the first one last.
    waiting: Vec<Job>,
    active: Vec<Active>,
    done: Vec<Done>,
}

impl<'s> Clips<'s> {
    /// `video` and `sound`: number and unit (s) of the streams that matter.
    pub fn new(
        source: &'s Streams,
        video: Option<(usize, f64)>,
        sound: Option<(usize, f64)>,
        mut jobs: Vec<Job>,
    ) -> Self {
        jobs.sort_by(|a, b| b.span.0.total_cmp(&a.span.0).then(b.index.cmp(&a.index)));
        Self { source, video, sound, waiting: jobs, active: Vec::new(), done: Vec::new() }
    }

    /// Whether nothing that comes can matter any more.
    pub fn is_over(&self) -> bool {
        self.waiting.is_empty() && self.active.is_empty()
    }

    pub fn frame(&mut self, frame: &DecodedFrame<'_>, pts: i64) -> Result<(), MediaError> {
        let Some((_, unit)) = self.video else { return Ok(()) };
        let seconds = pts as f64 * unit;
        self.open(seconds)?;
        for active in &mut self.active {
            for (_, writer) in &mut active.writers {
                writer.frame(frame, pts)?;
            }
            active.is_video_over |= seconds >= active.span.1;
        }
        self.close()
    }

    /// A packet; of the video where it is copied.
    pub fn packet(&mut self, packet: &ffmpeg_next::Packet) -> Result<(), MediaError> {
        let stream = packet.stream();
        let of = |known: Option<(usize, f64)>| known.filter(|(index, _)| *index == stream);
        let (is_video, unit) = match (of(self.video), of(self.sound)) {
            (Some((_, unit)), _) => (true, unit),
            (_, Some((_, unit))) => (false, unit),
            _ => return Ok(()),
        };
        let shown = packet.pts().or(packet.dts()).map(|time| time as f64 * unit);
        if let Some(seconds) = shown {
            self.open(seconds)?;
        }
        for active in &mut self.active {
            for (_, writer) in &mut active.writers {
                writer.packet(packet)?;
            }
            // A packet that is decoded behind the end has only such behind it.
            let decoded = packet.dts().or(packet.pts()).map(|time| time as f64 * unit);
            let over = decoded.is_some_and(|seconds| seconds >= active.span.1);
            match is_video {
                true if active.writers.iter().any(|(_, writer)| !writer.wants_frames()) => active.is_video_over |= over,
                true => {}
                false => active.is_sound_over |= over,
            }
        }
        self.close()
    }

    /// The pass is over: all clips that have anything in them, by their place.
    pub fn finish(mut self) -> Result<Vec<Done>, MediaError> {
        self.open(f64::INFINITY)?;
        for active in &mut self.active {
            (active.is_video_over, active.is_sound_over) = (true, true);
        }
        self.close()?;
        self.done.sort_by_key(|done| done.index);
        Ok(self.done)
    }

    /// What has become of the clips since the last time.
    pub fn take_done(&mut self) -> Vec<Done> {
        std::mem::take(&mut self.done)
    }

    /// Takes over a clip whose pictures are all there; `before`: the packets of sound that came already.
    pub fn adopt<'p>(
        &mut self,
        index: usize,
        span: (f64, f64),
        mut writers: Vec<(String, ClipWriter)>,
        before: impl Iterator<Item = &'p ffmpeg_next::Packet>,
    ) -> Result<(), MediaError> {
        let wants_sound = |stream| writers.iter().any(|(_, writer)| writer.streams().contains(&stream));
        let sound = self.sound.filter(|(stream, _)| wants_sound(*stream));
        let mut is_sound_over = sound.is_none();
        for packet in before {
            let Some((_, unit)) = sound.filter(|_| !is_sound_over) else { break };
            for (_, writer) in &mut writers {
                writer.packet(packet)?;
            }
            let decoded = packet.dts().or(packet.pts()).map(|time| time as f64 * unit);
            is_sound_over = decoded.is_some_and(|seconds| seconds >= span.1);
        }
        self.active.push(Active { index, span, writers, is_video_over: true, is_sound_over });
        self.close()
    }

    fn open(&mut self, seconds: f64) -> Result<(), MediaError> {
        while let Some(job) = self.waiting.pop_if(|job| job.span.0 <= seconds + WARM_UP) {
            let open = |spec: &ClipSpec| Ok((spec.extension.clone(), ClipWriter::new(self.source, spec)?));
            let writers = job.files.iter().map(open).collect::<Result<Vec<_>, MediaError>>()?;
            let wants = |known: Option<(usize, f64)>| {
                known.is_some_and(|(index, _)| writers.iter().any(|(_, writer)| writer.streams().contains(&index)))
            };
            let wants_video = wants(self.video) || writers.iter().any(|(_, writer)| writer.wants_frames());
            let wants_sound = wants(self.sound);
            self.active.push(Active {
                index: job.index,
                span: job.span,
                is_video_over: !wants_video,
                is_sound_over: !wants_sound,
                writers,
            });
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), MediaError> {
        let is_over = |active: &mut Active| active.is_video_over && active.is_sound_over;
        for active in self.active.extract_if(.., is_over) {
            let (mut files, mut refused) = (Vec::new(), None);
            for (extension, writer) in active.writers {
                match writer.finish() {
                    Ok(file) => files.push((extension, file)),
                    // A clip may lie where there is no sound.
                    Err(MediaError::NothingInside) => {}
                    Err(MediaError::NoSeam(why)) => refused = Some(why),
                    Err(error) => return Err(error),
                }
            }
            // All of its files are made together.
            files.truncate(if refused.is_some() { 0 } else { files.len() });
            self.done.push(Done { index: active.index, files, refused });
        }
        Ok(())
    }
}
