//! The media room against the real `ffmpeg` and `ffprobe`: what they print of the same files is what it must say.
#![cfg(feature = "media")]

mod bad_input;
mod cutting;
mod frames;
mod fuzz;
mod lab;
mod output;
mod pass;
mod probe;
mod silent;
mod smart;
mod sound;
