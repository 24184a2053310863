//! Subsamplers: what a job does to each sample.
