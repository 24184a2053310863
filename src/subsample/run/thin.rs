//! Which frames a lower frame rate shows: the others need not be decoded.

use crate::media::Stretch;
use crate::subsample::clips::Frames;
use crate::subsample::optical_flow::Ticks;

/// The whole video.
pub const EVERYTHING: Stretch = Stretch { start: i64::MIN, end: i64::MAX };

/// Nearer to the middle between two frames of the output than this, rounding may go either way.
const UNSURE: f64 = 1e-3;

/// The times, rising, of the frames that FFmpeg's `fps` filter passes on; some more where rounding may go either way.
///
/// The filter shows, for each frame of the output, the last frame of the input whose time, rounded to the output's clock,
/// is not later. A frame is never shown if the next one is rounded to the same time.
pub fn shown(frames: &Frames, stretches: &[Stretch], fps: f64) -> Vec<i64> {
    let mut shown = Vec::new();
    for stretch in stretches {
        let from = frames.times.partition_point(|time| *time < stretch.start);
        let to = frames.times.partition_point(|time| *time < stretch.end);
        let times = frames.times.get(from..to).unwrap_or_default();
        let zero = match stretch.start {
            i64::MIN => 0.0,
            start => frames.seconds(start),
        };
        let ticks = |time: i64| (frames.seconds(time) - zero) * fps;
        let is_shown = |time: i64, next: i64| {
            let unsure = |ticks: f64| ((ticks - ticks.floor()) - 0.5).abs() < UNSURE;
            let (own, next) = (ticks(time), ticks(next));
            own.round() != next.round() || unsure(own) || unsure(next)
        };
        let pairs = times.iter().zip(times.iter().skip(1));
        shown.extend(pairs.filter(|(time, next)| is_shown(**time, **next)).map(|(time, _)| *time));
        // How often the last one is shown depends on its length.
        shown.extend(times.last());
    }
    shown.sort_unstable();
    shown.dedup();
    shown
}

/// Stretches of one frame: the first of each.
pub fn firsts(frames: &Frames, stretches: &[Stretch]) -> Vec<Stretch> {
    let first = |stretch: &Stretch| {
        let start = frames.times.get(frames.times.partition_point(|time| *time < stretch.start))?;
        Some(Stretch { start: *start, end: start + 1 })
    };
    stretches.iter().filter_map(first).collect()
}

/// The times, rising, of the frames of each stretch that [`Ticks`] takes.
pub fn ticks(frames: &Frames, stretches: &[Stretch], fps: f64) -> Vec<i64> {
    let mut taken = Vec::new();
    for stretch in stretches {
        let mut ticks = Ticks::new(fps);
        let from = frames.times.partition_point(|time| *time < stretch.start);
        let to = frames.times.partition_point(|time| *time < stretch.end);
        let times = frames.times.get(from..to).unwrap_or_default();
        taken.extend(times.iter().copied().filter(|time| ticks.takes(frames.seconds(*time))));
    }
    taken.sort_unstable();
    taken.dedup();
    taken
}

/// One stretch for each keyframe: from the first to the last of the `wanted` times, which rise, before the next keyframe.
pub fn by_keyframe(frames: &Frames, wanted: &[i64]) -> Vec<Stretch> {
    let mut keys: Vec<i64> = frames.packets.iter().filter(|(_, is_key)| *is_key).map(|(time, _)| *time).collect();
    keys.sort_unstable();
    let group = |time: i64| keys.partition_point(|key| *key <= time);
    let groups = wanted.chunk_by(|a, b| group(*a) == group(*b));
    let ends = groups.filter_map(|group| Some((*group.first()?, *group.last()?)));
    ends.map(|(start, last)| Stretch { start, end: last + 1 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_wanted_behind_the_last_tick_of_a_group() {
        // Keyframes at 0, 10, 20 …; 25 a second.
        let frames = Frames::new((0..50).map(|n| (n, n % 10 == 0)).collect(), 0.04, 0.0, 1);
        let taken = ticks(&frames, &[EVERYTHING], 5.0);
        assert_eq!(taken, [0, 5, 10, 15, 20, 25, 30, 35, 40, 45]);
        let stretches = by_keyframe(&frames, &taken);
        assert_eq!(stretches.len(), 5);
        assert_eq!(stretches[1], Stretch { start: 10, end: 16 });
        // Ticks begin with the clip.
        assert_eq!(ticks(&frames, &[Stretch { start: 3, end: 11 }], 5.0), [3, 8]);
    }

    #[test]
    fn one_frame_in_five() {
        let frames = Frames::new((0..50).map(|n| (n, n % 10 == 0)).collect(), 0.04, 0.0, 1);
        // 25 to 5 a second: input n is rounded to n / 5, so 2, 7, 12 … are the last ones of each.
        assert_eq!(shown(&frames, &[EVERYTHING], 5.0), [2, 7, 12, 17, 22, 27, 32, 37, 42, 47, 49]);
        assert_eq!(shown(&frames, &[Stretch { start: 10, end: 20 }], 5.0), [12, 17, 19]);
        assert_eq!(shown(&frames, &[EVERYTHING], 25.0).len(), 50);
        assert_eq!(firsts(&frames, &[EVERYTHING])[0], Stretch { start: 0, end: 1 });
    }
}
