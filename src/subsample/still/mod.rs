//! Stretches of a video in which there is nothing to see: black ones and still ones.

mod black;
mod freeze;
mod segments;
mod watcher;

pub use segments::{Segments, subtract};
pub use watcher::Stills;
