//! The words that all rooms share: rows, keys, statuses, payloads.

mod budget;
mod cell;
mod container;
mod hex;
mod key;
mod payload;
mod row;
mod sniff;
mod status;
mod usage;

pub use budget::{Budget, Permit};
pub use cell::Cell;
pub use container::Container;
pub use hex::hex;
pub use key::KeyFormat;
pub use payload::{Payload, PayloadBuilder, ReadSeek, SealedFile, SharedFile};
#[cfg(feature = "media")]
pub(crate) use payload::{memory_file, seal};
pub use row::{Column, ColumnKind, RESERVED_FIELDS, Row};
pub use sniff::{NotMedia, sniff};
pub use status::{Failure, FailureClass, Status};
pub use usage::Usage;
