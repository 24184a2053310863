//! `clipmill config`: check a configuration, show the effective one, print the schema.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::config::{self, ConfigError, Loaded};

/// Arguments of `clipmill config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Check a config; errors name file, line and column
    Check(Given),
    /// Print the JSON Schema, for editors
    Schema,
    /// Print the effective config: file, -o and defaults together
    Show {
        #[command(flatten)]
        given: Given,
        /// As JSON instead of YAML
        #[arg(long)]
        json: bool,
    },
}

/// A config and what is laid over it; for every command that takes one.
#[derive(Debug, Clone, Args)]
pub struct Given {
    /// YAML file, or the name of a built-in config (`download`)
    pub config: PathBuf,
    /// Override a key, e.g. `-o url_list=videos.csv -o reading.timeout=20`; may be given several times
    #[arg(short = 'o', long = "override", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
}

impl Given {
    /// Loads the config and prints its warnings to stderr.
    ///
    /// # Errors
    /// Those of [`config::load`].
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        let loaded = config::load(&self.config, &self.overrides)?;
        if let Some(warnings) = loaded.warnings(colour()) {
            let _ = writeln!(io::stderr(), "{warnings}");
        }
        Ok(loaded)
    }
}

/// Why `clipmill config` failed.
#[derive(Debug, thiserror::Error)]
pub enum ConfigCommandError {
    /// Exit code 2.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A full disk, say.
    #[error("cannot write to stdout: {0}")]
    Output(#[from] io::Error),
}

/// Runs `clipmill config`.
///
/// # Errors
/// The config's own, or those of stdout.
pub fn run(args: &ConfigArgs) -> Result<(), ConfigCommandError> {
    match &args.command {
        ConfigCommand::Check(given) => {
            let loaded = given.load()?;
            let _ = writeln!(io::stderr(), "{} is valid", loaded.name());
            Ok(())
        }
        ConfigCommand::Schema => print(&pretty(&config::schema())),
        ConfigCommand::Show { given, json } => {
            let config = given.load()?.config;
            let text = if *json { pretty(&serde_json::json!(config)) } else { config.to_yaml() };
            print(&text)
        }
    }
}

/// Whether stderr wants colour: a terminal, and no `NO_COLOR`.
pub fn colour() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

fn print(text: &str) -> Result<(), ConfigCommandError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        // `clipmill config show … | head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => Ok(outcome?),
    }
}
