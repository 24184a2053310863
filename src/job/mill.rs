//! Fetched media through the rank's workers.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use super::JobError;
use super::tars::{is_media, is_sound, is_video};
use crate::cluster::Placement;
use crate::config::{self, Config};
use crate::mill::{Answer, Limits, MillError, Output, Pool, PoolOptions, Request};
use crate::sample::{Budget, Column, Failure, FailureClass, Payload, Status};
use crate::sink::{Member, OutputSample};
use crate::subsample::Recipe;

/// The rank's workers, and what each sample goes through.
pub struct Mill {
    pool: Pool,
    recipe: Value,
    fields: Vec<Column>,
    /// Clips get keys of their own.
    clips: bool,
    resamples: bool,
    keeps_media: bool,
    /// Samples with a worker, and those that wait for one so that none is ever idle. The others wait as fetches.
    queue: Semaphore,
}

/// A sample's place in front of the workers.
pub struct Place<'m>(#[expect(dead_code, reason = "held, not read")] tokio::sync::SemaphorePermit<'m>);

fn limits(limits: &config::Limits) -> Limits {
    Limits {
        wall: Duration::from_secs_f64(limits.wall_seconds),
        cpu: Duration::from_secs_f64(limits.cpu_seconds),
        memory_bytes: limits.memory,
        output_bytes: limits.output_bytes,
        max_pixels: limits.max_pixels,
        max_frames: limits.max_frames,
        max_seconds: limits.max_seconds,
    }
}

/// What a sample becomes: its outputs, or its own failure.
pub type Processed = Result<Vec<OutputSample>, Failure>;

impl Mill {
    /// None where the job leaves media as it is. Starts no worker yet.
    ///
    /// # Errors
    /// The worker program is missing.
    pub fn new(
        config: &Config,
        recipe: &Recipe,
        placement: &Placement,
        budget: Budget,
    ) -> Result<Option<Self>, JobError> {
        if recipe.is_idle() {
            return Ok(None);
        }
        let workers = config.distribution.processes_count.min(placement.cpus).max(1);
        let pool = Pool::new(PoolOptions {
            program: Pool::program(),
            workers,
            limits: limits(&config.limits),
            scratch: Arc::new(placement.scratch.clone()),
            budget,
        })?;
        tracing::debug!("{workers} media workers");
        Ok(Some(Self {
            pool,
            recipe: serde_json::to_value(recipe).map_err(|error| JobError::Task { what: error.to_string() })?,
            fields: recipe.fields(),
            clips: recipe.clips.is_some(),
            resamples: recipe.needs().resample,
            keeps_media: recipe.formats.video.is_some() || recipe.formats.audio.is_some(),
            queue: Semaphore::new(workers as usize * 2),
        }))
    }

    /// Waits for a place in the queue.
    pub async fn place(&self) -> Place<'_> {
        // Never closed, so always granted.
        Place(loop {
            if let Ok(permit) = self.queue.acquire().await {
                break permit;
            }
        })
    }

    /// Makes the outputs of one sample: `whole` is what it would be without any subsampler.
    ///
    /// # Errors
    /// Only what is not the sample's fault.
    pub async fn process(
        &self,
        _place: Place<'_>,
        whole: &OutputSample,
        media: Payload,
    ) -> Result<Processed, MillError> {
        let request = Request { media, recipe: self.recipe.clone(), meta: whole.meta.clone() };
        let Answer { outputs, failure, .. } = self.pool.run(request).await?;
        if let Some(failure) = failure {
            return Ok(Err(failure));
        }
        let outputs = outputs.into_iter().enumerate().map(|(n, output)| self.output(whole, n, output));
        Ok(Ok(outputs.collect()))
    }

    /// Makes the outputs of a sample of an earlier job: of its first video, else of its first sound. What else it holds is
    /// carried over; a sample without media is, as a whole.
    ///
    /// # Errors
    /// Only what is not the sample's fault.
    pub async fn process_stored(
        &self,
        place: Place<'_>,
        mut sample: OutputSample,
    ) -> Result<Vec<OutputSample>, MillError> {
        let Some(media) = take_media(&mut sample.members) else { return Ok(vec![sample]) };
        // Their fields change.
        let mut others = std::mem::take(&mut sample.members);
        others.retain(|member| !["json", "txt"].contains(&member.extension.as_str()));
        if !self.keeps_media {
            others.retain(|member| !is_media(&member.extension));
        }
        let is_apart = is_video(&media.extension) && others.iter().any(|member| is_sound(&member.extension));
        if is_apart && (self.clips || self.resamples) {
            let what = "the sample's sound is a member of its own, which cannot be cut or resampled together with its \
                        pictures: do that in the job that takes the sound out of the video";
            return Ok(vec![failed(sample, Failure::new(FailureClass::NoAudio, what))]);
        }
        let mut outputs = match self.process(place, &sample, media.payload).await? {
            Ok(outputs) => outputs,
            Err(failure) => return Ok(vec![failed(sample, failure)]),
        };
        for output in outputs.iter_mut().filter(|output| output.status == Status::Success) {
            for other in &others {
                // What was made anew takes the place of what was there.
                let is_new = !output.members.iter().any(|member| member.extension == other.extension);
                if let Some(payload) = other.payload.again().filter(|_| is_new) {
                    output.members.push(Member { extension: other.extension.clone(), payload });
                }
            }
        }
        Ok(outputs)
    }

    /// Of a worker's fields only those that the recipe makes are taken over: it has read hostile bytes.
    fn output(&self, whole: &OutputSample, n: usize, output: Output) -> OutputSample {
        let mut meta = whole.meta.clone();
        if self.clips {
            meta.insert("key".into(), format!("{}_{n:05}", whole.key()).into());
            // As video2dataset: the description of the whole video goes with its first clip.
            if n > 0 && meta.get("yt_meta_dict").is_some_and(|value| !value.is_null()) {
                meta.insert("yt_meta_dict".into(), Value::Object(Map::new()));
            }
        }
        let mut made = output.meta;
        for field in &self.fields {
            if let Some(value) = made.remove(&field.name) {
                meta.insert(field.name.clone(), value);
            }
        }
        if output.status == Status::Filtered {
            meta.insert("status".into(), Status::Filtered.as_str().into());
        }
        let members = output.members.into_iter().map(|(extension, payload)| Member { extension, payload });
        OutputSample {
            meta,
            status: output.status,
            failure: None,
            text: whole.text.clone(),
            members: members.collect(),
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
