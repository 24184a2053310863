//! The rank's memory budget for media bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A shared count of bytes. Taking never blocks: who gets nothing spills to scratch instead, so that one slow sample
/// cannot dead-lock the others.
#[derive(Debug, Clone)]
pub struct Budget {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    limit: u64,
    used: AtomicU64,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self { inner: Arc::new(Inner { limit, used: AtomicU64::new(0) }) }
    }

    /// Bytes taken now.
    pub fn used(&self) -> u64 {
        self.inner.used.load(Ordering::Relaxed)
    }

    /// An empty permit, to be grown as bytes arrive.
    pub fn permit(&self) -> Permit {
        Permit { inner: Arc::clone(&self.inner), held: 0 }
    }
}

/// Bytes held against a [`Budget`]; given back on drop.
#[derive(Debug)]
pub struct Permit {
    inner: Arc<Inner>,
    held: u64,
}

impl Permit {
    /// Takes `bytes` more; false, and nothing taken, when the budget has not that much left.
    pub fn try_grow(&mut self, bytes: u64) -> bool {
        let limit = self.inner.limit;
        let taken = self.inner.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|sum| *sum <= limit)
        });
        if taken.is_ok() {
            self.held += bytes;
        }
        taken.is_ok()
    }

    /// Gives everything back.
    pub fn release(&mut self) {
        self.inner.used.fetch_sub(self.held, Ordering::Relaxed);
        self.held = 0;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back() {
        let budget = Budget::new(10);
        let mut a = budget.permit();
        let mut b = budget.permit();
        assert!(a.try_grow(6));
        assert!(!b.try_grow(5));
        assert!(b.try_grow(4));
        drop(a);
        assert_eq!(budget.used(), 4);
        assert!(b.try_grow(6));
        drop(b);
        assert_eq!(budget.used(), 0);
    }
}
