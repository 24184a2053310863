//! Clips that are cut out of real streams: exactly the frames that their labels say, and all of them decodable.

use clipmill::media::{Action, ClipFile, ClipSpec, Media, SoundSpec, Stretch, VideoSpec, select};
use clipmill::subsample::Cut;
use clipmill::subsample::clips::{Frames, Planned, plan};
use clipmill::subsample::run::thin;

use crate::lab::{Lab, ffprobe, footage, open};
use crate::output::{complaints, encode, frames, lossless, make, make_of, spec};

/// The frames as a worker knows them.
fn known(media: &mut Media) -> Frames {
    let video = media.video().unwrap();
    let packets = media.shown_packets().unwrap();
    let unit = f64::from(video.time_base);
    let usual = packets.last().unwrap().duration;
    let times = packets.iter().map(|packet| (packet.time().unwrap(), packet.is_key)).collect();
    Frames::new(times, unit, media.start_seconds(), usual)
}

fn cut(media: &mut Media, planned: Planned, unit: f64, extension: &str) -> ClipFile {
    let stretch = Some(Stretch { start: planned.start, end: planned.end });
    let span = (planned.start as f64 * unit, planned.end as f64 * unit);
    let spec = ClipSpec { stretch, span, zero: span.0, ..spec(media, extension, VideoSpec::Copy, SoundSpec::None) };
    make(media, &spec).unwrap()
}

#[test]
fn copied_clips_have_the_source_frames_and_nothing_that_cannot_be_decoded() {
    let lab = Lab::new();
    for (name, options) in [
        ("closed.mp4", "-c:v libx264 -preset fast -bf 3 -g 24 -x264-params b-pyramid=normal:scenecut=0"),
        ("open.mp4", "-c:v libx264 -preset fast -bf 3 -x264-params open-gop=1:keyint=24:b-pyramid=normal:scenecut=0"),
        ("open.ts", "-c:v libx264 -preset fast -bf 3 -x264-params open-gop=1:keyint=24:b-pyramid=normal:scenecut=0"),
        ("cra.mp4", "-c:v libx265 -preset fast -x265-params log-level=none:keyint=24:bframes=3:open-gop=1:scenecut=0"),
        ("mpeg4.avi", "-c:v mpeg4 -g 12 -bf 2"),
        ("h264.avi", "-c:v libx264 -preset fast -bf 3 -g 24"),
        ("mpeg2.ts", "-c:v mpeg2video -g 12 -bf 2"),
        ("vp9.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 24 -b:v 200k"),
    ] {
        let path = lab.make(name, &format!("-f lavfi -i testsrc2=d=3.2:s=96x54:r=25 {options}"));
        let source = frames(&path);
        let mut media = open(&path);
        let known = known(&mut media);
        assert_eq!(known.times.len(), source.len(), "{name}");
        // AVI keeps no presentation times, so what is copied out of it goes into a file that does.
        let extension = path.extension().unwrap().to_str().unwrap().replace("avi", "mp4");
        for (start, end) in [(0, 5), (20, 24), (24, 48), (47, 50), (50, 71), (71, 74)] {
            let seconds = |frame: usize| frame as f64 / 25.0 + known.seconds(known.times[0]);
            let piece = (seconds(start), seconds(end));
            let planned = plan(&known, piece, Cut::Copy).unwrap();
            let file = cut(&mut media, planned, known.unit, &extension);
            let made = lab.write(&format!("made.{extension}"), &file.bytes.to_vec());
            let is_whole = planned.end == known.end || known.times.contains(&planned.end);
            assert!(is_whole, "{name}: the label ends within a frame");
            let at = |time: i64| known.times.partition_point(|own| *own < time);
            let (first, last) = (at(planned.start), at(planned.end));
            assert!(first <= start && last >= end && last <= end + 5, "{name}: {start} to {end}: {first} to {last}");
            let got = frames(&made);
            assert!(got == source[first..last], "{name}: {start} to {end}: frames {first} to {last}: {}", got.len());
            let video = file.video.unwrap();
            assert_eq!(video.packets as usize, last - first, "{name}");
            assert!((video.start - planned.start as f64 * known.unit).abs() < 1e-6, "{name}");
            assert!((video.end - planned.end as f64 * known.unit).abs() < 1e-6, "{name}");
            // What an H.264 decoder says of every open group that it begins with: a picture that is shown before, so not
            // here, is struck off the list of references.
            let usual = |line: &&str| !(name.starts_with("open.") && line.ends_with("mmco: unref short failure"));
            let complaints = complaints(&made);
            assert_eq!(complaints.lines().find(usual), None, "{name}: {start} to {end}");
        }
    }
}

#[test]
fn frames_that_are_not_decoded_are_never_shown() {
    let lab = Lab::new();
    let codec = "-c:v libx264 -preset fast -bf 3 -g 30";
    let vary = "-vf select=not(mod(n\\,7))+not(mod(n\\,5)) -fps_mode vfr";
    let mut skipped = 0;
    for (rate, name, change) in [
        ("25", "even.mp4", "-fps_mode cfr"),
        ("30000/1001", "ntsc.mkv", "-fps_mode cfr"),
        ("50", "vary.mp4", vary),
        ("59.94", "vary.mkv", vary),
    ] {
        let path = lab.make(name, &format!("-f lavfi -i testsrc2=d=2.3:s=64x36:r={rate} {change} {codec}"));
        let mut media = open(&path);
        let known = known(&mut media);
        let packets = media.packets(media.video().unwrap().stream).unwrap();
        let middle = Stretch { start: known.times[known.times.len() / 5], end: known.times[known.times.len() * 3 / 4] };
        for fps in [1.0, 4.0, 7.5, 10.0, 12.0, 23.976, 25.0, 29.97] {
            for stretch in [None, Some(middle)] {
                let zero = stretch.map_or(media.start_seconds(), |stretch| stretch.start as f64 * known.unit);
                let video = encode(Some(&format!("fps={fps}")), lossless("yuv420p"));
                let spec = ClipSpec { stretch, zero, ..spec(&media, "mkv", video, SoundSpec::None) };
                let all = make(&mut media, &spec).unwrap();
                let stretches = [stretch.unwrap_or(thin::EVERYTHING)];
                let shown = thin::shown(&known, &stretches, fps);
                let actions = select(&packets, &stretches, Some(&|time| shown.binary_search(&time).is_ok())).unwrap();
                skipped += actions.iter().filter(|action| **action == Action::DecodeIfReferred).count();
                let some = make_of(&mut media, &spec, Some(actions)).unwrap();
                assert!(some.bytes == all.bytes, "{name} at {fps}, {stretch:?}");
            }
        }
    }
    assert!(skipped > 1000, "only {skipped} frames were left out");
}

#[test]
fn frames_without_times_in_the_container_get_those_of_ffmpegs_decoder() {
    let lab = Lab::new();
    for (name, options) in [
        ("mpeg4.avi", "-c:v mpeg4 -g 12 -bf 2"),
        ("h264.avi", "-c:v libx264 -preset fast -bf 3 -g 24"),
        ("plain.avi", "-c:v mpeg4 -g 12"),
    ] {
        let path = lab.make(name, &format!("-f lavfi -i testsrc2=d=2:s=64x36:r=25 {options}"));
        let known = known(&mut open(&path));
        let probed = ffprobe(&path, "-show_frames -show_entries frame=best_effort_timestamp");
        // ffprobe knows no time of the frames that the decoder holds back until the end.
        let want: Vec<i64> = probed["frames"]
            .as_array()
            .unwrap()
            .iter()
            .map_while(|frame| frame["best_effort_timestamp"].as_i64())
            .collect();
        assert!(want.len() > 45 && known.times.len() == 50, "{name}: {}", want.len());
        assert_eq!(known.times[..want.len()], want, "{name}");
    }
}

#[test]
fn close_spans_within_one_group_are_each_labelled_as_they_are() {
    let lab = Lab::new();
    let path = lab.make("long.mp4", &format!("-stream_loop 3 -i {} -c copy", footage("bigbuckbunny.mp4").display()));
    let mut media = open(&path);
    let known = known(&mut media);
    let source =
        ffprobe(&path, "-select_streams v:0 -show_packets -show_entries packet=pts,data_hash -show_data_hash md5");
    let mut source: Vec<(i64, String)> = hashes(&source);
    source.sort_unstable();
    for start in [10.0, 12.0, 14.0, 16.0] {
        let planned = plan(&known, (start, start + 1.0), Cut::Copy).unwrap();
        let file = cut(&mut media, planned, known.unit, "mp4");
        let video = file.video.unwrap();
        assert!(video.start <= start && (start + 1.0..start + 1.2).contains(&video.end), "{start}: {video:?}");
        let made = lab.write("made.mp4", &file.bytes.to_vec());
        let mut made = hashes(&ffprobe(
            &made,
            "-select_streams v:0 -show_packets -show_entries packet=pts,data_hash -show_data_hash md5",
        ));
        made.sort_unstable();
        let inside = |time: f64| time >= video.start - 1e-6 && time < video.end - 1e-6;
        let want: Vec<&String> =
            source.iter().filter(|(pts, _)| inside(*pts as f64 * known.unit)).map(|(_, hash)| hash).collect();
        assert!(made.iter().map(|(_, hash)| hash).eq(want), "{start}");
        assert_eq!(made.len() as u64, video.packets, "{start}");
    }
}

/// Presentation time and checksum of each packet.
fn hashes(probed: &serde_json::Value) -> Vec<(i64, String)> {
    let packets = probed["packets"].as_array().unwrap().iter();
    packets.map(|packet| (packet["pts"].as_i64().unwrap(), packet["data_hash"].as_str().unwrap().to_owned())).collect()
}
