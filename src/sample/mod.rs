//! The words that all rooms share: rows, keys, statuses, payloads.

mod budget;
mod cell;
mod hex;
mod key;
mod payload;
mod row;
mod status;

pub use budget::{Budget, Permit};
pub use cell::Cell;
pub use hex::hex;
pub use key::KeyFormat;
pub use payload::{Payload, PayloadBuilder, ReadSeek, SealedFile, SharedFile};
#[cfg(feature = "media")]
pub(crate) use payload::{memory_file, seal};
pub use row::{Column, ColumnKind, RESERVED_FIELDS, Row};
pub use status::{Failure, FailureClass, Status};
