//! The output samples of one input: what each is to hold, and what it came to hold.

use serde_json::{Map, Value, json};

use super::smart;
use super::watching::Watching;
use super::work::Work;
use crate::media::{ClipSpec, NotSmart, Seams, SoundSpec, StreamSummary, Streams, Stretch, VideoSpec};
use crate::mill::worker::{Made, Stored};
use crate::sample::Status;
use crate::subsample::clips::Planned;
use crate::subsample::{Edit, Passes, SPAN, SPANS, Work as How};

pub type Fields = Map<String, Value>;

/// One output sample.
pub struct Output {
    /// The frames that it has; none: the whole media.
    pub planned: Option<Planned>,
    /// Its parts, where some of it is copied; or why it is encoded from end to end; none: nobody asked.
    pub smart: Option<Result<Seams, NotSmart>>,
    /// Seconds from the container's start, for media without pictures.
    pub seconds: (f64, f64),
    /// JSON fields of its own.
    pub fields: Fields,
    pub is_wanted: bool,
    /// Its files are there.
    pub is_made: bool,
    pub members: Vec<(String, Stored)>,
}

impl Output {
    /// The media from end to end.
    pub fn whole() -> Self {
        let seconds = (f64::NEG_INFINITY, f64::INFINITY);
        Self {
            planned: None,
            smart: None,
            seconds,
            fields: Fields::new(),
            is_wanted: true,
            is_made: false,
            members: Vec::new(),
        }
    }

    pub fn stretch(&self) -> Option<Stretch> {
        self.planned.map(|planned| Stretch { start: planned.start, end: planned.end })
    }

    /// Whether its files are still to be made.
    pub fn is_open(&self) -> bool {
        self.is_wanted && !self.is_made
    }

    /// Seconds in the streams' clock.
    pub fn span(&self, work: &Work<'_>, start: f64) -> (f64, f64) {
        match self.planned {
            Some(planned) => (planned.start as f64 * work.frames.unit, planned.end as f64 * work.frames.unit),
            None => (self.seconds.0 + start, self.seconds.1 + start),
        }
    }

    /// Seconds from the container's start.
    fn place(&self, work: &Work<'_>) -> (f64, f64) {
        let seconds = |planned: Planned| (work.frames.seconds(planned.start), work.frames.seconds(planned.end));
        self.planned.map_or(self.seconds, seconds)
    }

    /// Takes over what was seen within it, where it is a clip.
    pub fn add_seen(&mut self, watching: &Watching, work: &Work<'_>) {
        if let Some(Planned { start, end, .. }) = self.planned {
            self.fields.extend(watching.clip((work.frames.seconds(start), work.frames.seconds(end))));
        }
    }

    /// The files to make of it.
    pub fn files(&self, work: &Work<'_>, source: &Streams, start: f64) -> Vec<ClipSpec> {
        if !self.is_open() {
            return Vec::new();
        }
        let span = self.span(work, start);
        let zero = if span.0.is_finite() { span.0 } else { start };
        let file = |extension: &str, video, sound| ClipSpec {
            extension: extension.to_owned(),
            video,
            sound,
            stretch: self.stretch(),
            span,
            zero,
        };
        let formats = &work.recipe.formats;
        let mut files = Vec::new();
        if let Some(extension) = &formats.video
            && work.passes.video != How::None
        {
            // Sound that gets a member of its own is not stored twice.
            let sound = match formats.separate_audio() {
                Some(_) => SoundSpec::None,
                None => sound(work, source, extension, span),
            };
            files.push(file(extension, self.video(work, extension), sound));
        }
        if let Some(extension) = formats.separate_audio()
            && source.sound().is_some()
            && !formats.sound_apart
        {
            files.push(file(extension, VideoSpec::None, sound(work, source, extension, span)));
        }
        files
    }

    fn video(&self, work: &Work<'_>, extension: &str) -> VideoSpec {
        let encode = || VideoSpec::Encode { graph: work.edit.graph(), codec: work.recipe.encoding.video(extension) };
        match (work.passes.video, self.smart) {
            (How::None, _) => VideoSpec::None,
            (How::Copy, _) => VideoSpec::Copy,
            (How::Encode, Some(Ok(seams))) => smart::spec(work, seams).map_or_else(encode, VideoSpec::Smart),
            (How::Encode, _) => encode(),
        }
    }

    pub fn into_made(self, meta: &Fields, work: &Work<'_>) -> Made {
        let mut fields = meta.clone();
        fields.remove(SPANS);
        if work.recipe.clips.is_some() {
            fields.insert(SPAN.to_owned(), json!(self.place(work)));
        }
        fields.extend(self.fields);
        let Passes { keeps_media, .. } = work.passes;
        Made {
            meta: fields,
            status: if self.is_wanted { Status::Success } else { Status::Filtered },
            members: self.members,
            media: work.recipe.formats.video.clone().filter(|_| keeps_media && self.is_wanted),
        }
    }

    /// Notes down what a file came to hold.
    ///
    /// What a whole clip of an earlier job becomes keeps its place in the video that it was cut from.
    pub fn note(&mut self, video: &StreamSummary, work: &Work<'_>, start: f64, meta: &Fields) {
        let cut = match (work.passes.video, self.smart) {
            (How::Copy, _) => "copied",
            (_, Some(Ok(_))) => "smart",
            _ => "encoded",
        };
        let before = meta.get("clip").filter(|_| self.planned.is_none());
        let place = before.and_then(|clip| clip.get("start")?.as_f64()).unwrap_or(0.0);
        let round = |seconds: f64| ((seconds - start + place) * 1e6).round() / 1e6;
        let mut clip = json!({
            "start": round(video.start),
            "end": round(video.end),
            "frames": video.packets,
            "width": video.width,
            "height": video.height,
            "cut": cut,
        });
        match self.smart {
            Some(Ok(_)) => clip["frames_encoded"] = video.encoded.into(),
            Some(Err(why)) => clip["smart"] = why.to_string().into(),
            None => {}
        }
        if let Some(asked) = before.and_then(|clip| clip.get("asked")) {
            clip["asked"] = asked.clone();
        }
        if let Some(planned) = self.planned {
            clip["asked"] = json!([planned.asked.0, planned.asked.1]);
        }
        self.fields.insert("clip".into(), clip);
    }
}

/// Copied where nothing has to change and the file can hold it.
fn sound(work: &Work<'_>, source: &Streams, extension: &str, span: (f64, f64)) -> SoundSpec {
    let Edit { sample_rate, channels, .. } = work.edit;
    let encoding = &work.recipe.encoding;
    let is_asked_for = encoding.audio_encoder.is_some() || encoding.audio_bit_rate.is_some();
    if !work.edit.changes_sound()
        && !is_asked_for
        && source.sound_fits(extension, span.0.is_finite() || span.1.is_finite())
    {
        return SoundSpec::Copy;
    }
    SoundSpec::Encode(crate::media::AudioCodec { sample_rate, channels, ..encoding.audio(extension) })
}
