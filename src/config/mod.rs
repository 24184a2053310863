//! The effective configuration: typed, validated, with defaults filled in.
//!
//! ```text
//! file, -o ──read──► text ──syntax──► tree ──tree──► merged, names checked ──de──► Config ──expand, validate──► Loaded
//! ```
//!
//! Every node of the tree knows its line, or the `-o` that set it, so each error can point there.

mod de;
mod error;
mod expand;
mod fingerprint;
mod forms;
mod infer;
mod keys;
mod limits;
mod load;
mod node;
mod output_format;
mod processors;
mod read;
mod render;
mod schema;
mod show;
mod sites;
mod slurm_args;
mod subsampling;
mod subtitles;
mod syntax;
mod telemetry;
mod tree;
mod validate;
mod yt_args;

pub use error::{ConfigError, Report};
pub use keys::{Key, keys, keys_of};
pub use limits::Limits;
pub use load::{Loaded, load};
pub use output_format::OutputFormat;
pub use processors::{DecodeMode, GpuMode};
pub use read::SHIPPED;
pub use schema::{Config, Distribution, IncrementalMode, InputFormat, Job, MpiMode, Reading, Storage};
pub use slurm_args::{SlurmArgs, Words};
pub use telemetry::Telemetry;
pub(crate) use tree::nearest;
pub use yt_args::{YtArgs, YtMetadataArgs};

/// The JSON Schema (draft 2020-12) of a configuration file, with descriptions, defaults and ranges.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Config);
    schema.insert("title".into(), "clipmill configuration".into());
    schema.to_value()
}
