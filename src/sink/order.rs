//! Input order without waiting: samples that finish early wait here.

use std::collections::BTreeMap;

use super::Finished;

/// Holds finished rows until all rows before them are written.
#[derive(Debug)]
pub struct Reorder {
    next: u32,
    waiting: BTreeMap<u32, Finished>,
}

impl Reorder {
    /// The first row to come out is `next`.
    pub fn new(next: u32) -> Self {
        Self { next, waiting: BTreeMap::new() }
    }

    /// Takes a finished row, in any order. One that was written already is dropped.
    pub fn insert(&mut self, finished: Finished) {
        if finished.index >= self.next {
            self.waiting.insert(finished.index, finished);
        }
    }

    /// The next row in order, if it is there.
    pub fn pop(&mut self) -> Option<Finished> {
        let finished = self.waiting.remove(&self.next)?;
        self.next += 1;
        Some(finished)
    }

    /// The row that is waited for.
    pub fn next_index(&self) -> u32 {
        self.next
    }

    /// What waits behind a row that did not finish, in order.
    pub fn into_waiting(self) -> impl Iterator<Item = Finished> {
        self.waiting.into_values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(index: u32) -> Finished {
        Finished { index, outputs: Vec::new(), bytes_received: 0, usage: Default::default(), room: None }
    }

    #[test]
    fn comes_out_in_order_from_where_it_started() {
        let mut order = Reorder::new(2);
        for index in [4, 3, 0, 6] {
            order.insert(finished(index));
        }
        assert!(order.pop().is_none());
        order.insert(finished(2));
        let out: Vec<u32> = std::iter::from_fn(|| order.pop()).map(|f| f.index).collect();
        assert_eq!(out, [2, 3, 4]);
        assert_eq!(order.next_index(), 5);
        assert_eq!(order.into_waiting().map(|f| f.index).collect::<Vec<_>>(), [6]);
    }
}
