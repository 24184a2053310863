//! Sound that changes on the way, has holes, is cut off, or does not begin or end with the picture.

use std::path::Path;

use clipmill::media::{AudioCodec, ClipSpec, SoundSpec, VideoSpec};

use crate::lab::{Lab, ffprobe, footage, open, run};
use crate::measure::{cut, decoded, encoded, made, offset, snr};

const WHOLE: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

/// A second of a tone: rate, channels.
fn tone(hertz: u32, rate: u32, channels: u32) -> String {
    let one = format!("0.3*sin(2*PI*{hertz}*t)");
    let all = vec![one; channels as usize].join("|");
    format!("-f lavfi -i aevalsrc={all}:d=1:s={rate}:c={}", if channels == 1 { "mono" } else { "stereo" })
}

/// Puts files behind each other, byte for byte.
fn joined(lab: &Lab, name: &str, parts: &[std::path::PathBuf]) -> std::path::PathBuf {
    let bytes: Vec<u8> = parts.iter().flat_map(|part| std::fs::read(part).unwrap()).collect();
    lab.write(name, &bytes)
}

/// Zero crossings a second: twice the tone's Hz.
fn crossings(samples: &[f64], rate: usize) -> f64 {
    let count = samples.windows(2).filter(|pair| (pair[0] < 0.0) != (pair[1] < 0.0)).count();
    count as f64 * rate as f64 / samples.len() as f64
}

#[test]
fn rate_and_channels_that_change_on_the_way() {
    let lab = Lab::new();
    let parts = [
        lab.make("1.aac", &tone(400, 48000, 2)),
        lab.make("2.aac", &tone(600, 44100, 1)),
        lab.make("3.aac", &tone(800, 48000, 2)),
    ];
    let path = joined(&lab, "all.aac", &parts);
    for extension in ["wav", "mp3", "m4a"] {
        let bytes = cut(&mut open(&path), extension, encoded(extension), WHOLE).unwrap();
        let got = decoded(&lab.write(&format!("made.{extension}"), &bytes));
        // Each part has the encoder's priming, and its last frame is filled up.
        assert!(got.len().abs_diff(3 * 48000) < 3 * 2048 + 1152, "{extension}: {} samples", got.len());
        for (second, hertz) in [(0.5, 400.0), (1.5, 600.0), (2.55, 800.0)] {
            let at = (second * 48000.0) as usize;
            let found = crossings(&got[at - 9600..at + 9600], 48000) / 2.0;
            assert!((found - hertz).abs() < 15.0, "{extension} at {second} s: {found} Hz, not {hertz}");
        }
    }
}

/// A file in which the clock of the second part begins anew is heard as one piece; a hole in the clock is silence.
#[test]
fn clocks_that_jump_back_go_on_and_holes_are_silent() {
    let lab = Lab::new();
    let part = lab.make("1.ts", &format!("{} -c:a aac", tone(400, 48000, 1)));
    let other = lab.make("2.ts", &format!("{} -c:a aac", tone(800, 48000, 1)));
    let back = joined(&lab, "back.ts", &[part, other]);
    let bytes = cut(&mut open(&back), "wav", encoded("wav"), WHOLE).unwrap();
    let got = decoded(&lab.write("back.wav", &bytes));
    assert!(got.len().abs_diff(96_000) < 4096, "{} samples", got.len());
    let second = crossings(&got[60_000..90_000], 48000) / 2.0;
    assert!((second - 800.0).abs() < 15.0, "{second} Hz");

    let hole = "-af aselect='not(between(t,1,2))'";
    let path = lab.make("hole.mkv", &format!("-f lavfi -i aevalsrc=0.5:d=4:s=48000:n=480 {hole} -c:a pcm_s16le"));
    let bytes = cut(&mut open(&path), "flac", encoded("flac"), (0.5, 3.5)).unwrap();
    let got = decoded(&lab.write("hole.flac", &bytes));
    // What follows the hole keeps its time.
    assert_eq!(got.len(), 144_000);
    assert!(got[..23_000].iter().all(|x| *x > 0.4) && got[74_000..].iter().all(|x| *x > 0.4));
    assert!(got[26_000..71_000].iter().all(|x| *x == 0.0));
}

#[test]
fn a_file_that_is_cut_off_gives_what_it_has() {
    let lab = Lab::new();
    let sweep = "-f lavfi -i aevalsrc=0.3*sin(2*PI*(200*t+150*t*t)):d=4:s=48000";
    for (name, how) in [("s.mp3", ""), ("s.ts", "-c:a aac"), ("s.flac", ""), ("s.wav", ""), ("s.mkv", "-c:a libopus")] {
        let path = lab.make(name, &format!("{sweep} {how}"));
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.truncate(bytes.len() * 3 / 5 + 7);
        let path = lab.write(&format!("cut_{name}"), &bytes);
        let made = cut(&mut open(&path), "wav", encoded("wav"), (0.5, 3.5)).unwrap();
        let got = decoded(&lab.write("made.wav", &made));
        let wanted = decoded(&path);
        assert!((48_000..130_000).contains(&got.len()), "{name}: {} samples", got.len());
        // Matroska keeps milliseconds.
        let most = if name == "s.mkv" { 48 } else { 0 };
        assert!(offset(&wanted[24_000..72_000], &got, 600).abs() <= most, "{name}");
    }
}

fn video_clip(extension: &str, sound: SoundSpec, span: (f64, f64)) -> ClipSpec {
    let zero = if span.0.is_finite() { span.0 } else { 0.0 };
    ClipSpec { extension: extension.into(), video: VideoSpec::Copy, sound, stretch: None, span, zero }
}

fn streams(path: &Path) -> Vec<(f64, f64)> {
    let found = ffprobe(path, "-show_streams");
    let number = |value: &serde_json::Value| value.as_str().unwrap().parse().unwrap();
    let streams = found["streams"].as_array().unwrap().iter();
    streams.map(|stream| (number(&stream["start_time"]), number(&stream["duration"]))).collect()
}

#[test]
fn sound_keeps_its_own_length_and_start_beside_the_picture() {
    let lab = Lab::new();
    let picture = "-f lavfi -i testsrc2=d=2:s=96x64:r=25";
    let tone = |seconds: &str| format!("-f lavfi -i sine=d={seconds}:r=48000");
    for (what, input, start, end) in [
        ("shorter", format!("{picture} {}", tone("1.2")), 0.0, 1.2),
        ("longer", format!("{picture} {}", tone("3.1")), 0.0, 3.1),
        ("late", format!("{picture} -itsoffset 0.703 {}", tone("1")), 0.703, 1.703),
    ] {
        let path = lab.make("s.mp4", &format!("{input} -c:v libx264 -preset ultrafast -c:a aac"));
        for (how, sound) in [("copied", SoundSpec::Copy), ("encoded", encoded("mp4"))] {
            let bytes = made(&mut open(&path), &video_clip("mp4", sound, WHOLE)).unwrap();
            let found = streams(&lab.write("made.mp4", &bytes));
            assert_eq!(found[0], (0.0, 2.0), "{what} {how}: the picture");
            // Encoded, what is late begins with silence.
            let start = if how == "encoded" { 0.0 } else { start };
            let (from, to) = (found[1].0, found[1].0 + found[1].1);
            // An edit list cannot hide the encoder's first 1024 samples where there is nothing to be heard before them.
            let early = if start > 0.0 { 1024.0 / 48000.0 } else { 0.0 };
            assert!((from + early - start).abs() < 0.0021 && (to - end).abs() < 0.0021, "{what} {how}: {from} to {to}");
        }
        let bytes = cut(&mut open(&path), "wav", encoded("wav"), WHOLE).unwrap();
        let got = decoded(&lab.write("made.wav", &bytes));
        // A container of milliseconds says when it is late.
        assert!(got.len().abs_diff((end * 48000.0) as usize) <= 128, "{what}: {} samples", got.len());
        let first = got.iter().position(|x| x.abs() > 0.02).unwrap();
        assert!(first.abs_diff((start * 48000.0) as usize) < 1100, "{what}: heard from sample {first} on");
    }
}

/// A clip with pictures that are copied: its sound begins where they do, to the sample, copied or encoded.
#[test]
fn the_sound_of_a_clip_lies_under_its_pictures() {
    let lab = Lab::new();
    let sweep = "-f lavfi -i aevalsrc=0.3*sin(2*PI*(200*t+100*t*t))+0.1*(random(0)-0.5):d=4:s=44100";
    let picture = "-f lavfi -i testsrc2=d=4:s=96x64:r=25";
    let path = lab.make("s.mp4", &format!("{picture} {sweep} -c:v libx264 -preset ultrafast -g 25 -c:a aac"));
    let all = decoded(&path);
    for (sound, decibels) in [(SoundSpec::Copy, 20.0), (encoded("mp4"), 12.0)] {
        let mut spec = video_clip("mp4", sound, (1.0, 3.0));
        spec.stretch = Some(clipmill::media::Stretch { start: 12_800, end: 38_400 });
        let made = lab.write("made.mp4", &made(&mut open(&path), &spec).unwrap());
        assert_eq!(streams(&made), [(0.0, 2.0), (0.0, 2.0)]);
        let got = decoded(&made);
        let wanted = &all[44_100..132_300];
        assert_eq!(offset(wanted, &got, 1500), 0);
        assert!(got.len() - wanted.len() < 1024 && snr(wanted, &got) > decibels, "{}", snr(wanted, &got));
    }
}

#[test]
fn six_channels_become_two_or_one() {
    let lab = Lab::new();
    let path = footage("bigbuckbunny.mp4");
    for (channels, layout) in [(2, "stereo"), (1, "mono")] {
        let codec = AudioCodec { channels: Some(channels), ..AudioCodec::default_for("wav") };
        let bytes = cut(&mut open(&path), "wav", SoundSpec::Encode(codec), WHOLE).unwrap();
        let made = lab.write("made.wav", &bytes);
        let wanted = lab.path("wanted.wav");
        let (from, to) = (path.to_str().unwrap(), wanted.to_str().unwrap());
        run("ffmpeg", &["-v", "error", "-y", "-i", from, "-vn", "-ac", &channels.to_string(), to]);
        let (got, wanted) = (decoded(&made), decoded(&wanted));
        assert!(snr(&wanted, &got) > 60.0, "{layout}: {:.1} dB from what ffmpeg mixes", snr(&wanted, &got));
        // The ffmpeg program leaves the end that the edit list states aside.
        assert!(wanted.len().checked_sub(got.len()).is_some_and(|less| less < 1024), "{layout}");
    }
}

#[test]
fn every_width_and_rate_of_a_source() {
    let lab = Lab::new();
    let sweep = |rate: u32| format!("-f lavfi -i aevalsrc=0.3*sin(2*PI*(200*t+150*t*t)):d=2:s={rate}");
    for (codec, rate) in [("pcm_s24le", 48000), ("pcm_f32le", 48000), ("pcm_u8", 8000), ("pcm_s16le", 8000)] {
        let path = lab.make("s.wav", &format!("{} -c:a {codec}", sweep(rate)));
        let wav = AudioCodec { sample_rate: Some(48000), ..AudioCodec::default_for("wav") };
        let bytes = cut(&mut open(&path), "wav", SoundSpec::Encode(wav), (0.5, 1.5)).unwrap();
        let got = decoded(&lab.write("made.wav", &bytes));
        // What resampling holds back at the end comes out, too.
        assert!(got.len().abs_diff(48_000) <= 48, "{codec} {rate}: {} samples", got.len());
        let wanted: Vec<f64> = (0..48_000)
            .map(|n| 0.5 + f64::from(n) / 48000.0)
            .map(|t| 0.3 * (2.0 * std::f64::consts::PI * (200.0 * t + 150.0 * t * t)).sin())
            .collect();
        let inner = |samples: &[f64]| samples[480..47_000].to_vec();
        let alike = snr(&inner(&wanted), &inner(&got));
        assert!(alike > 25.0, "{codec} {rate}: {alike:.1} dB");
    }
    // FLAC keeps 24 bits.
    let path = lab.make("deep.wav", &format!("{} -c:a pcm_s24le", sweep(48000)));
    let bytes = cut(&mut open(&path), "flac", encoded("flac"), (0.5, 1.5)).unwrap();
    let got = decoded(&lab.write("deep.flac", &bytes));
    assert_eq!(got, decoded(&path)[24_000..72_000]);
}
