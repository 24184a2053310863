//! From cuts to clips while the cuts are still being found.
//!
//! A clip's start is known with its first frame; its end when the next cut comes, or when it has its full length. Until it
//! is sure that a frame belongs to a clip, it waits for the encoder: cut to the clip's frame rate and size, which is little.
//! Nothing here decides anything: the cuts of the whole video do, and a clip that was made in vain is thrown away.

use std::collections::VecDeque;

use super::clips::{Clips, Done};
use super::held::Held;
use super::outputs::Output;
use super::spans::{self, Cutter};
use super::watching::Watching;
use super::work::Work;
use crate::media::{ClipSpec, ClipWriter, DecodedFrame, MediaError, SoundSpec, Streams, VideoSpec, share};
use crate::sample::Failure;
use crate::subsample::Cut;
use crate::subsample::clips::{Planned, Span, plan};

/// Bytes of pictures of one clip that wait for the encoder, at most, and of packets of sound that wait for clips.
const MAX_WAITING: u64 = 128 << 20;

/// When the first frame of a clip is shown, and the one behind its last.
type Stretch = (i64, i64);

/// Makes clips of the scenes of a video.
pub struct Scenes<'s> {
    work: &'s Work<'s>,
    source: &'s Streams,
    /// Seconds of the streams' clock where the container begins.
    start: f64,
    cutter: Cutter,
    /// Frames of which it is not known whether a scene begins with them.
    undecided: VecDeque<(ffmpeg_next::frame::Video, i64)>,
    /// Frames that came before those.
    decided: u64,
    cuts: usize,
    last: Option<i64>,
    /// The piece of the running scene that goes by, or is next.
    piece: Option<Piece>,
    sound: Held,
    /// Clips with all of their pictures.
    clips: Clips<'s>,
    made: Vec<Stretch>,
    max_waiting: u64,
}

/// A piece of the running scene.
struct Piece {
    /// Where the rest of the scene begins, of which it is the first piece; seconds.
    from: f64,
    asked: Span,
    /// If the scene is long enough.
    planned: Planned,
    /// None before the first frame, and where it is given up.
    writers: Option<Vec<(String, ClipWriter)>>,
}

impl<'s> Scenes<'s> {
    /// `start`: seconds of the streams' clock where the container begins. None where frames have no times to go by.
    pub fn new(work: &'s Work<'s>, source: &'s Streams, start: f64) -> Result<Option<Self>, Failure> {
        if !work.has_clock() {
            return Ok(None);
        }
        let cutter = Cutter::new(work, &spans::settings(work)?);
        let whole = Output::whole().files(work, source, start);
        let sound = source.sound().map(|(stream, unit)| (stream, f64::from(unit)));
        let sound = sound.filter(|_| whole.iter().any(|file| file.sound != SoundSpec::None));
        Ok(Some(Self {
            work,
            source,
            start,
            cutter,
            undecided: VecDeque::new(),
            decided: 0,
            cuts: 0,
            last: None,
            piece: None,
            sound: Held::new(sound),
            clips: Clips::new(source, None, sound, Vec::new()),
            made: Vec::new(),
            max_waiting: MAX_WAITING,
        }))
    }

    /// With another limit for what waits, bytes.
    #[cfg(test)]
    pub fn with_max_waiting(self, max_waiting: u64) -> Self {
        Self { max_waiting, ..self }
    }

    /// The stream whose packets it wants.
    pub fn sound_stream(&self) -> Option<usize> {
        self.sound.stream.map(|(stream, _)| stream)
    }

    /// A packet of sound. None: something is wrong, and it is better to make no clips here.
    pub fn packet(mut self, packet: &ffmpeg_next::Packet) -> Option<Self> {
        self.clips.packet(packet).ok()?;
        if !self.sound.push(packet, self.max_waiting)
            && let Some(piece) = &mut self.piece
        {
            piece.writers = None;
        }
        Some(self)
    }

    /// A frame, after it was watched. None: as above.
    pub fn frame(mut self, frame: &DecodedFrame<'_>, watching: &Watching) -> Option<Self> {
        let pts = frame.pts.filter(|pts| self.last.is_none_or(|last| last < *pts))?;
        self.last = Some(pts);
        self.undecided.push_back((share(frame.raw()).ok()?, pts));
        let known = watching.cuts()?.known;
        while self.decided < known
            && let Some((picture, pts)) = self.undecided.pop_front()
        {
            self.decide(&picture, pts, watching);
        }
        Some(self)
    }

    /// What has become of clips since the last time.
    pub fn take_done(&mut self) -> Vec<(Stretch, Done)> {
        let done = self.clips.take_done();
        done.into_iter().filter_map(|done| Some((*self.made.get(done.index)?, done))).collect()
    }

    /// No more frames: the rest of the clips.
    pub fn finish(mut self, watching: &Watching) -> Option<Vec<(Stretch, Done)>> {
        while let Some((picture, pts)) = self.undecided.pop_front() {
            self.decide(&picture, pts, watching);
        }
        self.end_scene(watching.watched().second(self.decided));
        let made = self.made;
        let done = self.clips.finish().ok()?;
        Some(done.into_iter().filter_map(|done| Some((*made.get(done.index)?, done))).collect())
    }

    /// The next frame of which it is known whether a scene begins with it.
    fn decide(&mut self, picture: &ffmpeg_next::frame::Video, pts: i64, watching: &Watching) {
        let second = watching.watched().second(self.decided);
        let found = watching.cuts().map(|found| found.cuts).unwrap_or_default();
        let is_cut = found.get(self.cuts) == Some(&self.decided);
        self.cuts += usize::from(is_cut);
        if is_cut {
            self.end_scene(second);
        }
        if is_cut || self.decided == 0 {
            self.piece = self.first_piece(second);
        }
        self.decided += 1;
        self.go_on(picture, pts, second);
    }

    /// The first piece of what begins at `from`, if no cut comes.
    fn first_piece(&self, mut from: f64) -> Option<Piece> {
        loop {
            let asked = self.cutter.pieces((from, f64::INFINITY)).next()?;
            match plan(&self.work.frames, asked, Cut::Encode) {
                Some(planned) => return Some(Piece { from, asked, planned, writers: None }),
                // No frame lies in it.
                None if asked.1 > from && !self.cutter.is_first_only() => from = asked.1,
                None => return None,
            }
        }
    }

    /// The scene goes on with this frame.
    fn go_on(&mut self, picture: &ffmpeg_next::frame::Video, pts: i64, second: f64) {
        while let Some(piece) = self.piece.take_if(|piece| pts >= piece.planned.end) {
            let (rest, end) = (piece.asked.1, piece.planned.end);
            self.close(piece, end);
            self.piece = if self.cutter.is_first_only() { None } else { self.first_piece(rest) };
        }
        let unit = self.work.frames.unit;
        let next = self.piece.as_ref().map_or(pts, |piece| pts.min(piece.planned.start));
        self.sound.forget(next as f64 * unit);
        let Some(piece) = &mut self.piece else { return };
        if pts == piece.planned.start && self.sound.has_from(pts as f64 * unit) {
            piece.writers = open(self.work, self.source, self.start, piece.planned).ok();
        }
        let sure = sure(&self.cutter, piece, second, self.work);
        let Some(writers) = &mut piece.writers else { return };
        let is_fed = writers.iter_mut().try_for_each(|(_, writer)| feed(writer, picture, pts, sure));
        let is_full = writers.iter().any(|(_, writer)| writer.waiting_bytes() > self.max_waiting);
        // Frames up to here may be encoded in vain, but only where they would be the clip's: else it is left to later.
        let is_freed =
            !is_full || self.cutter.is_exact() && writers.iter_mut().all(|(_, writer)| writer.release(pts).is_ok());
        if is_fed.is_err() || !is_freed {
            piece.writers = None;
        }
    }

    /// The scene ends at a second.
    fn end_scene(&mut self, second: f64) {
        let Some(piece) = self.piece.take() else { return };
        let asked = self.cutter.pieces((piece.from, second)).next().filter(|asked| asked.0 == piece.asked.0);
        if let Some(planned) = asked.and_then(|asked| plan(&self.work.frames, asked, Cut::Encode)) {
            self.close(piece, planned.end);
        }
    }

    /// The piece ends before a frame: it becomes a clip.
    fn close(&mut self, piece: Piece, end: i64) {
        let Some(mut writers) = piece.writers else { return };
        let planned = Planned { end, ..piece.planned };
        let unit = self.work.frames.unit;
        let span = (planned.start as f64 * unit, end as f64 * unit);
        let mut finish = || -> Result<(), MediaError> {
            writers.iter_mut().try_for_each(|(_, writer)| writer.end_at(end, span.1))?;
            for spec in files(self.work, self.source, self.start, planned) {
                if spec.video == VideoSpec::None {
                    writers.push((spec.extension.clone(), ClipWriter::new(self.source, &spec)?));
                }
            }
            Ok(())
        };
        let index = self.made.len();
        if finish().is_ok() && self.clips.adopt(index, span, writers, self.sound.packets()).is_ok() {
            self.made.push((planned.start, end));
        }
    }
}

/// The files of a clip; their order is that of its members.
fn files(work: &Work<'_>, source: &Streams, start: f64, planned: Planned) -> Vec<ClipSpec> {
    Output { planned: Some(planned), ..Output::whole() }.files(work, source, start)
}

/// The files with pictures of a clip that begins. Those of sound alone can wait until it has an end.
fn open(
    work: &Work<'_>,
    source: &Streams,
    start: f64,
    planned: Planned,
) -> Result<Vec<(String, ClipWriter)>, MediaError> {
    let endless = Planned { end: i64::MAX, ..planned };
    let files = files(work, source, start, endless).into_iter().filter(|file| file.video != VideoSpec::None);
    files.map(|file| Ok((file.extension.clone(), ClipWriter::open_ended(source, &file)?))).collect()
}

/// The time before which frames belong to the piece for sure, if the scene goes on to a second at least.
fn sure(cutter: &Cutter, piece: &Piece, second: f64, work: &Work<'_>) -> Option<i64> {
    let asked = cutter.pieces((piece.from, second)).next().filter(|asked| asked.0 == piece.asked.0)?;
    plan(&work.frames, asked, Cut::Encode).map(|planned| planned.end)
}

/// Gives a clip's file the next frame, and lets go what is `sure`.
fn feed(
    writer: &mut ClipWriter,
    picture: &ffmpeg_next::frame::Video,
    pts: i64,
    sure: Option<i64>,
) -> Result<(), MediaError> {
    writer.picture(picture, pts)?;
    sure.map_or(Ok(()), |sure| writer.release(sure))
}
