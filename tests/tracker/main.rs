//! What a job tells others: the Prometheus text file, and Weights & Biases.

#[path = "../common/mod.rs"]
mod common;
mod lab;
mod metrics;
mod wandb;
