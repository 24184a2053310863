//! Fetched media through the rank's workers.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use super::JobError;
use super::gpu;
use super::rank::blocking;
use super::sidecars;
use crate::cluster::Placement;
use crate::config::{self, Config};
use crate::mill::{Answer, Limits, MillError, Output, Pool, PoolOptions, Request};
use crate::sample::{Budget, Column, Failure, Payload, Status, Usage};
use crate::sink::{Member, OutputSample};
use crate::subsample::clips::subtitles;
use crate::subsample::{ClipSource, Recipe};

/// The rank's workers, and what each sample goes through.
pub struct Mill {
    pool: Pool,
    pub(super) recipe: Recipe,
    fields: Vec<Column>,
    /// Clips and pictures get keys of their own.
    pub(super) pieces: Option<ClipSource>,
    /// What is said in a piece is its text.
    captions: bool,
    scratch: PathBuf,
    pub(super) keeps_media: bool,
    /// Samples with a worker, and those that wait for one so that none is ever idle. The others wait as fetches.
    queue: Semaphore,
    gpu: gpu::Teller,
}

/// A sample's place in front of the workers.
pub struct Place<'m>(#[expect(dead_code, reason = "held, not read")] tokio::sync::SemaphorePermit<'m>);

pub(super) fn limits(limits: &config::Limits) -> Limits {
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

/// What a worker makes of one piece of media, or the sample's own failure; and on which processors.
pub(super) type Made = (Result<Vec<Output>, Failure>, Usage);

impl Mill {
    /// None where the job leaves media as it is. The workers start, so many as there are of them and of the plan's `rows`.
    ///
    /// # Errors
    /// The worker program is missing.
    pub fn new(
        config: &Config,
        recipe: &Recipe,
        placement: &Placement,
        budget: Budget,
        rows: u64,
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
        pool.start_ahead(u32::try_from(rows).unwrap_or(u32::MAX));
        Ok(Some(Self {
            pool: pool.with_gpu(gpu::wish(config, recipe, placement, workers)),
            recipe: recipe.clone(),
            fields: recipe.fields(),
            pieces: recipe.clips,
            captions: recipe.captions_are_subtitles,
            scratch: placement.scratch.clone(),
            keeps_media: recipe.formats.video.is_some() || recipe.formats.audio.is_some(),
            queue: Semaphore::new(workers as usize * 2),
            gpu: gpu::Teller::default(),
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
    ) -> Result<(Processed, Usage), MillError> {
        let (made, usage) = self.run(&self.recipe, whole.meta.clone(), media).await?;
        Ok((made.map(|made| self.outputs(whole, made)), usage))
    }

    /// What a worker makes of one piece of media. It sees `meta`, which may hold more than goes into the outputs.
    ///
    /// # Errors
    /// Only what is not the sample's fault.
    pub(super) async fn run(
        &self,
        recipe: &Recipe,
        meta: Map<String, Value>,
        media: Payload,
    ) -> Result<Made, MillError> {
        // A recipe is texts and numbers: nothing in it that JSON could not hold.
        let recipe = serde_json::to_value(recipe).unwrap_or_default();
        let Answer { outputs, failure, usage, .. } = self.pool.run(Request { media, recipe, meta }).await?;
        self.gpu.tell(self.pool.found_gpu());
        Ok((failure.map_or(Ok(outputs), Err), usage))
    }

    /// The samples that a worker's outputs are.
    pub(super) fn outputs(&self, whole: &OutputSample, made: Vec<Output>) -> Vec<OutputSample> {
        let later = if made.len() > 1 { self.later(&whole.meta) } else { Map::new() };
        let meta = |n| if n == 0 { whole.meta.clone() } else { later.clone() };
        made.into_iter().enumerate().map(|(n, output)| self.output(whole, meta(n), n, output)).collect()
    }

    /// The subtitles beside the media, where they matter.
    pub(super) async fn sidecars(
        &self,
        meta: &Map<String, Value>,
        others: &[Member],
    ) -> Result<Option<Value>, MillError> {
        let found = sidecars::of(others);
        if found.is_empty() || !subtitles::asks_for_members(meta) {
            return Ok(None);
        }
        let read = blocking(move || sidecars::read(found)).await;
        let read = read.map_err(|error| io::Error::other(error.to_string())).and_then(|read| read);
        read.map(Some).map_err(|source| MillError::Handover { scratch: self.scratch.clone(), source })
    }

    /// The fields of pieces after the first. As video2dataset: the description of the whole video goes with the first, and
    /// so do its subtitles.
    fn later(&self, whole: &Map<String, Value>) -> Map<String, Value> {
        let field = |(name, value): (&String, &Value)| {
            let kept = match (name.as_str(), value) {
                ("yt_meta_dict", Value::Null) => Value::Null,
                ("yt_meta_dict", _) => Value::Object(Map::new()),
                (subtitles::FIELD, Value::String(_) | Value::Array(_) | Value::Object(_)) => Value::Null,
                (_, value) => value.clone(),
            };
            (name.clone(), kept)
        };
        match self.pieces {
            Some(_) => whole.iter().map(field).collect(),
            None => whole.clone(),
        }
    }

    /// Of a worker's fields only those that the recipe makes are taken over: it has read hostile bytes.
    fn output(&self, whole: &OutputSample, mut meta: Map<String, Value>, n: usize, output: Output) -> OutputSample {
        let number = match self.pieces {
            None => None,
            Some(ClipSource::SubtitleFrames) => Some(format!("{n:04}")),
            Some(_) => Some(format!("{n:05}")),
        };
        if let Some(number) = number {
            meta.insert("key".into(), format!("{}_{number}", whole.key()).into());
        }
        let mut made = output.meta;
        let said = made.get("caption").and_then(Value::as_str).filter(|_| self.captions).map(str::to_owned);
        // A caption of the whole video is not lost.
        if let (Some(said), Some(Value::String(own))) = (&said, meta.get("caption"))
            && said != own
        {
            meta.insert("input_caption".into(), own.clone().into());
        }
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
            text: said.or_else(|| whole.text.clone()),
            members: members.collect(),
        }
    }
}
