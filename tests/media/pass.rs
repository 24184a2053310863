//! A pass decodes what is needed and nothing else, and what it shows is what a whole decode shows.

use std::collections::BTreeMap;

use clipmill::media::{Action, DecodeOptions, Event, Media, PacketInfo, PassOptions, Stretch, select};

use crate::lab::{Lab, footage, open};

/// Each frame's luma, by presentation time.
type Frames = BTreeMap<i64, Vec<u8>>;

fn frames(media: &mut Media, actions: Option<Vec<Action>>) -> Frames {
    let options = PassOptions { frames: Some(DecodeOptions::default()), actions, ..PassOptions::default() };
    let mut pass = media.pass(options).unwrap();
    let mut frames = Frames::new();
    while let Some(event) = pass.next_event().unwrap() {
        let Event::Frame(mut frame) = event else { panic!("no packets were asked for") };
        let pts = frame.pts.unwrap();
        let yuv = frame.yuv().unwrap();
        let rows = yuv.planes[0].chunks(yuv.strides[0]).map(|row| &row[..yuv.width]);
        assert_eq!(frames.insert(pts, rows.flatten().copied().collect()), None, "{pts} twice");
    }
    frames
}

fn packets(media: &mut Media) -> Vec<PacketInfo> {
    let stream = media.video().unwrap().stream;
    media.packets(stream).unwrap()
}

/// Stretches over the `n`-th to `m`-th frames in presentation order.
fn stretches(whole: &Frames, spans: &[(usize, usize)]) -> Vec<Stretch> {
    let times: Vec<i64> = whole.keys().copied().collect();
    spans.iter().map(|(n, m)| Stretch { start: times[*n], end: times[*m] }).collect()
}

fn check(media: &mut Media, spans: &[(usize, usize)]) -> usize {
    let whole = frames(media, None);
    let stretches = stretches(&whole, spans);
    let actions = select(&packets(media), &stretches, None).unwrap();
    let decoded = actions.iter().filter(|action| **action != Action::Skip).count();
    let some = frames(media, Some(actions));
    for (pts, picture) in &whole {
        if stretches.iter().any(|stretch| (stretch.start..stretch.end).contains(pts)) {
            assert!(some.get(pts) == Some(picture), "the frame at {pts} differs");
        }
    }
    assert!(some.keys().all(|pts| whole.contains_key(pts)));
    decoded
}

#[test]
fn frames_of_stretches_are_those_of_a_whole_decode() {
    let mut media = open(&footage("bikes.mp4"));
    let all = packets(&mut media).len();
    let decoded = check(&mut media, &[(40, 44), (41, 60), (200, 249)]);
    assert!(decoded < all * 3 / 4, "{decoded} of {all} packets were decoded");
    let lab = Lab::new();
    for (name, options) in [
        ("h264.mkv", "-c:v libx264 -preset fast -g 12 -bf 3"),
        ("open.mp4", "-c:v libx264 -preset fast -x264-params open-gop=1:keyint=10:bframes=3"),
        ("h265.mp4", "-c:v libx265 -x265-params log-level=none:keyint=10:bframes=3"),
        ("vp9.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 10"),
        ("mpeg4.avi", "-c:v mpeg4 -g 10"),
        ("mpeg2.ts", "-c:v mpeg2video -g 10 -bf 2"),
    ] {
        let path = lab.make(name, &format!("-f lavfi -i testsrc2=d=2:s=160x90:r=25 {options}"));
        check_or_all(&mut open(&path), name);
    }
}

fn check_or_all(media: &mut Media, name: &str) {
    let index = packets(media);
    if select(&index, &[Stretch { start: 0, end: 1 }], None).is_none() {
        assert_eq!(name, "mpeg4.avi", "only AVI has packets without times");
        return;
    }
    let decoded = check(media, &[(15, 18), (30, 44)]);
    assert!(decoded < index.len(), "{name}: {decoded} of {}", index.len());
}

#[test]
fn frames_that_nobody_shows_cost_nothing_where_nobody_refers_to_them() {
    let mut media = open(&footage("bikes.mp4"));
    let whole = frames(&mut media, None);
    let every_fifth: Vec<i64> = whole.keys().copied().step_by(5).collect();
    let all = stretches(&whole, &[(0, whole.len() - 1)]);
    let shown = |pts: i64| every_fifth.contains(&pts);
    let actions = select(&packets(&mut media), &all, Some(&shown)).unwrap();
    let some = frames(&mut media, Some(actions));
    assert!(some.len() < whole.len() * 4 / 5, "{} of {} frames were decoded", some.len(), whole.len());
    for pts in every_fifth {
        assert!(
            some.get(&pts) == whole.get(&pts) || pts == *whole.keys().last().unwrap(),
            "the frame at {pts} differs"
        );
    }
}

#[test]
fn packets_come_along() {
    let mut media = open(&footage("bigbuckbunny.mp4"));
    let (video, audio) = (media.video().unwrap().stream, media.audio().unwrap());
    let count = |media: &mut Media, stream| media.packets(stream).unwrap().len();
    let wanted = (count(&mut media, video), count(&mut media, audio));
    for frames in [None, Some(DecodeOptions::default())] {
        let mut pass = media.pass(PassOptions { frames, actions: None, packets: vec![audio, video] }).unwrap();
        let (mut seen, mut shown) = ((0, 0), 0);
        while let Some(event) = pass.next_event().unwrap() {
            match event {
                Event::Packet(packet) if packet.stream() == video => seen.0 += 1,
                Event::Packet(_) => seen.1 += 1,
                Event::Frame(_) => shown += 1,
            }
        }
        assert_eq!(seen, wanted);
        assert_eq!(shown, if frames.is_some() { wanted.0 } else { 0 });
    }
}
