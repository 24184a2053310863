//! Promise: whatever a server does, `fetch` gives the whole bytes of media or a stable reason, and bothers nobody.

#[path = "../common/fault_server.rs"]
mod fault_server;

mod content;
mod courtesy;
mod faults;
mod guard;
mod lab;
mod local;
mod nginx;
mod redirects;
mod resume;
mod tls;
