//! Samples to shards.
