//! Stretches of time.

use crate::subsample::clips::Span;

/// Collects stretches that are long enough.
#[derive(Debug, Clone, Default)]
pub struct Segments {
    min_duration: f64,
    start: Option<f64>,
    found: Vec<Span>,
}

impl Segments {
    /// Stretches shorter than `min_duration` (s) are passed over.
    pub fn new(min_duration: f64) -> Self {
        Self { min_duration, ..Self::default() }
    }

    /// Begins a stretch, unless one goes on.
    pub fn open(&mut self, at: f64) {
        self.start.get_or_insert(at);
    }

    /// Ends the stretch that goes on, if one does.
    pub fn close(&mut self, at: f64) {
        if let Some(start) = self.start.take()
            // What two roundings to microseconds may take off.
            && at - start > 0.0 && at - start >= self.min_duration - 1e-6
        {
            self.found.push((start, at));
        }
    }

    pub fn into_found(self) -> Vec<Span> {
        self.found
    }
}

/// What is left of spans without the segments: pieces in the order of the spans. Segments may overlap and be unsorted.
pub fn subtract(spans: &[Span], segments: &[Span]) -> Vec<Span> {
    let mut segments: Vec<Span> = segments.iter().copied().filter(|(start, end)| end > start).collect();
    segments.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut left = Vec::new();
    for &(start, end) in spans {
        let mut at = start;
        for &(from, to) in segments.iter().filter(|(from, to)| *to > start && *from < end) {
            if from > at {
                left.push((at, from));
            }
            at = at.max(to);
        }
        if at < end {
            left.push((at, end));
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_cut_out() {
        let segments = [(8.0, 9.0), (2.0, 3.0), (2.5, 4.0), (5.0, 5.0)];
        assert_eq!(subtract(&[(0.0, 10.0)], &segments), [(0.0, 2.0), (4.0, 8.0), (9.0, 10.0)]);
        assert_eq!(subtract(&[(2.0, 3.0), (8.5, 12.0), (0.0, 2.0)], &segments), [(9.0, 12.0), (0.0, 2.0)]);
        assert_eq!(subtract(&[(1.0, 2.0)], &[]), [(1.0, 2.0)]);
        assert_eq!(subtract(&[(1.0, 2.0)], &[(0.0, 9.0)]), []);
    }

    #[test]
    fn short_stretches_are_passed_over() {
        let mut segments = Segments::new(1.0);
        for (from, to) in [(0.0, 0.9), (2.0, 3.0), (4.0, 9.0)] {
            segments.open(from);
            segments.open(from + 0.5);
            segments.close(to);
            segments.close(to + 1.0);
        }
        assert_eq!(segments.into_found(), [(2.0, 3.0), (4.0, 9.0)]);
    }
}
