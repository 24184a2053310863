//! One sample in, its output samples out: the pool in the rank, the worker in a process of its own.
//!
//! A rank never parses media. Its [`Pool`] starts `clipmill-worker` programs, gives each one sample at a time, and reads
//! back what was made of it. Media goes out and outputs come back as descriptors (memfds, or unnamed files on scratch):
//! nothing is copied through a pipe and nothing touches a shared file system.
//!
//! What a worker can do is bounded twice: by itself (resource limits and a sandbox, set before it sees the first byte of
//! media) and by the rank, which trusts nothing that a worker says, measures its time and memory, and kills its process
//! group when it has had enough. Either way only that sample fails.
//!
//! The verdict on a sample never rests on a worker that others have used: heap damage and leaks of an earlier sample
//! would make it depend on the order of samples. One that dies in a used worker is tried once more in a fresh one.

mod answer;
mod error;
mod exchange;
mod limits;
mod lines;
mod outputs;
mod pool;
mod process;
mod seats;
mod verdict;
mod wire;
pub mod worker;

pub use answer::{Answer, Output, Request};
pub use error::MillError;
pub use limits::Limits;
pub use pool::{Pool, PoolOptions};
pub use worker::sandbox::SandboxLevel;
