//! Samples to shards: tar, Parquet sidecar, commit record; and the other formats, made of the tar.

pub mod ahead;
pub mod columns;
mod error;
pub mod journal;
mod json;
mod order;
pub mod outcomes;
pub mod reader;
mod render;
mod sample;
mod shard;
mod sidecar;
pub mod stats;
pub mod stored;
mod tar;
mod tfrecord;

pub use error::SinkError;
pub use json::pretty_ascii;
pub use order::Reorder;
pub use sample::{Finished, Member, OutputSample, SampleFormat};
pub use shard::{JOURNAL, Resumed, SIDECAR, Saved, ShardContext, ShardWriter, TAR};
