//! Commands: each file parses one command's arguments, calls the library and prints.
//!
//! Human words go to stderr, results to stdout. Exit codes are in [`Exit`].

mod common;
mod config;
mod doctor;
mod inspect;
mod plan;
mod run;
mod site_guard;
mod spark;
mod status;
mod submit;
mod verify;
mod video2dataset;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

pub use common::Exit;

/// Turns tables of video URLs into training-ready WebDataset shards, exactly once, on a Slurm cluster or a laptop.
#[derive(Debug, Parser)]
#[command(name = "clipmill", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 plan complete; 75 stopped early with work left (run the same command again); \
2 usage or config error; 3 plan complete, but more samples failed than `max_failed_fraction` allows; 1 anything else.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Work until the plan is done: under srun, mpirun, a job array, or no launcher at all
    Run(run::RunArgs),
    /// Submit the job to Slurm, with the resources of distribution.distributor_args; prints its id
    Submit(submit::SubmitArgs),
    /// Print the program that runs the ranks on Spark, for spark-submit
    Spark,
    /// Read the input and say what a run would do; writes and submits nothing
    Plan(plan::PlanArgs),
    /// Show how far a job is, from its files alone
    Status(status::StatusArgs),
    /// Check committed shards: sizes, or with --full every checksum and member
    Verify(verify::VerifyArgs),
    /// List the samples of one shard
    Inspect(inspect::InspectArgs),
    /// Check this machine: launcher, MPI, scratch, and the output's file system
    Doctor(doctor::DoctorArgs),
    /// Check, show or describe the configuration
    Config(config::ConfigArgs),
    /// video2dataset's command line: the same flags, as a run
    #[command(name = "video2dataset")]
    Video2dataset(video2dataset::OldArgs),
    /// Watch over one run of yt-dlp: a rank starts this by itself
    #[command(hide = true)]
    SiteGuard(site_guard::SiteGuardArgs),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    // A reader that goes away (`| head`) ends us quietly, as it does other Unix tools; ranks do not write to stdout.
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Complete.into() };
        }
    };
    let exit = match cli.command {
        Command::Run(args) => run::run(args),
        Command::Submit(args) => submit::run(args),
        Command::Spark => spark::run(),
        Command::Plan(args) => plan::run(args),
        Command::Status(args) => status::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Config(args) => config::run(&args),
        Command::Video2dataset(args) => video2dataset::run(args, || help_of("video2dataset")),
        Command::SiteGuard(args) => return site_guard::run(&args),
    };
    exit.into()
}

/// The help of a command that does not leave `--help` to clap.
fn help_of(command: &str) -> String {
    let mut cli = Cli::command();
    cli.build();
    cli.find_subcommand_mut(command).map_or_else(String::new, |command| command.render_help().to_string())
}
