//! What is said in the outputs: clips of subtitles, pictures of them, and the lines that belong to any clip.

use serde_json::json;

use super::outputs::{Fields, Output};
use super::work::Work;
use crate::sample::{Failure, FailureClass};
use crate::subsample::clips::subtitles::{Cue, DROPPED, Subtitles, WITHIN, Within};
use crate::subsample::clips::{Planned, Style};

/// Bytes of text that the outputs of one sample may have together, so that they fit a message to the rank. Where lines and
/// clips overlap one another, each clip has all of them.
const MAX_BYTES: usize = 16 << 20;

/// The subtitles of a sample that must have some.
///
/// # Errors
/// `no_subtitles`
pub fn needed(found: Option<Subtitles>) -> Result<Subtitles, Failure> {
    let what = match found {
        Some(found) if !found.tracks.is_empty() => return Ok(found),
        Some(Subtitles { problem: Some(problem), dropped: ..=1, .. }) => {
            format!("the subtitles cannot be used: {problem}")
        }
        Some(Subtitles { problem: Some(problem), dropped, .. }) => {
            format!("the subtitles cannot be used: {problem} (the first of {dropped} problems)")
        }
        Some(_) => "nothing is said in this clip".to_owned(),
        None => {
            "the sample has no subtitles: neither in `yt_meta_dict`, nor in a field `subtitles`, nor as .vtt members"
                .to_owned()
        }
    };
    Err(Failure::new(FailureClass::NoSubtitles, what))
}

/// Adds what is said in each clip. Beside a clip stands the number of the span that it comes of; with `captions`, that of
/// its line, which is its caption.
///
/// # Errors
/// `no_subtitles`: there is too much of it. Clips that come from elsewhere go without, and it is counted as dropped.
pub fn add(clips: &mut [(usize, Output)], said: &Subtitles, work: &Work<'_>, captions: bool) -> Result<(), Failure> {
    let within = Within::new(&said.tracks);
    let mut bytes = 0;
    for (line, clip) in clips.iter_mut() {
        let span = match clip.planned {
            Some(Planned { start, end, .. }) => (work.frames.seconds(start), work.frames.seconds(end)),
            None => clip.seconds,
        };
        let caption = said.first().get(*line).filter(|_| captions).map(Cue::text);
        bytes += within.bytes(span) + caption.as_ref().map_or(0, String::len);
        if bytes > MAX_BYTES && captions {
            return Err(too_much());
        }
        if bytes > MAX_BYTES {
            leave_out(clips, said);
            return Ok(());
        }
        clip.fields.insert(WITHIN.into(), within.clip_subtitles(span));
        clip.fields.insert(DROPPED.into(), said.dropped.into());
        if let Some(caption) = caption {
            clip.fields.insert("caption".into(), caption.into());
        }
    }
    Ok(())
}

fn too_much() -> Failure {
    let what = format!("the subtitles cannot be used: the outputs would have more than {MAX_BYTES} bytes of text");
    Failure::new(FailureClass::NoSubtitles, what)
}

fn leave_out(clips: &mut [(usize, Output)], said: &Subtitles) {
    let lines: usize = said.tracks.iter().map(|track| track.cues.len()).sum();
    for (_, clip) in clips {
        clip.fields.insert(WITHIN.into(), json!([]));
        clip.fields.insert(DROPPED.into(), (said.dropped + lines).into());
    }
}

/// One output of one frame for each line: the first frame at or after the line's start.
///
/// # Errors
/// `no_subtitles`: no line lies within the video, or there is too much text.
pub fn frames(work: &Work<'_>, said: &Subtitles) -> Result<Vec<Output>, Failure> {
    let output = |cue: &Cue| {
        let time = work.frames.picture(cue.start)?;
        let seconds = work.frames.seconds(time);
        let mut fields = Fields::from_iter([
            ("frame_time".to_owned(), Style::Clock.write(seconds)),
            ("frame_subtitle".to_owned(), cue.text().into()),
            (DROPPED.to_owned(), said.dropped.into()),
        ]);
        if work.recipe.captions_are_subtitles {
            fields.insert("caption".into(), cue.text().into());
        }
        let planned = Planned { start: time, end: time + 1, asked: (cue.start, cue.end) };
        Some(Output { planned: Some(planned), fields, ..Output::whole() })
    };
    // It may stand there twice, also as the caption.
    if said.first().iter().map(|cue| cue.text().len()).sum::<usize>() > MAX_BYTES / 2 {
        return Err(too_much());
    }
    let mut outputs: Vec<Output> = said.first().iter().filter_map(output).collect();
    let count = said.first().len();
    if outputs.is_empty() {
        let what = format!("none of {count} lines of the subtitles begins within the video");
        return Err(Failure::new(FailureClass::NoSubtitles, what));
    }
    note_dropped(&mut outputs, count);
    Ok(outputs)
}

/// After the pass: takes out the lines whose frame could not be decoded.
///
/// # Errors
/// `not_decodable`: that is all of them.
pub fn settle(outputs: &mut Vec<Output>) -> Result<(), Failure> {
    let count = outputs.len();
    let earlier = outputs.first().and_then(|output| output.fields.get("clips_dropped")?.as_u64()).unwrap_or(0);
    outputs.retain(|output| !output.is_wanted || !output.members.is_empty());
    if outputs.is_empty() {
        let what = "not one of the frames at the subtitles' lines could be decoded";
        return Err(Failure::new(FailureClass::NotDecodable, what));
    }
    note_dropped(outputs, count + usize::try_from(earlier).unwrap_or(0));
    Ok(())
}

/// Lines of which there is no picture must not vanish without a word.
fn note_dropped(outputs: &mut [Output], lines: usize) {
    let dropped = lines - outputs.len().min(lines);
    for output in outputs.iter_mut().filter(|_| dropped > 0) {
        output.fields.insert("clips_dropped".into(), json!(dropped));
    }
}
