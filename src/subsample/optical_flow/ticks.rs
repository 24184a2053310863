//! Which frames are looked at.

/// Seconds that times are off by, at most. Above the half millisecond by which containers round, and off their grid.
const SLACK: f64 = 0.75e-3;
/// Seconds; a clock that goes back by more was set back.
const SET_BACK: f64 = 0.1;

/// Takes the first frame, and then the first one at or after each tick of `1 / fps` s from it. Where frames lie further
/// apart than ticks, every frame is taken once.
#[derive(Debug, Clone)]
pub struct Ticks {
    fps: f64,
    /// Time of the first frame, and the number of the last tick that a frame was taken for.
    last: Option<(f64, u64)>,
    /// Time of the last frame, with `shift`.
    before: f64,
    /// Added to times since the clock was set back.
    shift: f64,
}

impl Ticks {
    pub fn new(fps: f64) -> Self {
        Self { fps, last: None, before: 0.0, shift: 0.0 }
    }

    /// Whether the frame at this second is looked at. Frames come in the order in which they are shown.
    pub fn takes(&mut self, seconds: f64) -> bool {
        let Some((first, taken)) = self.last else {
            (self.last, self.before) = (Some((seconds, 0)), seconds);
            return true;
        };
        let mut own = seconds + self.shift;
        if own + SET_BACK < self.before {
            // Streams that were put together: the second one goes on at the next tick.
            let next = first + (taken + 1) as f64 / self.fps;
            self.shift += next - own;
            own = next;
        }
        self.before = self.before.max(own);
        let tick = ((own - first + SLACK) * self.fps).max(0.0) as u64;
        let takes = tick > taken;
        if takes {
            self.last = Some((first, tick));
        }
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(fps: f64, times: impl IntoIterator<Item = f64>) -> Vec<f64> {
        let mut ticks = Ticks::new(fps);
        times.into_iter().filter(|time| ticks.takes(*time)).collect()
    }

    #[test]
    fn the_first_frame_at_or_after_each_tick() {
        let at_25 = || (0..50).map(|n| f64::from(n) * 0.04 + 3.0);
        assert_eq!(taken(2.0, at_25()), [3.0, 3.52, 4.0, 4.52]);
        assert_eq!(taken(25.0, at_25()).len(), 50);
        assert_eq!(taken(1000.0, at_25()).len(), 50);
        assert_eq!(taken(0.1, at_25()), [3.0]);
    }

    #[test]
    fn milliseconds_round_either_way() {
        // 30000/1001 a second in milliseconds: every frame, once each.
        let times: Vec<f64> = (0..300).map(|n| (f64::from(n) * 1001.0 / 30.0).round() / 1000.0).collect();
        assert_eq!(taken(30000.0 / 1001.0, times.clone()).len(), 300);
        assert_eq!(taken(15000.0 / 1001.0, times).len(), 150);
    }

    #[test]
    fn a_pause_is_one_step_and_a_clock_set_back_goes_on() {
        assert_eq!(taken(2.0, [0.0, 0.2, 5.3, 5.4, 5.6, 6.0]), [0.0, 5.3, 5.6, 6.0]);
        assert_eq!(taken(2.0, [7.0, 7.4, 7.6, 0.0, 0.4, 0.5, 0.9]), [7.0, 7.6, 0.0, 0.5]);
    }
}
