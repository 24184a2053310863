//! What the tests of the whole program share: a real nginx with media-like files, and jobs over them.
#![allow(dead_code, reason = "each test file uses its own part of it")]

pub mod cluster;
pub mod job;
pub mod site;
