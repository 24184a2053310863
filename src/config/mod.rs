//! The effective configuration: typed, validated, with defaults filled in.

mod schema;

pub use schema::{
    Config, Distribution, IncrementalMode, InputFormat, Job, MpiMode, OutputFormat, Reading, Storage, YtArgs,
    YtMetadataArgs,
};
