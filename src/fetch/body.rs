//! Collecting a body under the rank's memory budget.

use std::io;

use bytes::{Bytes, BytesMut};

use crate::sample::{Payload, PayloadBuilder};

/// Bytes are gathered into blocks of this size. The HTTP client hands out slices of its read buffers, and a slice of a
/// few bytes keeps a whole buffer alive: kept as they come, a slow transfer would hold many times the bytes that the
/// budget counts. Copying out of a buffer that is still in the cache costs little, and lets the client use it again.
const BLOCK: usize = 256 << 10;

/// A body on its way in.
#[derive(Debug)]
pub(super) struct Collector {
    /// None only while a blocking task has it.
    builder: Option<PayloadBuilder>,
    block: BytesMut,
}

impl Collector {
    pub(super) fn new(builder: PayloadBuilder) -> Self {
        Self { builder: Some(builder), block: BytesMut::new() }
    }

    /// Bytes collected so far.
    pub(super) fn len(&self) -> u64 {
        self.builder.as_ref().map_or(0, PayloadBuilder::len) + self.block.len() as u64
    }

    /// Appends a chunk; `left`, if known, is how many bytes are still to come with it, so that the last block is not
    /// larger than it must be. Errors are those of the scratch folder.
    pub(super) async fn push(&mut self, mut chunk: Bytes, left: Option<u64>) -> io::Result<()> {
        let mut left = left.map(|left| usize::try_from(left).unwrap_or(usize::MAX));
        while !chunk.is_empty() {
            if self.block.capacity() == 0 {
                self.block = BytesMut::with_capacity(left.unwrap_or(BLOCK).clamp(chunk.len().min(BLOCK), BLOCK));
            }
            let room = self.block.capacity() - self.block.len();
            let part = chunk.split_to(room.min(chunk.len()));
            self.block.extend_from_slice(&part);
            left = left.map(|left| left.saturating_sub(part.len()));
            if self.block.len() == self.block.capacity() {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        let block = std::mem::take(&mut self.block);
        if block.is_empty() {
            return Ok(());
        }
        // A block with much unused room is copied to one without: the budget counts bytes, not capacity.
        let full = block.len() >= block.capacity() / 4 * 3;
        let block = if full { block.freeze() } else { Bytes::copy_from_slice(&block) };
        let Some(builder) = &mut self.builder else { return Err(lost()) };
        let Err(block) = builder.push_in_memory(block) else { return Ok(()) };
        self.spill(block).await
    }

    /// Scratch may be slow: writing is left to a thread that may block.
    async fn spill(&mut self, block: Bytes) -> io::Result<()> {
        let Some(mut builder) = self.builder.take() else { return Err(lost()) };
        let task = tokio::task::spawn_blocking(move || builder.push(block).map(|()| builder));
        self.builder = Some(task.await.map_err(io::Error::other)??);
        Ok(())
    }

    /// The first bytes, for sniffing: at least 512 if as many were collected.
    pub(super) fn head(&self) -> &[u8] {
        match &self.builder {
            Some(builder) if !builder.is_empty() => builder.head(),
            _ => &self.block,
        }
    }

    /// Drops everything collected, for a transfer that starts over.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.block = BytesMut::new();
        self.builder.as_mut().ok_or_else(lost)?.clear()
    }

    /// Everything collected, as one payload.
    pub(super) async fn finish(mut self) -> io::Result<Payload> {
        self.flush().await?;
        self.builder.map(PayloadBuilder::finish).ok_or_else(lost)
    }
}

/// After a failed write there is nothing left to go on with.
fn lost() -> io::Error {
    io::Error::other("an earlier write to scratch failed")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::sample::Budget;

    async fn collect(chunks: &[usize], total: Option<u64>, budget: u64) -> (u64, Vec<usize>, Vec<u8>) {
        let scratch = tempfile::tempdir().unwrap();
        let budget = Budget::new(budget);
        let mut collector = Collector::new(PayloadBuilder::new(&budget, Arc::new(scratch.path().to_owned())));
        let mut next = 0u8;
        for length in chunks {
            let chunk: Vec<u8> = (0..*length)
                .map(|_| {
                    next = next.wrapping_add(1);
                    next
                })
                .collect();
            let left = total.map(|total| total - collector.len());
            collector.push(chunk.into(), left).await.unwrap();
        }
        let (mut blocks, mut all) = (Vec::new(), Vec::new());
        let mut payload = collector.finish().await.unwrap();
        let used = budget.used();
        payload
            .for_each_block(|block| {
                blocks.push(block.len());
                all.extend_from_slice(block);
                Ok(())
            })
            .unwrap();
        (used, blocks, all)
    }

    fn counting(length: usize) -> Vec<u8> {
        (0..length).map(|n| (n + 1) as u8).collect()
    }

    #[tokio::test]
    async fn many_small_chunks_become_few_blocks() {
        let (used, blocks, all) = collect(&[7; 100_000], None, 1 << 30).await;
        assert_eq!(all, counting(700_000));
        assert_eq!(used, 700_000);
        assert_eq!(blocks, [BLOCK, BLOCK, 700_000 - 2 * BLOCK]);
    }

    #[tokio::test]
    async fn a_known_length_is_met_exactly() {
        for chunks in [&[1000][..], &[1, 999], &[600_000], &[BLOCK, BLOCK], &[3, BLOCK, 5]] {
            let total = chunks.iter().sum();
            assert_eq!(collect(chunks, Some(total as u64), 1 << 30).await.2, counting(total), "{chunks:?}");
        }
    }

    #[tokio::test]
    async fn what_does_not_fit_is_spilled() {
        let (used, _, all) = collect(&[100_000; 10], None, 300_000).await;
        assert_eq!(used, 0);
        assert_eq!(all, counting(1_000_000));
    }
}
