//! From a configuration to a rank at work.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::MultiProgress;
use serde::{Deserialize, Serialize};

use super::feed::Feeder;
use super::rank::{Ending, Rank, Work, slots};
use super::room::MetadataRoom;
use super::{JobError, plan, sites};
use crate::cluster::{MpiSession, Placement, Stop, open_files};
use crate::config::{Config, IncrementalMode, InputFormat};
use crate::fetch::{self, Fetcher};
use crate::ledger::storage::{LocalStorage, Storage};
use crate::ledger::{Ledger, Mode, Options, Owner, Plan};
use crate::sample::{Budget, hex};
use crate::sink::stats::Writer;
use crate::sink::{SampleFormat, ShardContext};
use crate::subsample::{ClipSource, Formats, Passes, Recipe, optical_flow};
use crate::telemetry::{FailureLog, JobCount, Progress, Reporter};

/// How long ranks wait for rank 0's plan. Long tables take minutes; a rank 0 that dies ends the wait earlier.
const PLAN_PATIENCE: Duration = Duration::from_secs(4 * 3600);

/// What a run is given.
pub struct RankJob {
    pub config: Config,
    /// Input tables.
    pub inputs: Vec<PathBuf>,
    pub placement: Placement,
    pub stop: Stop,
    pub bars: MultiProgress,
}

/// Runs one rank to its end. `session` joins the ranks of one launcher call, where MPI works.
pub fn run(job: RankJob, mut session: Option<&mut MpiSession>) -> Result<Ending, JobError> {
    let storage: Arc<dyn Storage> = Arc::new(LocalStorage::new(&job.config.job.output_folder));
    let owner = Owner::current(
        job.placement.host.clone(),
        job.placement.job.clone(),
        job.placement.rank,
        job.placement.restart,
    );
    #[cfg(feature = "media")]
    super::gpu::require(&job.config, &recipe(&job.config), &job.placement)?;
    let tracker = RefCell::new(None);
    let open_tracker = || super::watch::tracker(&job, &*storage).map(|opened| *tracker.borrow_mut() = opened);
    let planned = agree_on_plan(&job, &storage, &owner, session.as_deref_mut(), &open_tracker);
    if let Some(session) = session {
        session.settle(Duration::from_secs(30));
    }
    let Some(plan) = planned? else {
        return Ok(Ending::Drained { reason: job.stop.reason().unwrap_or_default() });
    };
    let plan = Arc::new(plan);
    let (rows, shards) = (plan.rows(), plan.shards());
    if job.placement.rank == 0 {
        tracing::info!("{rows} rows in {shards} shards");
    }
    let config = Arc::new(job.config);
    let mode = match config.job.incremental_mode {
        IncrementalMode::RetryFailed => match plan::retry_list(&config, &storage, &plan, &owner, &job.stop)? {
            Some(list) => Mode::RetryFailed(list),
            None => return Ok(Ending::Drained { reason: job.stop.reason().unwrap_or_default() }),
        },
        _ => Mode::Normal,
    };
    let options = Options {
        rank: job.placement.rank,
        world: job.placement.world,
        lease_ttl: Duration::from_secs_f64(config.distribution.lease_ttl),
        mode,
        max_shard_retry: config.job.max_shard_retry,
        fsync: config.distribution.fsync,
        ..Options::default()
    };
    let recipe = recipe(&config);
    let ledger = Ledger::open(Arc::clone(&storage), Arc::clone(&plan), owner, options)?;
    let progress = Arc::new(Progress::default());
    let speaks = job.placement.rank == 0;
    let count: Option<JobCount> = speaks.then(|| committed_counter(Arc::clone(&storage)));
    let reporter = Reporter::start(Arc::clone(&progress), &job.bars, rows, shards, count);
    let watch = super::watch::start(&config, &job.placement, &plan, &storage, &progress, tracker.take());
    let rank = Rank {
        feeder: Arc::new(feeder(&config, &recipe, &job.placement, &plan, &job.stop, &progress)?),
        context: Arc::new(context(&config, &recipe, &job.placement, &plan)),
        work: Work {
            config,
            placement: job.placement,
            stop: job.stop,
            storage,
            plan,
            inputs: job.inputs,
            ledger: Mutex::new(ledger),
            progress,
        },
    };
    let runtime = runtime()?;
    let rank = Arc::new(rank);
    let ending = runtime.block_on(Arc::clone(&rank).work());
    // Transfers that were given up must not hold the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    drop(reporter);
    super::watch::finish(watch, &ending);
    let ending = ending?;
    if speaks { super::summary::close(&rank.work, ending) } else { Ok(ending) }
}

/// What rank 0 tells the others of the plan.
#[derive(Debug, Serialize, Deserialize)]
enum Planned {
    Ready,
    Stopped,
    Failed { message: String, usage: bool },
}

/// Makes or checks the plan: with MPI on rank 0 alone; without, by whoever gets the planner's lease.
fn agree_on_plan(
    job: &RankJob,
    storage: &Arc<dyn Storage>,
    owner: &Owner,
    session: Option<&mut MpiSession>,
    open_tracker: &dyn Fn() -> Result<(), JobError>,
) -> Result<Option<Plan>, JobError> {
    let make = || {
        open_tracker()?;
        #[cfg(feature = "media")]
        super::trial::encoders(&job.config, &recipe(&job.config), &job.placement)?;
        plan::ensure(&job.config, &job.inputs, &job.placement, storage, owner, &job.stop)
    };
    let Some(session) = session else { return make() };
    let (made, word) = if session.rank() == 0 {
        let made = make();
        let word = match &made {
            Ok(Some(_)) => Planned::Ready,
            Ok(None) => Planned::Stopped,
            Err(error) => Planned::Failed { message: error.to_string(), usage: error.is_usage() },
        };
        (Some(made), word)
    } else {
        (None, Planned::Stopped)
    };
    let told = session.broadcast(&serde_json::to_vec(&word).unwrap_or_default(), PLAN_PATIENCE);
    if let Some(made) = made {
        return made;
    }
    match told.map(|bytes| serde_json::from_slice(&bytes)) {
        Ok(Ok(Planned::Ready)) => match Plan::load(storage.as_ref())? {
            Some(plan) => Ok(Some(plan)),
            // Rank 0's file is not visible here yet: the slow way is the sure one.
            None => make(),
        },
        Ok(Ok(Planned::Stopped)) => Ok(None),
        Ok(Ok(Planned::Failed { message, usage })) => Err(JobError::Refused { message, usage }),
        Ok(Err(_)) | Err(_) => {
            tracing::warn!("MPI was lost while waiting for the plan; going on without it");
            make()
        }
    }
}

/// One thread moves all network bytes: it carries more than a node's link, at half the CPU time of two that pass work to
/// each other (doc/benchmarks.md).
fn runtime() -> Result<tokio::runtime::Runtime, JobError> {
    tokio::runtime::Builder::new_current_thread()
        .thread_name("network")
        .enable_all()
        .build()
        .map_err(|source| JobError::Runtime { source })
}

/// What every sample of this job goes through.
pub fn recipe(config: &Config) -> Recipe {
    let clips = clip_source(config);
    let mut steps = Recipe::steps(&config.subsampling);
    optical_flow::old::adopt(&mut steps, config.reading.dataloader_args.as_ref());
    Recipe {
        // The whole media beside each of its pictures would be stored hundreds of times.
        formats: match clips {
            Some(ClipSource::SubtitleFrames) => Formats::default(),
            _ => Formats::new(&config.job.encode_formats),
        },
        captions_are_subtitles: config.storage.captions_are_subtitles,
        steps,
        clips,
        // A table's column is called `clips` in samples, whatever its own name.
        clip_field: config.job.clip_col.clone().filter(|_| config.job.input_format == InputFormat::Webdataset),
        encoding: config.encoding.clone(),
    }
}

/// Where the spans of the clips come from. As in video2dataset, a column, the cuts or the subtitles; with none of them,
/// nothing is cut.
fn clip_source(config: &Config) -> Option<ClipSource> {
    let cuts = config.subsampling.get("CutDetectionSubsampler");
    if cuts.and_then(|cuts| cuts.get("cuts_are_clips")).and_then(serde_json::Value::as_bool) == Some(true) {
        return Some(ClipSource::Cuts);
    }
    if config.takes_frames_at_subtitles() {
        return Some(ClipSource::SubtitleFrames);
    }
    if config.storage.captions_are_subtitles {
        return Some(ClipSource::Subtitles);
    }
    config.job.clip_col.as_ref().map(|_| ClipSource::Column)
}

fn feeder(
    config: &Config,
    recipe: &Recipe,
    placement: &Placement,
    plan: &Plan,
    stop: &Stop,
    progress: &Arc<Progress>,
) -> Result<Feeder, JobError> {
    let wanted = config.distribution.thread_count;
    let room = open_files::claim(wanted);
    let threads = room.transfers;
    if threads < wanted {
        tracing::warn!(
            "{threads} transfers at once instead of distribution.thread_count: {wanted}, since the limit of open files \
             allows no more; raise it with `ulimit -Hn`"
        );
    }
    let wish = sites::wish(config, recipe);
    let options = fetch::Options { in_place: reads_in_place(recipe), wish, ..fetch::Options::default() };
    let budget = Budget::new(config.distribution.memory_budget);
    let scratch = Arc::new(placement.scratch.clone());
    Ok(Feeder {
        #[cfg(feature = "media")]
        mill: super::mill::Mill::new(config, recipe, placement, budget.clone(), plan.rows())?,
        fetcher: Fetcher::with_options(&config.reading, threads, placement.world, budget, scratch, options)?,
        slots: slots(threads),
        metadata: MetadataRoom::new(config.distribution.memory_budget / 2),
        window: room.ahead,
        format: SampleFormat::new(plan.columns()),
        keys: plan.keys(),
        extension: media_extension(config),
        formats: config.job.encode_formats.clone(),
        stop: stop.clone(),
        progress: Arc::clone(progress),
        failures: FailureLog::default(),
    })
}

/// Whether workers make all that is kept: then a file of this machine need not be copied into memory for them.
fn reads_in_place(recipe: &Recipe) -> bool {
    cfg!(feature = "media") && !recipe.is_idle() && !Passes::of(recipe).keeps_media
}

/// The extension of the one media member that a download makes.
fn media_extension(config: &Config) -> String {
    let formats = &config.job.encode_formats;
    formats.get("video").or_else(|| formats.get("audio")).cloned().unwrap_or_else(|| "mp4".into())
}

fn context(config: &Config, recipe: &Recipe, placement: &Placement, plan: &Plan) -> ShardContext {
    ShardContext {
        format: config.job.output_format,
        columns: plan.columns().to_vec(),
        added: recipe.fields(),
        failed_samples: config.storage.failed_samples,
        fsync: config.distribution.fsync,
        config_hash: config_hash(config),
        writer: Writer {
            host: placement.host.clone(),
            rank: placement.rank,
            world: placement.world,
            job: placement.job.clone(),
            restart: placement.restart,
        },
    }
}

/// Hex SHA-256 over the settings that decide the output.
fn config_hash(config: &Config) -> String {
    let mut hasher = sha2::Sha256::default();
    for (key, value) in config.fingerprint() {
        sha2::Digest::update(&mut hasher, format!("{key}={value}\n"));
    }
    hex(&sha2::Digest::finalize(hasher))
}

/// Counts commit records by one look at the folder.
fn committed_counter(storage: Arc<dyn Storage>) -> JobCount {
    Box::new(move || {
        let names = storage.list("").ok()?;
        Some(names.iter().filter(|name| name.ends_with("_stats.json")).count() as u64)
    })
}
