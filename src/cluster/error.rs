//! What can go wrong while a process finds out who it is.

use std::path::PathBuf;

use crate::error::Class;

use super::mpi::MpiError;

#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    #[error(
        "{name}={value:?} is not a number in range: the launcher's environment is damaged; unset {name}, or give --rank and --world"
    )]
    BadVariable { name: &'static str, value: String },
    #[error("rank {rank} of {world} does not exist ({from}): ranks count from 0 and must be below the world's size")]
    RankOutOfRange { rank: u32, world: u32, from: &'static str },
    #[error("{tasks} tasks × {array} array tasks are more ranks than clipmill can count")]
    TooManyRanks { tasks: u32, array: u32 },
    #[error(
        "the PMIx launcher says rank {rank} but not of how many, and MPI could not tell either ({why}): give --rank and --world"
    )]
    UnknownWorld { rank: u32, why: String },
    #[error("no scratch folder on node {node}: tried {}; set job.tmp_dir to a folder that can be written", list(.tried))]
    NoScratch { node: String, tried: Vec<PathBuf> },
    #[error("distribution.mpi is `required`, and {reason}")]
    MpiRequired { reason: String },
    #[error(transparent)]
    Mpi(#[from] MpiError),
    #[error("cannot install the handlers for signals: {0}")]
    Signals(std::io::Error),
    #[error("cannot start the thread `{name}`: {source}")]
    Thread { name: &'static str, source: std::io::Error },
}

impl ClusterError {
    /// A process that does not know who it is cannot work at all; an MPI operation that failed costs MPI only.
    pub fn class(&self) -> Class {
        match self {
            ClusterError::Mpi(error) => error.class(),
            _ => Class::Job,
        }
    }
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
