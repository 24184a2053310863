//! Looks at what is on disk and says what it found; changes nothing.

pub mod doctor;
mod flow;
#[cfg(feature = "media")]
pub mod gpus;
mod inspect;
#[cfg(feature = "media")]
pub mod media;
mod status;
mod verify;

pub use flow::{FlowPicture, FlowPictureError, FlowView, MAX_PAIRS, draw_flow};
pub use inspect::{InspectError, SampleEntry, inspect};
pub use status::{Running, StatusReport, status};
pub use verify::{Finding, VerifyReport, verify};
