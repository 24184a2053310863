//! The places of a rank's workers, which decide what device each has.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Hands out the lowest number that nobody has: workers that live at the same time are spread over the devices evenly, and
/// one that follows another takes its place.
#[derive(Debug, Default)]
pub(super) struct Seats {
    taken: Mutex<BTreeSet<u32>>,
}

/// A place, for as long as this lives.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    pub number: u32,
}

impl Seats {
    pub fn take(self: &Arc<Self>) -> Seat {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let number = (0..).find(|number| !taken.contains(number)).unwrap_or_default();
        taken.insert(number);
        drop(taken);
        Seat { seats: Arc::clone(self), number }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_taken_again_when_it_is_free() {
        let seats = Arc::new(Seats::default());
        let (a, b, c) = (seats.take(), seats.take(), seats.take());
        assert_eq!([a.number, b.number, c.number], [0, 1, 2]);
        drop(b);
        let again = seats.take();
        assert_eq!(again.number, 1);
        drop((a, c));
    }
}
