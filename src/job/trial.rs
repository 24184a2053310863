//! Whether the job's encoders do what the config asks of them, before anything is fetched or written: a worker encodes a
//! black picture and a moment of silence.

use std::sync::Arc;

use serde_json::{Map, json};

use super::JobError;
use super::mill::limits;
use crate::cluster::Placement;
use crate::config::Config;
use crate::mill::{Pool, PoolOptions, Request};
use crate::sample::{Budget, FailureClass, Payload};
use crate::subsample::{Formats, Passes, Recipe, Step, Work};

/// Tries the encoders that the recipe is certain to use.
///
/// # Errors
/// [`JobError::Refused`]: an encoder, an option or a kind of file is not to be had, with what the worker says of it.
/// [`JobError::Mill`]: no worker starts.
pub fn encoders(config: &Config, recipe: &Recipe, placement: &Placement) -> Result<(), JobError> {
    let trials = trials(recipe);
    if trials.is_empty() {
        return Ok(());
    }
    let pool = Pool::new(PoolOptions {
        program: Pool::program(),
        workers: 1,
        limits: limits(&config.limits),
        scratch: Arc::new(placement.scratch.clone()),
        budget: Budget::new(config.distribution.memory_budget),
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| JobError::Runtime { source })?;
    for (recipe, media) in trials {
        let recipe = serde_json::to_value(recipe).map_err(|error| JobError::Task { what: error.to_string() })?;
        let request = Request { media: Payload::from_bytes(media), recipe, meta: Map::new() };
        match runtime.block_on(pool.run(request))?.failure {
            None => {}
            Some(failure) if matches!(failure.class, FailureClass::UnsupportedCodec | FailureClass::NotEncodable) => {
                let message = format!("the job cannot encode what it is to make: {}", failure.message);
                return Err(JobError::Refused { message, usage: true });
            }
            // What the trial itself cannot do says nothing of the samples.
            Some(failure) => tracing::warn!("the encoders could not be tried: {}", failure.message),
        }
    }
    Ok(())
}

/// Recipes of one encoder each, and media for them.
fn trials(recipe: &Recipe) -> Vec<(Recipe, Vec<u8>)> {
    let passes = Passes::of(recipe);
    let encoding = &recipe.encoding;
    let trial = |formats, steps| Recipe { formats, steps, encoding: encoding.clone(), ..Recipe::default() };
    let mut trials = Vec::new();
    if let Some(video) = recipe.formats.video.clone()
        && passes.video == Work::Encode
    {
        let formats = Formats { video: Some(video), ..Formats::default() };
        let args = json!({"frame_rate": PICTURE_RATE});
        trials.push((trial(formats, vec![Step { name: "FrameSubsampler".into(), args }]), pictures()));
    }
    let is_asked_for = encoding.audio_encoder.is_some() || encoding.audio_bit_rate.is_some();
    let separate = recipe.formats.separate_audio();
    let encodes = passes.audio == Work::Encode || (passes.audio == Work::Copy && (is_asked_for || separate.is_some()));
    let audio = separate.or(recipe.formats.audio.as_deref()).or(recipe.formats.video.as_deref());
    if let Some(audio) = audio.filter(|_| encodes) {
        let formats = Formats { audio: Some(audio.to_owned()), ..Formats::default() };
        let own = recipe.steps.iter().find(|step| step.name == "AudioRateSubsampler").cloned();
        let any = || Step { name: "AudioRateSubsampler".into(), args: json!({"sample_rate": SOUND_RATE}) };
        trials.push((trial(formats, vec![own.unwrap_or_else(any)]), silence()));
    }
    trials
}

/// Frames a second, and how many.
const PICTURE_RATE: u32 = 25;
const PICTURES: usize = 3;
/// Pixels. A multiple of what every encoder asks for, and no less than the least of any.
const WIDTH: usize = 320;
const HEIGHT: usize = 192;

/// Black pictures, as YUV4MPEG2.
fn pictures() -> Vec<u8> {
    let mut bytes = format!("YUV4MPEG2 W{WIDTH} H{HEIGHT} F{PICTURE_RATE}:1 Ip A1:1 C420jpeg\n").into_bytes();
    for _ in 0..PICTURES {
        bytes.extend_from_slice(b"FRAME\n");
        bytes.resize(bytes.len() + WIDTH * HEIGHT, 0);
        bytes.resize(bytes.len() + WIDTH * HEIGHT / 2, 0x80);
    }
    bytes
}

/// Samples a second, per channel, and how many.
const SOUND_RATE: u32 = 48_000;
const SAMPLES: u32 = 9_600;

/// Silence in two channels, as WAV with 16-bit samples.
fn silence() -> Vec<u8> {
    let data = SAMPLES * 4;
    let mut bytes = b"RIFF".to_vec();
    bytes.extend_from_slice(&(36 + data).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    bytes.extend_from_slice(&SOUND_RATE.to_le_bytes());
    bytes.extend_from_slice(&(SOUND_RATE * 4).to_le_bytes());
    bytes.extend_from_slice(b"\x04\0\x10\0data");
    bytes.extend_from_slice(&data.to_le_bytes());
    bytes.resize(bytes.len() + data as usize, 0);
    bytes
}
