//! stub
pub use super::absent_stub::Farneback;
