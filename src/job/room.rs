//! Memory for the metadata of samples that come from tars: read, it takes many times the bytes of its text.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that the metadata takes for each byte of its text, by rule of thumb: samples of a job are much alike, and the
/// one that is dearer by far is refused by [`is_too_dear`].
const FACTOR: u64 = 16;
/// A semaphore counts to 2^32 at most; so does this, in units of as many bytes.
const UNIT: u64 = 1 << 12;

/// Bytes that one sample's metadata may take once read.
const MOST: u64 = 256 << 20;
/// Bytes of one value of a list that grew by doubling, and more than of one field of an object.
const VALUE: u64 = 144;

/// Room that a sample's metadata takes from before it is read until its row is written. Samples take it in the order of
/// their rows, so that the row that all others wait for has it.
#[derive(Debug)]
pub struct MetadataRoom {
    units: Arc<Semaphore>,
    all: u32,
}

impl MetadataRoom {
    /// Room of so many bytes.
    pub fn new(bytes: u64) -> Self {
        let all = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX).max(1);
        Self { units: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// Waits for what `text` bytes of JSON take; for all there is, where that is more.
    pub async fn take(&self, text: u64) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(text.saturating_mul(FACTOR) / UNIT).unwrap_or(u32::MAX);
        if units == 0 {
            return None;
        }
        Arc::clone(&self.units).acquire_many_owned(units.min(self.all)).await.ok()
    }
}

/// Whether this JSON would take more memory than a sample's metadata may, going by the number of its values.
pub fn is_too_dear(json: &[u8]) -> bool {
    let commas = memchr::memchr_iter(b',', json).count();
    let opened = memchr::memchr2_iter(b'[', b'{', json).count();
    (commas as u64).saturating_add(opened as u64).saturating_mul(VALUE) > MOST
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn room_is_given_in_turn_and_never_more_than_there_is() {
        let room = MetadataRoom::new(64 << 10);
        assert!(room.take(10).await.is_none());
        let first = room.take(3 << 10).await.unwrap();
        let second = room.take(1 << 30);
        tokio::pin!(second);
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        assert_eq!(second.await.unwrap().num_permits(), 16);
    }

    #[test]
    fn values_count_not_bytes() {
        let text = format!("[\"{}\"]", "x".repeat(3 << 20));
        assert!(!is_too_dear(text.as_bytes()));
        assert!(is_too_dear(format!("[{}0]", "0,".repeat(2 << 20)).as_bytes()));
    }
}
