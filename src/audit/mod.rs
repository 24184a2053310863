//! Looks at what is on disk and says what it found; changes nothing.

pub mod doctor;
#[cfg(feature = "media")]
pub mod gpus;
mod inspect;
#[cfg(feature = "media")]
pub mod media;
mod status;
mod verify;

pub use inspect::{InspectError, SampleEntry, inspect};
pub use status::{Running, StatusReport, status};
pub use verify::{Finding, VerifyReport, verify};
