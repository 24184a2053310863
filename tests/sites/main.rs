//! Pages of sites, through the real yt-dlp and through ones that misbehave.

mod bad_ytdlp;
#[path = "../common/fault_server.rs"]
#[allow(dead_code, reason = "each test target uses its own part of it")]
mod fault_server;
#[path = "../common/job.rs"]
#[allow(dead_code, reason = "each test target uses its own part of it")]
mod job;
mod lab;
mod page;
mod play;
mod stopped;
