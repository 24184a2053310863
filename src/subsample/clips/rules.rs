//! How long clips are.

use super::Span;

/// Lengths in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Clips that are not longer than this are dropped.
    pub min_length: f64,
    /// Longer spans are cut into pieces of this length, and a rest.
    pub max_length: f64,
    /// Only the first piece of each span is kept.
    pub first_only: bool,
}

/// What arithmetic on seconds is off by, at most: a millionth.
const NOISE: f64 = 1e-6;

/// Pieces of one span, at most: a `max_length` far below a frame would fill the memory.
const MAX_PIECES: f64 = 1e6;

impl Rules {
    /// The pieces of a span: as many of full length as fit, and the rest if it is longer than `min_length`. As
    /// video2dataset does it: full pieces are not held to `min_length`.
    pub fn split(&self, span: Span) -> Vec<Span> {
        self.pieces(span).collect()
    }

    /// As [`Rules::split`], one by one.
    pub fn pieces(&self, (start, end): Span) -> impl Iterator<Item = Span> {
        let length = end - start;
        let full = (length / self.max_length + NOISE).floor().min(MAX_PIECES);
        let max_length = self.max_length;
        let at = move |n: f64| start + n * max_length;
        let whole = (0..full as usize).map(move |n| (at(n as f64), at(n as f64 + 1.0).min(end)));
        let rest = (at(full), end);
        // Behind the last piece that is allowed, the rest is no rest.
        let rest = Some(rest).filter(|rest| self.is_long_enough(*rest) && full < MAX_PIECES);
        whole.chain(rest).take(self.most())
    }

    /// The pieces of a span that begin and end at keyframes (rising times, s), so that what is copied is what is said.
    ///
    /// The span's start moves to its first keyframe and its end to its last. A piece ends at the last keyframe that
    /// `max_length` allows; where a single group of pictures is longer than that, it is a piece nevertheless, since
    /// nothing shorter can be copied.
    pub fn split_at_keyframes(&self, span: Span, keyframes: &[f64]) -> Vec<Span> {
        self.pieces_at_keyframes(span, keyframes).collect()
    }

    /// As [`Rules::split_at_keyframes`], one by one.
    pub fn pieces_at_keyframes<'k>(
        &self,
        (start, end): Span,
        keyframes: &'k [f64],
    ) -> impl Iterator<Item = Span> + use<'k> {
        let rules = *self;
        let from = keyframes.partition_point(|time| *time < start - NOISE);
        let to = keyframes.partition_point(|time| *time <= end + NOISE);
        let inside = keyframes.get(from..to).unwrap_or_default();
        let mut at = 0;
        let pieces = std::iter::from_fn(move || {
            let limit = inside.get(at)? + rules.max_length + NOISE;
            let next = inside.partition_point(|time| *time <= limit).saturating_sub(1).max(at + 1);
            let piece = (*inside.get(at)?, *inside.get(next)?);
            at = next;
            Some(piece)
        });
        pieces.filter(move |piece| rules.is_long_enough(*piece)).take(rules.most())
    }

    /// Pieces of one span that are kept.
    fn most(&self) -> usize {
        if self.first_only { 1 } else { usize::MAX }
    }

    fn is_long_enough(&self, (start, end): Span) -> bool {
        // A span of exactly `min_length` is dropped, there as here.
        end - start > self.min_length + NOISE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(min_length: f64, max_length: f64) -> Rules {
        Rules { min_length, max_length, first_only: false }
    }

    #[test]
    fn video2datasets_examples() {
        let rules = rules(4.0, 10.0);
        assert_eq!(rules.split((0.0, 25.0)), [(0.0, 10.0), (10.0, 20.0), (20.0, 25.0)]);
        assert_eq!(rules.split((0.0, 13.0)), [(0.0, 10.0)]);
        assert_eq!(rules.split((0.0, 4.0)), []);
        assert_eq!(rules.split((5.0, 15.0)), [(5.0, 15.0)]);
        let first = Rules { first_only: true, ..rules };
        assert_eq!(first.split((0.0, 25.0)), [(0.0, 10.0)]);
        assert_eq!(Rules { min_length: 0.0, max_length: 999_999.0, first_only: false }.split((1.0, 2.0)), [(1.0, 2.0)]);
    }

    #[test]
    fn noise_makes_no_pieces() {
        assert_eq!(rules(0.0, 0.1).split((0.1, 0.1 + 0.2)).len(), 2);
        assert_eq!(rules(0.3, 9.0).split((0.1, 0.1 + 0.2 + 0.1)), []);
    }

    #[test]
    fn no_rest_is_longer_than_a_piece() {
        let pieces = rules(0.0, 1e-3).split((0.0, 9e6));
        assert!(pieces.iter().all(|(start, end)| end - start < 2e-3), "{:?}", pieces.last());
    }

    #[test]
    fn pieces_between_keyframes() {
        let keys = [0.0, 2.0, 4.0, 7.0, 9.0, 20.0, 21.0];
        assert_eq!(rules(0.0, 5.0).split_at_keyframes((1.0, 20.5), &keys), [(2.0, 7.0), (7.0, 9.0), (9.0, 20.0)]);
        assert_eq!(rules(2.0, 5.0).split_at_keyframes((1.0, 20.5), &keys), [(2.0, 7.0), (9.0, 20.0)]);
        assert_eq!(rules(0.0, 5.0).split_at_keyframes((4.5, 6.0), &keys), []);
        assert_eq!(rules(0.0, 5.0).split_at_keyframes((2.0, 4.0), &keys), [(2.0, 4.0)]);
    }
}
