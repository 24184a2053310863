//! How far an error reaches.

/// What an error costs. Every typed error of the library can say its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// May pass by itself: try the same operation again.
    Retry,
    /// Costs one sample, which is recorded as failed.
    Sample,
    /// Costs one attempt at a shard; other shards go on.
    Shard,
    /// Nothing can go on: the rank stops.
    Job,
}
