//! clipmill turns tables of video URLs into training-ready WebDataset shards on a Slurm cluster, exactly once.
//!
//! # The house
//!
//! Data flows one way; each room knows only the rooms to its right and below.
//!
//! ```text
//! cli ──► job ──► source ──► fetch ──► sink ──► ledger
//!          │
//!       cluster, audit, telemetry
//!
//! below all of them: config (typed settings), sample (the words they share)
//! ```
//!
//! | room | holds | never |
//! | --- | --- | --- |
//! | [`cli`] | one file per command; parses and prints | logic |
//! | [`config`] | typed schema, defaults, validation, schema export | I/O other than reading the file |
//! | [`cluster`] | who am I: Slurm, MPI, local → one [`cluster::Placement`]; signals | media |
//! | [`ledger`] | plan, leases, partial progress, commit: a pure file protocol over [`ledger::storage::Storage`] | media, network |
//! | [`source`] | tables → rows | |
//! | [`fetch`] | HTTP and local paths; retry, rate, budget, address guard | decoding |
//! | [`sink`] | tar shards, sidecars, stats | network |
//! | [`job`] | wires the rooms: plans, takes shards, feeds samples, drains | formats |
//! | [`audit`] | status, verify, inspect, doctor: looks at what is there | changes to it |
//! | [`telemetry`] | tracing, progress | |
//!
//! Behind the feature `media`, off by default, since no command reaches them yet: `mill` (the pool of media workers, each
//! confined) and `media` (all FFmpeg: open, probe, index, decode).

pub mod audit;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod error;
pub mod fetch;
pub mod job;
pub mod ledger;
#[cfg(feature = "media")]
pub mod media;
#[cfg(feature = "media")]
pub mod mill;
pub mod sample;
pub mod sink;
pub mod source;
pub mod subsample;
pub mod telemetry;
