//! What a job tells others of itself.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::validate::{Found, local_path};

/// What a job tells monitoring and trackers; changes no byte of the output, and its failures cost no job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// Prometheus text file that rank 0 writes for the node exporter (`*.prom`); `${VAR}` and a leading `~/` are expanded. null: none.
    pub metrics_file: Option<PathBuf>,
    /// Seconds between two looks at what the job has committed, for the metrics file and Weights & Biases.
    #[schemars(range(min = 0.1, max = 86_400))]
    pub interval: f64,
    /// The Python that has the package `wandb`, a program or a path; null: `python3`, as the shell finds it.
    pub wandb_python: Option<String>,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { metrics_file: None, interval: 60.0, wandb_python: None }
    }
}

pub(super) fn check(telemetry: &Telemetry, found: &mut Found) {
    if let Some(path) = &telemetry.metrics_file {
        let key = "telemetry.metrics_file";
        local_path(key, &path.to_string_lossy(), found);
        if path.extension().is_none_or(|extension| extension != "prom") {
            found.add(
                key,
                "does not end with `.prom`",
                "the node exporter reads no other files: name it `clipmill.prom`",
            );
        }
    }
    if telemetry.wandb_python.as_deref() == Some("") {
        found.add("telemetry.wandb_python", "is empty", "name a Python that has wandb, or leave it out for `python3`");
    }
}
