//! The mill from the table to the shard: the real program over media that ffmpeg made, judged by ffmpeg and ffprobe.

#[path = "../common/mod.rs"]
mod common;
#[path = "../example/mod.rs"]
mod example;

mod bad_input;
mod chain;
mod clips;
mod crashes;
mod formats;
mod lab;
mod pictures;
mod probe;
mod same_bytes;
mod shipped;
mod subtitle_clips;
mod subtitle_frames;
mod subtitle_input;
mod subtitle_lab;
mod verify;
