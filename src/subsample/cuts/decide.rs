//! From scores to cuts: PySceneDetect's rules.

/// Decides where the cuts are, score by score.
pub trait Decide {
    /// Takes the score of the frame `number`; a cut may show itself some frames later.
    fn push(&mut self, number: u64, score: f64) -> Option<u64>;

    /// By how many frames a cut comes late, at most.
    fn behind(&self) -> u64 {
        0
    }
}

/// A cut where the score reaches a threshold, unless the last cut is too near. The first frame counts as one.
#[derive(Debug, Clone)]
pub struct Content {
    pub threshold: f64,
    /// Frames from one cut to the next at least.
    pub min_scene_len: u64,
    last: Option<u64>,
}

impl Content {
    pub fn new(threshold: f64, min_scene_len: u64) -> Self {
        Self { threshold, min_scene_len, last: None }
    }
}

impl Decide for Content {
    fn push(&mut self, number: u64, score: f64) -> Option<u64> {
        let last = *self.last.get_or_insert(number);
        let is_cut = score >= self.threshold && number.saturating_sub(last) >= self.min_scene_len;
        if is_cut {
            self.last = Some(number);
        }
        is_cut.then_some(number)
    }
}

/// A cut where the score stands out of those around it, so that fast camera movement makes none.
#[derive(Debug, Clone)]
pub struct Adaptive {
    /// How many times the mean around it.
    pub threshold: f64,
    pub min_scene_len: u64,
    /// Frames on each side that the mean is taken over.
    pub window: usize,
    /// Scores below are never a cut.
    pub min_content_val: f64,
    scores: std::collections::VecDeque<(u64, f64)>,
    last: Option<u64>,
}

impl Adaptive {
    pub fn new(threshold: f64, min_scene_len: u64, window: usize, min_content_val: f64) -> Self {
        let scores = std::collections::VecDeque::new();
        Self { threshold, min_scene_len, window: window.max(1), min_content_val, scores, last: None }
    }
}

impl Decide for Adaptive {
    fn behind(&self) -> u64 {
        self.window as u64
    }

    fn push(&mut self, number: u64, score: f64) -> Option<u64> {
        self.scores.push_back((number, score));
        let needed = 1 + 2 * self.window;
        if self.scores.len() < needed {
            return None;
        }
        while self.scores.len() > needed {
            self.scores.pop_front();
        }
        let (target, score) = *self.scores.get(self.window)?;
        let around = self.scores.iter().enumerate().filter(|(n, _)| *n != self.window).map(|(_, (_, score))| score);
        let mean = around.sum::<f64>() / (2.0 * self.window as f64);
        let ratio = match mean.abs() < 1e-5 {
            false => (score / mean).min(255.0),
            true if score >= self.min_content_val => 255.0,
            true => 0.0,
        };
        let is_far = self.last.is_none_or(|last| target.saturating_sub(last) >= self.min_scene_len);
        if ratio >= self.threshold && score >= self.min_content_val && is_far {
            self.last = Some(target);
            return Some(target);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_keep_their_distance() {
        let mut content = Content::new(27.0, 15);
        let cuts: Vec<u64> = (0..60).filter_map(|n| content.push(n, if n % 10 == 0 { 30.0 } else { 1.0 })).collect();
        assert_eq!(cuts, [20, 40]);
    }

    #[test]
    fn a_peak_is_a_cut_and_a_plateau_is_none() {
        let mut adaptive = Adaptive::new(3.0, 15, 2, 15.0);
        let score = |n: u64| if n == 10 || (20..30).contains(&n) { 40.0 } else { 2.0 };
        let cuts: Vec<u64> = (0..40).filter_map(|n| adaptive.push(n, score(n))).collect();
        assert_eq!(cuts, [10]);
    }
}
