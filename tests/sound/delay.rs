//! Encoders begin with samples that nobody put in, and files say where the sound itself begins. A cut has the samples of its
//! span all the same: as many, and at the same place.

use clipmill::media::SoundSpec;

use crate::lab::{Lab, ffprobe, open};
use crate::measure::{cut, decoded, encoded, offset, snr};

/// A tone that rises, with noise: alike to itself at one place only.
const SWEEP: &str = "-f lavfi -i aevalsrc=0.3*sin(2*PI*(200*t+150*t*t))+0.1*(random(0)-0.5):d=3:s=48000";
const WHOLE: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);
const REACH: usize = 1500;

/// Sources of each kind of delay, and how they are made.
const SOURCES: [(&str, &str); 3] = [("s.m4a", ""), ("s.mp3", ""), ("s.opus", "")];

/// Samples that stand behind the last of a file whose end the ffmpeg program leaves aside: less than a frame.
fn behind(extension: &str) -> usize {
    if extension == "m4a" || extension == "mp4" { 1151 } else { 0 }
}

/// Checks number and place of the samples in a file, and the length that it states.
#[track_caller]
fn check(lab: &Lab, extension: &str, bytes: &[u8], wanted: &[f64], decibels: f64, what: &str) {
    let path = lab.write(&format!("made.{extension}"), bytes);
    let got = decoded(&path);
    let more = got.len().checked_sub(wanted.len()).filter(|more| *more <= behind(extension));
    assert!(more.is_some(), "{what}: {} samples, not {}", got.len(), wanted.len());
    assert_eq!(offset(wanted, &got, REACH), 0, "{what}: shifted");
    let alike = snr(wanted, &got);
    assert!(alike > decibels, "{what}: {alike:.1} dB");
    if behind(extension) > 0 {
        let stream = &ffprobe(&path, "-show_streams")["streams"][0];
        let times = (stream["start_pts"].as_i64(), stream["duration_ts"].as_u64());
        assert_eq!(times, (Some(0), Some(wanted.len() as u64)), "{what}: {stream}");
    }
}

#[test]
fn encoded_cuts_have_the_samples_of_their_span() {
    let lab = Lab::new();
    for (source, how) in SOURCES {
        let path = lab.make(source, &format!("{SWEEP} {how}"));
        let all = decoded(&path);
        // 1.1 s is inside a frame of every codec.
        let wanted = &all[52800..108_000];
        for extension in ["wav", "flac", "m4a", "mp3", "opus"] {
            let bytes = cut(&mut open(&path), extension, encoded(extension), (1.1, 2.25)).unwrap();
            check(&lab, extension, &bytes, wanted, 15.0, &format!("{source} to {extension}"));
        }
    }
}

#[test]
fn whole_sounds_have_all_their_samples() {
    let lab = Lab::new();
    for (source, how) in SOURCES {
        let path = lab.make(source, &format!("{SWEEP} {how}"));
        for extension in ["wav", "mp3"] {
            let bytes = cut(&mut open(&path), extension, encoded(extension), WHOLE).unwrap();
            let got = decoded(&lab.write(&format!("made.{extension}"), &bytes));
            // What the source's own end says is kept, which the ffmpeg program leaves aside where it is an MP4's.
            assert_eq!(got.len(), 144_000, "{source} to {extension}");
            assert_eq!(offset(&decoded(&path), &got, REACH), 0, "{source} to {extension}");
        }
    }
}

#[test]
fn copied_cuts_hide_what_is_before_their_span() {
    let lab = Lab::new();
    for (source, how, extension, decibels) in [
        ("s.m4a", "", "m4a", 20.0),
        ("s.m4a", "", "mp4", 20.0),
        ("s.mp3", "", "mp3", 30.0),
        ("s.mp3", "", "mp4", 35.0),
        ("s.opus", "", "opus", 35.0),
        ("s.opus", "", "webm", 35.0),
        ("s.opus", "", "mp4", 35.0),
        ("s.ts", "-c:a aac", "m4a", 20.0),
    ] {
        let path = lab.make(source, &format!("{SWEEP} {how}"));
        let all = decoded(&path);
        for (start, end) in [(1.1, 2.25), (0.0, 0.5)] {
            let at = |seconds: f64| (seconds * 48000.0) as usize;
            let bytes = cut(&mut open(&path), extension, SoundSpec::Copy, (start, end)).unwrap();
            let what = format!("{source} to {extension} from {start} to {end}");
            check(&lab, extension, &bytes, &all[at(start)..at(end)], decibels, &what);
        }
    }
}

#[test]
fn copied_whole_nothing_moves() {
    let lab = Lab::new();
    for (source, how, extension) in [
        ("s.mp3", "", "mp3"),
        ("s.mp3", "-write_xing 0", "mp3"),
        ("s.mp3", "-ar 22050 -b:a 32k", "mp3"),
        ("s.opus", "", "opus"),
        ("s.m4a", "", "m4a"),
        ("s.flac", "", "flac"),
        ("s.wav", "", "wav"),
        ("s.ogg", "-c:a libvorbis", "ogg"),
        ("s.webm", "-c:a libopus", "webm"),
    ] {
        let path = lab.make(source, &format!("{SWEEP} {how}"));
        let made = cut(&mut open(&path), extension, SoundSpec::Copy, WHOLE).unwrap();
        let got = decoded(&lab.write(&format!("made.{extension}"), &made));
        let (wanted, what) = (decoded(&path), format!("{source} {how}"));
        assert_eq!(got.len(), wanted.len(), "{what}");
        assert!(snr(&wanted, &got) > 100.0, "{what}");
    }
}

/// Opus in WebM begins before 0 with samples that are not to be heard: that is not where the file begins.
#[test]
fn samples_before_zero_are_no_start() {
    let lab = Lab::new();
    let path = lab.make("s.webm", &format!("{SWEEP} -c:a libopus"));
    assert_eq!(open(&path).start_seconds(), 0.0);
    let all = decoded(&path);
    let bytes = cut(&mut open(&path), "wav", encoded("wav"), (1.1, 2.25)).unwrap();
    let got = decoded(&lab.write("made.wav", &bytes));
    assert_eq!(got.len(), 55_200);
    // Matroska keeps milliseconds.
    assert!(offset(&all[52800..108_000], &got, REACH).abs() <= 48);
}
