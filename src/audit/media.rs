//! Every video that was made here through the media workers: whether it decodes, and is what its JSON says.
//!
//! Media as fetched is not looked at: what is broken at its source is no damage to the shard, and its bytes are held
//! against their checksum.

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use super::Finding;
use crate::config::OutputFormat;
use crate::mill::{Limits, MillError, Pool, PoolOptions, Request};
use crate::sample::{Budget, Payload, ReadSeek, SharedFile};
use crate::sink::stored::Stored;

/// Members that hold no media, whoever made them.
const TEXT: [&str; 5] = ["json", "txt", "vtt", "npy", "h5"];
/// Memory for what the workers hand back, which is nothing.
const BUDGET: u64 = 64 << 20;

/// One member to look at.
struct Job {
    file: String,
    key: String,
    extension: String,
    payload: Payload,
    /// The field `clip`, of the video that it speaks of.
    clip: Value,
}

/// Decodes all videos that were made for these shards, and their sound, `workers` members at a time.
///
/// # Errors
/// No worker can be started.
pub fn check(output: &Path, shards: &[String], workers: u32) -> Result<Vec<Finding>, MillError> {
    let program = Pool::program();
    let pool = Arc::new(Pool::new(PoolOptions {
        program: program.clone(),
        workers,
        limits: Limits::default(),
        scratch: Arc::new(std::env::temp_dir()),
        budget: Budget::new(BUDGET),
    })?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| MillError::Start { path: program, source })?;
    runtime.block_on(async {
        let mut findings = Vec::new();
        let mut running = JoinSet::new();
        for shard in shards {
            for job in jobs(output, shard) {
                while running.len() >= workers.max(1) as usize * 2 {
                    findings.extend(ended(running.join_next().await)?);
                }
                let pool = Arc::clone(&pool);
                running.spawn(async move { look(&pool, job).await });
            }
        }
        while !running.is_empty() {
            findings.extend(ended(running.join_next().await)?);
        }
        findings.sort_by(|a: &Finding, b: &Finding| (&a.file, &a.what).cmp(&(&b.file, &b.what)));
        Ok(findings)
    })
}

type Looked = Result<Option<Finding>, MillError>;

fn ended(done: Option<Result<Looked, tokio::task::JoinError>>) -> Looked {
    match done {
        Some(Ok(looked)) => looked,
        // A panic of ours says nothing of the member, but must not pass for sound.
        Some(Err(error)) => Ok(Some(Finding { file: "?".into(), what: format!("could not be looked at: {error}") })),
        None => Ok(None),
    }
}

async fn look(pool: &Pool, job: Job) -> Looked {
    let Job { file, key, extension, payload, clip } = job;
    let request = Request { media: payload, recipe: json!({ "check": clip }), meta: Map::new() };
    let failure = pool.run(request).await?.failure;
    Ok(failure.map(|failure| Finding { file, what: format!("member {key}.{extension}: {}", failure.message) }))
}

/// The file that holds a shard's samples.
fn samples_of(output: &Path, shard: &str) -> String {
    let formats = [OutputFormat::Webdataset].into_iter().chain(OutputFormat::RENDERED);
    let names = formats.filter_map(OutputFormat::suffix);
    let mut names = names.map(|suffix| format!("{shard}.{suffix}"));
    names.find(|name| output.join(name).is_file()).unwrap_or_else(|| format!("{shard}.tar"))
}

/// The media members of a shard; what cannot be read has been found before.
fn jobs(output: &Path, shard: &str) -> Vec<Job> {
    let name = samples_of(output, shard);
    let path = output.join(&name);
    let (Ok(stored), Ok(shared)) = (Stored::open(&path), File::open(&path)) else { return Vec::new() };
    let shared: SharedFile = Arc::new(Mutex::new(Box::new(shared) as Box<dyn ReadSeek>));
    let mut jobs: Vec<Job> = Vec::new();
    let mut clips: Vec<(String, Value)> = Vec::new();
    for member in &stored.members {
        let is_text = TEXT.contains(&member.extension.as_str()) || member.extension.ends_with("jpg");
        if member.extension == "json" {
            let meta = stored.read(member).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
            let clip = meta.and_then(|meta| meta.get("clip").cloned()).unwrap_or(Value::Null);
            clips.push((member.key.clone(), clip));
        } else if let Some(offset) = member.offset.filter(|_| !is_text) {
            let payload = Payload::region(Arc::clone(&shared), offset, member.len);
            let (key, extension) = (member.key.clone(), member.extension.clone());
            jobs.push(Job { file: name.clone(), key, extension, payload, clip: Value::Null });
        }
    }
    let clips: std::collections::HashMap<String, Value> = clips.into_iter().collect();
    // Only what was made here has the field.
    jobs.retain(|job| clips.get(&job.key).is_some_and(Value::is_object));
    for job in &mut jobs {
        // Sound that is a member of its own is not what the field speaks of.
        let is_video =
            !["m4a", "mp3", "wav", "flac", "opus", "ogg", "oga", "aac", "mka"].contains(&job.extension.as_str());
        if let Some(clip) = clips.get(&job.key).filter(|_| is_video) {
            job.clip = clip.clone();
        }
    }
    jobs
}
