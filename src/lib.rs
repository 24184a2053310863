//! clipmill turns tables of video URLs into training-ready WebDataset shards on a Slurm cluster, exactly once.
//!
//! # The house
//!
//! Data flows one way; each room knows only the rooms to its right and below.
//!
//! ```text
//! cli ──► job ──► source ──► fetch ──► mill ──► sink ──► ledger
//!          │                             │
//!       cluster, audit, telemetry     (worker) ──► subsample ──► media, gpu, flow, hdf5
//!
//! below all of them: config (typed settings), the settings of subsample, sample (the words they share)
//! ```
//!
//! | room | holds | never |
//! | --- | --- | --- |
//! | [`cli`] | one file per command; parses and prints | logic |
//! | [`config`] | typed schema, defaults, validation, schema export | I/O other than reading the file |
//! | [`cluster`] | who am I: Slurm, MPI, local → one [`cluster::Placement`]; signals; jobs for sbatch | media |
//! | [`ledger`] | plan, leases, partial progress, commit: a pure file protocol over [`ledger::storage::Storage`] | media, network |
//! | [`source`] | tables and tars → rows | |
//! | [`fetch`] | HTTP, pages of sites, local paths; retry, rate, budget, address guard | decoding |
//! | [`sink`] | tar shards and other formats, sidecars, stats | network |
//! | [`job`] | wires the rooms: plans, takes shards, feeds samples, drains | formats |
//! | [`audit`] | status, verify, inspect, doctor: looks at what is there | changes to it |
//! | [`telemetry`] | tracing, progress, metrics file, tracker | formats of shards |
//!
//! | [`subsample`] | one file per subsampler; the registry, the recipe, the passes; the worker's run | FFmpeg calls |
//! | `mill` | one sample in, its outputs out: the rank's pool of confined workers, and the worker's side | shared file system, network |
//! | `media` | all FFmpeg: open, probe, index, decode, filter, encode, mux | policy |
//! | [`flow`] | dense optical flow on the CPU: planes of luma in, displacements out | FFmpeg, I/O |
//! | [`hdf5`] | the parts of HDF5 that are written, and read back | where the bytes go |
//! | [`gpu`] | the same on NVIDIA's GPUs: driver, device, the launches of `kernels/*.cu` | FFmpeg, policy |
//!
//! The half of [`gpu`] that talks to a driver is behind the feature `gpu`, on by default; it links nothing of CUDA.
//! `mill` and `media` are behind the feature `media`, on by default; the rank's program never calls `media`.

pub mod audit;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod error;
pub mod fetch;
pub mod flow;
pub mod gpu;
pub mod hdf5;
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
