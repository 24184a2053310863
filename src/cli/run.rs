//! `clipmill run CONFIG`

use std::time::Duration;

use clap::Args;
use indicatif::MultiProgress;

use super::common::{Exit, complain, load, tell};
use super::config::Given;
use super::{spark, submit};
use crate::cluster::{self, MpiSession, Placement, Stop, deadline, signals};
use crate::config::{Config, Loaded};
use crate::job::{self, Ending, JobError};
use crate::telemetry::{LogOptions, colour, init_logs};

/// How long ranks wait for each other at the end, beyond their own drain.
const FINISH_PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub config: Given,
    /// This process's rank, from 0, where the launcher does not say it
    #[arg(long, requires = "world")]
    pub rank: Option<u32>,
    /// Number of ranks
    #[arg(long, requires = "rank")]
    pub world: Option<u32>,
}

pub fn run(args: RunArgs) -> Exit {
    match start(&args) {
        Ok(exit) | Err(exit) => exit,
    }
}

fn start(args: &RunArgs) -> Result<Exit, Exit> {
    let loaded = load(&args.config)?;
    loaded.require_input().map_err(|error| usage(&error.render(colour())))?;
    if args.rank.is_none() && !cluster::is_launched() {
        match loaded.config.distribution.distributor.as_str() {
            "slurm" => return Ok(submit::submit(&loaded, false)),
            "pyspark" => return Err(spark::refuse()),
            _ => {}
        }
    }
    let Loaded { config, .. } = loaded;
    // Before the slow steps (MPI may take a minute to start): the notice of a preemption must not kill a rank that is waiting there.
    let stop = Stop::new();
    signals::install(&stop).map_err(|error| failure(&error))?;
    // Before anything is written: a run without input leaves no trace.
    let inputs = job::find_inputs(&config).map_err(|error| usage(&format!("error: {error}")))?;
    let flags = args.rank.zip(args.world);
    let (placement, session, warnings) = cluster::detect(flags, config.distribution.mpi, config.job.tmp_dir.as_deref())
        .map_err(|error| usage(&format!("error: {error}")))?;
    let bars = MultiProgress::new();
    let json = config.job.output_folder.join(format!("_clipmill/logs/rank-{:05}.jsonl", placement.rank));
    let rank = (placement.world > 1).then_some(placement.rank);
    if let Some(error) = init_logs(LogOptions { rank, json: Some(&json), bars: bars.clone() }) {
        tracing::warn!("no log file: cannot open {}: {error}", json.display());
    }
    tracing::info!("{placement}");
    if config.distribution.distributor == "slurm" && placement.rank == 0 {
        tracing::info!("distribution.distributor is slurm: nothing is submitted, the job's ranks are here already");
    }
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    deadline::watch(&stop, &placement, Duration::from_secs_f64(config.distribution.drain_margin))
        .map_err(|error| failure(&error))?;
    Ok(work(config, inputs, placement, session, stop, bars))
}

fn work(
    config: Config,
    inputs: Vec<std::path::PathBuf>,
    placement: Placement,
    mut session: Option<MpiSession>,
    stop: Stop,
    bars: MultiProgress,
) -> Exit {
    let result = job::run(job::RankJob { config, inputs, placement, stop, bars }, session.as_mut());
    let exit = exit_of(&result);
    match session {
        // Under mpirun the first rank that exits non-zero ends the others: all leave together, with one code.
        Some(session) => Exit::of_code(session.finish(exit.code(), FINISH_PATIENCE)),
        None => exit,
    }
}

fn exit_of(result: &Result<Ending, JobError>) -> Exit {
    match result {
        Ok(Ending::Complete { too_many_failed: false }) => Exit::Complete,
        Ok(Ending::Complete { too_many_failed: true }) => Exit::TooManyFailed,
        Ok(Ending::Drained { reason }) => {
            tracing::info!("stopped early ({reason}); run the same command again to go on");
            Exit::WorkLeft
        }
        Ok(Ending::GaveUp { shards }) => {
            for (shard, error) in shards {
                tracing::error!("shard {shard} failed too often (job.max_shard_retry): {error}");
            }
            Exit::Failure
        }
        Err(error) => {
            tracing::error!("{error}");
            if error.is_usage() { Exit::Usage } else { Exit::Failure }
        }
    }
}

fn failure(error: &cluster::ClusterError) -> Exit {
    complain(error);
    Exit::Failure
}

fn usage(text: &str) -> Exit {
    tell(text);
    Exit::Usage
}
