//! `clipmill submit CONFIG`, and `clipmill run` with the distributors that others start.

use clap::Args;

use super::common::{Exit, complain, load, print, shell_word, tell};
use super::config::Given;
use crate::cluster::Submission;
use crate::config::{Config, Loaded, SlurmArgs};
use crate::job;
use crate::telemetry::colour;

#[derive(Debug, Args)]
pub struct SubmitArgs {
    #[command(flatten)]
    pub config: Given,
    /// Print the sbatch line, and neither write nor submit anything
    #[arg(long)]
    pub dry_run: bool,
}

/// Runs `clipmill submit`.
pub fn run(args: SubmitArgs) -> Exit {
    match load(&args.config) {
        Ok(loaded) => submit(&loaded, args.dry_run),
        Err(exit) => exit,
    }
}

/// Submits the job; the results go to stdout: its id, or the line that would submit it.
pub fn submit(loaded: &Loaded, dry_run: bool) -> Exit {
    match prepare(loaded) {
        Ok(submission) if dry_run => {
            let words: Vec<String> =
                submission.command().iter().map(|word| shell_word(&word.to_string_lossy())).collect();
            print(&(words.join(" ") + "\n"))
        }
        Ok(submission) => match submission.submit() {
            Ok(id) => {
                // With several clusters, sbatch says `id;cluster`.
                let job = id.split(';').next().unwrap_or(&id);
                tell(&format!(
                    "submitted job {job}; it writes to {}; `clipmill status {}` shows how far it is, `scancel {job}` ends it",
                    submission.folder().display(),
                    loaded.config.job.output_folder.display()
                ));
                print(&(id + "\n"))
            }
            Err(error) => {
                complain(&error);
                Exit::Failure
            }
        },
        Err(exit) => exit,
    }
}

/// Everything that can be found wrong before the job waits in a queue for hours.
fn prepare(loaded: &Loaded) -> Result<Submission, Exit> {
    let usage = |text: &str| {
        tell(text);
        Exit::Usage
    };
    loaded.require_input().map_err(|error| usage(&error.render(colour())))?;
    job::find_inputs(&loaded.config).map_err(|error| usage(&format!("error: {error}")))?;
    let distribution = &loaded.config.distribution;
    let given = distribution.distributor_args.as_ref();
    let args = SlurmArgs::parse(given).map_err(|why| usage(&format!("error: distribution.distributor_args: {why}")))?;
    let home = loaded.config.job.output_folder.join("_clipmill/submit");
    let parent = args.cache_path.as_ref().unwrap_or(&home);
    Submission::new(parent, of_ranks(&loaded.config).to_yaml(), args.options()).map_err(|error| {
        complain(&error);
        Exit::Failure
    })
}

/// The config that the job's ranks are given: they must not submit it once more.
fn of_ranks(config: &Config) -> Config {
    let mut config = config.clone();
    config.distribution.distributor = "multiprocessing".into();
    config.distribution.distributor_args = None;
    config
}
