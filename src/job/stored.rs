//! Samples of an earlier job through the rank's workers: a video, the sound that lies beside it, or sound alone.

use serde_json::{Map, Value};

use super::mill::{Mill, Place};
use super::sidecars;
use super::tars::{is_media, is_sound, is_video};
use crate::mill::{MillError, Output};
use crate::sample::{Failure, FailureClass, Payload, Status, Usage};
use crate::sink::{Member, OutputSample};
use crate::subsample::clips::subtitles;
use crate::subsample::{ClipSource, Formats, Recipe, SPAN, SPANS};

/// Sound that is a member of its own, and the extension that it is to have.
struct Sound {
    member: Member,
    to: String,
}

/// Where each output lies in the whole, seconds; none: it is not wanted.
type Spans = Vec<Option<Value>>;

impl Mill {
    /// Makes the outputs of a sample of an earlier job: of its first video, else of its first sound. Sound beside the video
    /// is cut where the video is. What else it holds is carried over; a sample without media is, as a whole.
    ///
    /// # Errors
    /// Only what is not the sample's fault.
    pub async fn process_stored(
        &self,
        place: Place<'_>,
        mut sample: OutputSample,
    ) -> Result<(Vec<OutputSample>, Usage), MillError> {
        let Some(media) = take_media(&mut sample.members) else { return Ok((vec![sample], Usage::default())) };
        // Their fields change.
        let mut others = std::mem::take(&mut sample.members);
        others.retain(|member| !["json", "txt"].contains(&member.extension.as_str()));
        if !self.keeps_media {
            others.retain(|member| !is_media(&member.extension));
        }
        let sounds = self.take_sounds(&media, &mut others);
        let recipe = self.recipe_for(&media, !sounds.is_empty());
        let mut meta = sample.meta.clone();
        if self.pieces.is_some() {
            if let Some(found) = self.sidecars(&sample.meta, &others).await? {
                meta.insert(subtitles::FIELD.into(), found);
            }
            // Their times are not those of the pieces, which have `clip_subtitles`.
            others.retain(|member| sidecars::language(&member.extension).is_none());
        }
        let (made, usage) = self.run(&recipe, meta, media.payload).await?;
        let made = match made {
            Ok(made) => made,
            Err(failure) => return Ok((vec![failed(sample, failure)], usage)),
        };
        let spans = made.iter().map(|output| span(output, self.pieces.is_some())).collect();
        let mut outputs = self.outputs(&sample, made);
        for sound in sounds {
            match self.sound(sound, &sample.meta, &spans).await? {
                Ok(made) => add(&mut outputs, made),
                Err(failure) => return Ok((vec![failed(sample, failure)], usage)),
            }
        }
        drop(place);
        carry_over(&mut outputs, &others);
        Ok((outputs, usage))
    }

    /// Whether sound is made anew, whatever it is a member of.
    fn changes_sound(&self) -> bool {
        self.pieces.is_some() || self.recipe.needs().resample
    }

    /// The extension that stored sound is to have; `stored`: those of all.
    fn extension(&self, own: &str, is_first: bool, stored: &[String]) -> String {
        match self.recipe.formats.separate_audio() {
            Some(wanted) if is_first && !stored.iter().any(|stored| stored == wanted) => wanted.to_owned(),
            _ => own.to_owned(),
        }
    }

    /// The sounds beside the media that are to be made anew, out of its other members.
    fn take_sounds(&self, media: &Member, others: &mut Vec<Member>) -> Vec<Sound> {
        // Pictures of subtitles have no sound: it goes on as it is.
        if self.pieces == Some(ClipSource::SubtitleFrames) {
            return Vec::new();
        }
        let is_alone = !is_video(&media.extension);
        let mut stored: Vec<String> = others.iter().map(|member| member.extension.clone()).collect();
        stored.retain(|extension| is_sound(extension));
        if is_alone {
            stored.insert(0, media.extension.clone());
        }
        let mut is_first = !is_alone;
        let mut sounds = Vec::new();
        for member in others.extract_if(.., |member| is_sound(&member.extension)).collect::<Vec<_>>() {
            let to = self.extension(&member.extension, is_first, &stored);
            is_first = false;
            if self.changes_sound() || to != member.extension {
                sounds.push(Sound { member, to });
            } else {
                others.push(member);
            }
        }
        sounds
    }

    /// What is done with the media itself.
    fn recipe_for(&self, media: &Member, sound_apart: bool) -> Recipe {
        let mut recipe = self.recipe.clone();
        if is_video(&media.extension) {
            recipe.formats.sound_apart = sound_apart;
            return recipe;
        }
        let needs = recipe.needs();
        if needs.encode || needs.all_frames || needs.images || !self.keeps_media {
            // Pictures are asked for, which sound has not.
            return recipe;
        }
        let to = self.extension(&media.extension, true, std::slice::from_ref(&media.extension));
        recipe.formats = match self.changes_sound() || to != media.extension {
            true => Formats { audio: Some(to), ..Formats::default() },
            // As it is, under its own name.
            false => Formats { video: Some(to), ..Formats::default() },
        };
        recipe
    }

    /// One sound, cut where the rest of the sample is: a member, or none, for each span.
    async fn sound(
        &self,
        sound: Sound,
        meta: &Map<String, Value>,
        spans: &Spans,
    ) -> Result<Result<Vec<Option<Member>>, Failure>, MillError> {
        let Sound { member, to } = sound;
        let recipe = Recipe {
            formats: Formats { audio: Some(to), ..Formats::default() },
            steps: self.recipe.steps.iter().filter(|step| step.name == "AudioRateSubsampler").cloned().collect(),
            clips: self.recipe.clips.map(|_| ClipSource::Given),
            clip_field: None,
            captions_are_subtitles: false,
            encoding: self.recipe.encoding.clone(),
        };
        let mut meta = meta.clone();
        meta.insert(SPANS.to_owned(), spans.iter().map(|span| span.clone().unwrap_or_default()).collect());
        let made = match self.run(&recipe, meta, member.payload).await?.0 {
            Ok(made) => made,
            Err(failure) => {
                let what = format!("the sample's sound (`.{}`): {}", member.extension, failure.message);
                return Ok(Err(Failure::new(failure.class, what)));
            }
        };
        if made.len() != spans.len() {
            let what = "a bug of clipmill: the sound has another number of clips than the rest of the sample";
            return Ok(Err(Failure::new(FailureClass::Internal, what)));
        }
        let only = |output: Output| output.members.into_iter().next();
        let member = |(extension, payload): (String, Payload)| Member { extension, payload };
        Ok(Ok(made.into_iter().map(|output| only(output).map(member)).collect()))
    }
}

/// What a worker says of an output's place; of one that is no clip, there is nothing to say.
fn span(output: &Output, is_clip: bool) -> Option<Value> {
    let wanted = output.status == Status::Success;
    let whole = if is_clip { None } else { Some(Value::Null) };
    output.meta.get(SPAN).cloned().or(whole).filter(|_| wanted)
}

fn add(outputs: &mut [OutputSample], made: Vec<Option<Member>>) {
    for (output, member) in outputs.iter_mut().zip(made) {
        if output.status == Status::Success {
            output.members.extend(member);
        }
    }
}

fn carry_over(outputs: &mut [OutputSample], others: &[Member]) {
    for output in outputs.iter_mut().filter(|output| output.status == Status::Success) {
        for other in others {
            // What was made anew takes the place of what was there.
            let is_new = !output.members.iter().any(|member| member.extension == other.extension);
            if let Some(payload) = other.payload.again().filter(|_| is_new) {
                output.members.push(Member { extension: other.extension.clone(), payload });
            }
        }
    }
}

fn take_media(members: &mut Vec<Member>) -> Option<Member> {
    let find = |is: fn(&str) -> bool| members.iter().position(|member| is(&member.extension));
    let at = find(is_video).or_else(|| find(is_sound))?;
    Some(members.remove(at))
}

/// The sample without media, marked as failed.
fn failed(mut sample: OutputSample, failure: Failure) -> OutputSample {
    sample.status = Status::FailedToSubsample;
    sample.meta.insert("status".into(), sample.status.as_str().into());
    sample.meta.insert("error_message".into(), failure.message.clone().into());
    sample.meta.insert("error_class".into(), failure.class.to_string().into());
    sample.failure = Some(failure);
    sample
}
