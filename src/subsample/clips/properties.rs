//! What holds for all spans and all videos.

use proptest::prelude::*;

use super::{Frames, Planned, Rules, Span, plan};
use crate::subsample::Cut;

/// Milliseconds of a frame.
const FRAME: i64 = 40;

/// Closed groups of pictures of these lengths (frames), in decoding order: I, then P before the two B that it follows.
fn video(groups: &[i64]) -> Frames {
    let mut packets = Vec::new();
    let mut base = 0;
    for length in groups {
        packets.push((base * FRAME, true));
        let mut shown = 1;
        while shown < *length {
            let run = (length - shown).min(3);
            packets.push(((base + shown + run - 1) * FRAME, false));
            packets.extend((0..run - 1).map(|b| ((base + shown + b) * FRAME, false)));
            shown += run;
        }
        base += length;
    }
    Frames::new(packets, 1e-3, 0.0, FRAME)
}

fn seconds((start, end): (i64, i64)) -> Span {
    (start as f64 * 1e-3, end as f64 * 1e-3)
}

fn times(frames: &Frames, planned: &Planned) -> Vec<i64> {
    frames.times.iter().copied().filter(|time| (planned.start..planned.end).contains(time)).collect()
}

/// Spans in milliseconds, in any order, overlapping, some past the end.
fn spans() -> impl Strategy<Value = Vec<(i64, i64)>> {
    prop::collection::vec((0i64..9000, 1i64..4000).prop_map(|(start, length)| (start, start + length)), 1..8)
}

fn groups() -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(1i64..60, 1..8)
}

proptest! {
    /// Whatever lengths spans are split into, the exact clips have the frames that were asked for, each in its order.
    #[test]
    fn exact_clips_have_all_frames_in_order(groups in groups(), spans in spans(), max in 1i64..3000) {
        let frames = video(&groups);
        let rules = Rules { min_length: 0.0, max_length: max as f64 * 1e-3, first_only: false };
        for span in spans {
            let pieces = rules.split(seconds(span));
            let made: Vec<i64> =
                pieces.into_iter().filter_map(|piece| plan(&frames, piece, Cut::Encode)).flat_map(|p| times(&frames, &p)).collect();
            let asked: Vec<i64> = frames.times.iter().copied().filter(|time| (span.0..span.1).contains(time)).collect();
            prop_assert_eq!(made, asked);
        }
    }

    /// Copied clips begin at the keyframe before their span, however many clips there are; they hold all of the span, have
    /// no holes, and end no later than reordering asks for.
    #[test]
    fn copied_clips_never_drift(groups in groups(), spans in spans()) {
        let frames = video(&groups);
        for span in spans {
            let asked: Vec<i64> = frames.times.iter().copied().filter(|time| (span.0..span.1).contains(time)).collect();
            let Some(planned) = plan(&frames, seconds(span), Cut::Copy) else {
                prop_assert!(asked.is_empty());
                continue;
            };
            let key = frames.packets.iter().filter(|(time, is_key)| *is_key && *time <= asked[0]).map(|(time, _)| *time).max();
            prop_assert_eq!(Some(planned.start), key);
            let shown = times(&frames, &planned);
            prop_assert!(shown.ends_with(&asked) || shown.windows(asked.len()).any(|window| window == asked));
            prop_assert!(planned.end <= asked[asked.len() - 1] + 4 * FRAME);
            // In decoding order they are one run: nothing before the last one is left out.
            let inside = |time: i64| (planned.start..planned.end).contains(&time);
            let first = frames.packets.iter().position(|(time, _)| inside(*time)).unwrap();
            let run = frames.packets[first..].iter().take_while(|(time, _)| inside(*time)).count();
            prop_assert_eq!(run, shown.len());
        }
    }

    /// Pieces between keyframes follow one another without a gap, from the first keyframe of the span to the last.
    #[test]
    fn pieces_between_keyframes_cover_the_span(groups in groups(), spans in spans(), max in 1i64..5000) {
        let frames = video(&groups);
        let keyframes = frames.keyframes();
        let rules = Rules { min_length: 0.0, max_length: max as f64 * 1e-3, first_only: false };
        for (start, end) in spans.into_iter().map(seconds) {
            let inside: Vec<f64> = keyframes.iter().copied().filter(|key| *key >= start - 1e-6 && *key <= end + 1e-6).collect();
            let pieces = rules.split_at_keyframes((start, end), &keyframes);
            prop_assert_eq!(pieces.is_empty(), inside.len() < 2);
            for pair in pieces.windows(2) {
                prop_assert_eq!(pair[0].1, pair[1].0);
            }
            if let (Some(first), Some(last)) = (pieces.first(), pieces.last()) {
                prop_assert_eq!(Some(&first.0), inside.first());
                prop_assert_eq!(Some(&last.1), inside.last());
            }
            for piece in pieces {
                let groups = inside.iter().filter(|key| **key > piece.0 && **key < piece.1).count();
                prop_assert!(groups == 0 || piece.1 - piece.0 <= rules.max_length + 1e-5);
                // What is copied is what is said.
                let planned = plan(&frames, piece, Cut::Copy).unwrap();
                prop_assert_eq!((frames.seconds(planned.start), frames.seconds(planned.end)), piece);
            }
        }
    }
}
