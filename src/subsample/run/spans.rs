//! Which clips a sample becomes.

use serde_json::{Value, json};

use super::outputs::{Fields, Output};
use super::said;
use super::smart;
use super::work::Work;
use crate::media::Media;
use crate::sample::{Failure, FailureClass};
use crate::subsample::black_static;
use crate::subsample::clipping::{Precision, Settings};
use crate::subsample::clips::{Planned, Rules, Span, Spans, Style, parse, plan, subtitles};
use crate::subsample::{ClipSource, Cut, SPANS, Work as How};

/// The clips, in the order of the spans that they come of.
pub fn clips(work: &Work<'_>, source: ClipSource, media: &Media, meta: &Fields) -> Result<Vec<Output>, Failure> {
    let settings = settings(work)?;
    let found = subtitles::find(meta);
    let (said, Spans { spans, style }) = match source {
        ClipSource::Given => return given(meta),
        ClipSource::SubtitleFrames => return said::frames(work, &said::needed(found)?),
        ClipSource::Subtitles => {
            let said = said::needed(found)?;
            let spans = said.spans();
            (Some(said), spans)
        }
        ClipSource::Column => (found, of_column(work, meta)?),
        ClipSource::Cuts => (found, of_cuts(work, meta)?),
    };
    let count = spans.len();
    // Parts of a span keep its number.
    let parts = |span| if trims(work) { black_static::trim(vec![span], meta) } else { vec![span] };
    let spans = spans.into_iter().enumerate().flat_map(|(n, span)| parts(span).into_iter().map(move |part| (n, part)));
    let (numbers, spans): (Vec<usize>, Vec<Span>) = spans.unzip();
    let outputs = match &work.video {
        Some(_) => of_frames(work, &settings, spans, style),
        None => of_sound(&settings, spans, style, media.duration()),
    };
    let dropped = outputs.iter().filter(|made| made.is_empty()).count();
    let of_one = |(n, made): (usize, Vec<Output>)| made.into_iter().map(move |output| (n, output));
    let mut outputs: Vec<(usize, Output)> = numbers.into_iter().zip(outputs).flat_map(of_one).collect();
    // Spans of which nothing is left must not vanish without a word.
    for (_, output) in outputs.iter_mut().filter(|_| dropped > 0) {
        output.fields.insert("clips_dropped".into(), dropped.into());
    }
    if outputs.is_empty() {
        let why = match settings.precision {
            Precision::KeyframeAdjusted => "lie within the video with two keyframes inside",
            _ => "lie within the video",
        };
        let why = format!("{why}{}", if trims(work) { ", outside its black and static stretches" } else { "" });
        let what = format!("no clip is left: none of {count} spans is longer than {} s and {why}", settings.min_length);
        return Err(Failure::new(FailureClass::NoClips, what));
    }
    if let Some(said) = &said {
        said::add(&mut outputs, said, work, source == ClipSource::Subtitles)?;
    }
    Ok(outputs.into_iter().map(|(_, output)| output).collect())
}

/// One output for each span that another member was cut at.
fn given(meta: &Fields) -> Result<Vec<Output>, Failure> {
    let given = meta.get(SPANS).cloned().unwrap_or_default();
    let given: Vec<Option<Span>> =
        serde_json::from_value(given).map_err(|error| super::broken(&format!("spans: {error}")))?;
    let output =
        |span: Option<Span>| Output { seconds: span.unwrap_or_default(), is_wanted: span.is_some(), ..Output::whole() };
    Ok(given.into_iter().map(output).collect())
}

pub fn settings(work: &Work<'_>) -> Result<Settings, Failure> {
    let step = work.recipe.steps.iter().find(|step| step.name == "ClippingSubsampler");
    let args = step.map_or_else(|| json!({}), |step| step.args.clone());
    serde_json::from_value(args).map_err(|error| super::broken(&error.to_string()))
}

/// Whether stretches that are black or still are cut out.
fn trims(work: &Work<'_>) -> bool {
    let step = work.recipe.steps.iter().find(|step| step.name == "BlackStaticSubsampler");
    step.and_then(|step| step.args.get("trim_clips")?.as_bool()).unwrap_or(false)
}

fn of_column(work: &Work<'_>, meta: &Fields) -> Result<Spans, Failure> {
    let field = work.recipe.clip_field.as_deref().unwrap_or("clips");
    parse(meta.get(field).unwrap_or(&Value::Null))
}

fn of_cuts(work: &Work<'_>, meta: &Fields) -> Result<Spans, Failure> {
    let missing = || Failure::new(FailureClass::NoClips, "no clip is left: the sample has no cuts");
    let cuts = meta.get("cuts").ok_or_else(missing)?;
    match cuts.get("cuts_seconds") {
        Some(seconds) => Ok(Spans { style: Style::Seconds, ..parse(seconds)? }),
        None => of_numbers(work, cuts).ok_or_else(missing),
    }
}

/// Cuts as video2dataset stores them: numbers of frames, from 0. A frame's own time counts, not its number by a rate.
fn of_numbers(work: &Work<'_>, cuts: &Value) -> Option<Spans> {
    let frames = &work.frames;
    let second = |frame: &Value| {
        let at = usize::try_from(frame.as_u64()?).ok()?;
        Some(frames.seconds(frames.times.get(at).copied().unwrap_or(frames.end)))
    };
    let span = |pair: &Value| {
        let [start, end] = pair.as_array()?.as_slice() else { return None };
        Some((second(start)?, second(end)?))
    };
    let spans: Vec<Span> = cuts.get("cuts_original_fps")?.as_array()?.iter().map(span).collect::<Option<_>>()?;
    Some(Spans { spans: spans.into_iter().filter(|(start, end)| end > start).collect(), style: Style::Seconds })
}

fn of_frames(work: &Work<'_>, settings: &Settings, spans: Vec<Span>, style: Style) -> Vec<Vec<Output>> {
    let cutter = Cutter::new(work, settings);
    let cut = if work.passes.video == How::Copy { Cut::Copy } else { Cut::Encode };
    let made = |span: Span| {
        let planned = cutter.pieces(span).filter_map(|piece| plan(&work.frames, piece, cut));
        planned.map(|planned| output(planned, work, cut, style)).collect()
    };
    spans.into_iter().map(made).collect()
}

/// Cuts spans of one video into pieces.
pub struct Cutter {
    rules: Rules,
    /// Where pieces begin and end, if they are bound to keyframes; seconds.
    keyframes: Option<Vec<f64>>,
    /// Of the video, seconds.
    end: f64,
}

impl Cutter {
    pub fn new(work: &Work<'_>, settings: &Settings) -> Self {
        let frames = &work.frames;
        let keyframes = (settings.precision == Precision::KeyframeAdjusted).then(|| frames.keyframes());
        Self { rules: settings.rules(), keyframes, end: frames.seconds(frames.end) }
    }

    /// The pieces of one span, in their order.
    pub fn pieces(&self, (start, stop): Span) -> Box<dyn Iterator<Item = Span> + '_> {
        match &self.keyframes {
            // The last group of pictures ends with the video.
            Some(keyframes) => Box::new(self.rules.pieces_at_keyframes((start, stop), keyframes)),
            None if start >= self.end => Box::new(std::iter::empty()),
            None => Box::new(self.rules.pieces((start, stop.min(self.end)))),
        }
    }

    /// Only the first piece of each span is kept.
    pub fn is_first_only(&self) -> bool {
        self.rules.first_only
    }

    /// Whether all frames of a span up to now belong to its piece, however the span goes on: if there will be a piece.
    pub fn is_exact(&self) -> bool {
        self.keyframes.is_none()
    }
}

fn output(planned: Planned, work: &Work<'_>, cut: Cut, style: Style) -> Output {
    let frames = &work.frames;
    // What is copied is labelled as it is, not as it was asked for.
    let (start, end) = match cut {
        Cut::Copy => (frames.seconds(planned.start), frames.seconds(planned.end)),
        _ => planned.asked,
    };
    let fields = Fields::from_iter([("clips".to_owned(), json!([[style.write(tidy(start)), style.write(tidy(end))]]))]);
    Output { planned: Some(planned), smart: smart::seams(work, &planned), fields, ..Output::whole() }
}

fn of_sound(settings: &Settings, spans: Vec<Span>, style: Style, duration: Option<f64>) -> Vec<Vec<Output>> {
    let end = duration.unwrap_or(f64::INFINITY);
    let output = |(start, end): Span| {
        let clips = json!([[style.write(tidy(start)), style.write(tidy(end))]]);
        Output { seconds: (start, end), fields: Fields::from_iter([("clips".to_owned(), clips)]), ..Output::whole() }
    };
    let made = |(start, stop): Span| match start < end {
        true => settings.rules().split((start, stop.min(end))).into_iter().map(output).collect(),
        false => Vec::new(),
    };
    spans.into_iter().map(made).collect()
}

/// Microseconds are enough, and print short.
fn tidy(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}
