//! `clipmill video2dataset …`: the command line of video2dataset, as `clipmill run`.
//!
//! ```text
//! words ──flags──► values of known flags ──translate──► config, -o key=value … ──► run
//! ```

mod flags;
mod literal;
mod table;
mod translate;

use clap::Args;

use super::common::{Exit, print, tell};
use super::config::Given;
use super::run::{self, RunArgs};
use translate::Translated;

const HELP: &str = "video2dataset's flags, with its rules: `-` and `_` are the same, values are `--flag=value` or \
`--flag value`, dicts and lists are Python's. Two flags are clipmill's own: `-o KEY=VALUE` sets any key of the config, \
`--dry_run` prints the `clipmill run` line and does nothing else.\n\nFlags: ";

/// Arguments of `clipmill video2dataset`, as they stand: their grammar is not clap's.
#[derive(Debug, Args)]
#[command(disable_help_flag = true, after_help = HELP.to_owned() + &table::names().join(", "))]
pub struct OldArgs {
    /// Flags of video2dataset
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAGS")]
    pub words: Vec<String>,
}

/// Runs `clipmill video2dataset`. `help` is the text for `--help`.
pub fn run(args: OldArgs, help: impl FnOnce() -> String) -> Exit {
    if args.words.iter().any(|word| ["--help", "-h"].contains(&word.as_str())) {
        return print(&help());
    }
    let translated = flags::parse(&args.words).and_then(translate::translate);
    let Translated { config, overrides, dry_run } = match translated {
        Ok(translated) => translated,
        Err(error) => {
            tell(&format!("error: {error}"));
            return Exit::Usage;
        }
    };
    let line = translate::command_line(&config, &overrides);
    if dry_run {
        return print(&(line + "\n"));
    }
    tell(&format!("the same as: {line}"));
    run::run(RunArgs { config: Given { config, overrides }, rank: None, world: None })
}
