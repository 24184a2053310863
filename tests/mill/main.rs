//! Workers that crash, hang, hog and lie cost their own sample and nothing else.

#[path = "../example/mod.rs"]
mod example;

mod crowd;
mod lab;
mod sandbox;
mod single;
mod start;
