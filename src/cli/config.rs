//! `clipmill config`: check a configuration, show the effective one, print the schema.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::common::{Exit, load, print};
use crate::config::{self, ConfigError, Loaded};
use crate::telemetry::colour;

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
            eprintln!("{warnings}");
        }
        Ok(loaded)
    }
}

/// Runs `clipmill config`.
pub fn run(args: &ConfigArgs) -> Exit {
    match &args.command {
        ConfigCommand::Schema => print(&pretty(&config::schema())),
        ConfigCommand::Check(given) => match load(given) {
            Ok(loaded) => {
                eprintln!("{} is valid", loaded.name());
                Exit::Complete
            }
            Err(exit) => exit,
        },
        ConfigCommand::Show { given, json } => match load(given) {
            Ok(loaded) if *json => print(&pretty(&serde_json::json!(loaded.config))),
            Ok(loaded) => print(&loaded.config.to_yaml()),
            Err(exit) => exit,
        },
    }
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}
