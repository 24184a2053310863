//! Sound of clips: cut to the sample, in every kind of file, and never shifted against the picture.

use std::path::{Path, PathBuf};
use std::process::Command;

use clipmill::media::{
    AudioCodec, ClipSpec, ClipWriter, Event, Media, MediaError, PassOptions, SoundSpec, Streams, VideoSpec,
};

use crate::lab::{Lab, footage, open};

fn spec(extension: &str, codec: AudioCodec, span: (f64, f64), zero: f64) -> ClipSpec {
    let sound = SoundSpec::Encode(codec);
    ClipSpec { extension: extension.into(), video: VideoSpec::None, sound, stretch: None, span, zero }
}

fn cut(media: &mut Media, spec: &ClipSpec) -> Result<Vec<u8>, MediaError> {
    media.rewind().unwrap();
    let mut writer = ClipWriter::new(&Streams::of(media), spec)?;
    let mut pass = media.pass(PassOptions { packets: writer.streams(), ..PassOptions::default() })?;
    while let Some(event) = pass.next_event()? {
        let Event::Packet(packet) = event else { continue };
        writer.packet(packet)?;
    }
    Ok(writer.finish()?.bytes.to_vec())
}

fn whole(media: &mut Media, extension: &str) -> Vec<u8> {
    let zero = media.start_seconds();
    let span = (f64::NEG_INFINITY, f64::INFINITY);
    cut(media, &spec(extension, AudioCodec::default_for(extension), span, zero)).unwrap()
}

/// What the ffmpeg program decodes: samples of one channel.
fn samples(path: &Path, rate: u32) -> Vec<f64> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-i"]).arg(path);
    // By their times: a sound that starts late has silence before it.
    command.args(["-vn", "-af", "aresample=async=1:first_pts=0"]);
    let output = command.args(["-ac", "1", "-ar", &rate.to_string(), "-f", "f32le", "-"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap()))).collect()
}

/// Decibels of `wanted` over the difference.
fn snr(wanted: &[f64], got: &[f64]) -> f64 {
    let power: f64 = wanted.iter().map(|x| x * x).sum();
    let noise: f64 = wanted.iter().zip(got).map(|(x, y)| (x - y) * (x - y)).sum();
    10.0 * (power / noise.max(1e-12)).log10()
}

fn near(got: usize, wanted: usize, tolerance: usize, what: &str) {
    assert!(got.abs_diff(wanted) <= tolerance, "{what}: {got} samples, not {wanted}");
}

const TONES: &str = "-f lavfi -i aevalsrc=0.3*sin(2*PI*(300+200*t)*t):d=2:s=48000";

fn channels(path: &Path) -> String {
    let value = crate::lab::ffprobe(path, "-show_streams");
    let stream = &value["streams"][0];
    format!(
        "{} {} {}",
        stream["channels"],
        stream["channel_layout"].as_str().unwrap_or("-"),
        stream["sample_rate"].as_str().unwrap()
    )
}

#[test]
fn every_kind_of_file_holds_the_sound_of_every_other() {
    let lab = Lab::new();
    for source in ["s.mp3", "s.wav", "s.flac", "s.m4a", "s.mkv"] {
        let path = lab.make(source, TONES);
        let wanted = samples(&path, 48000);
        for (extension, frame) in [("m4a", 1024), ("mp3", 1152), ("wav", 1), ("flac", 1), ("opus", 960)] {
            let made = lab.write(&format!("made.{extension}"), &whole(&mut open(&path), extension));
            let got = samples(&made, 48000);
            let what = format!("{source} to {extension}");
            // What an MP4 says of its end is heeded, which the ffmpeg program leaves aside.
            let behind = if source == "s.m4a" { 1024 } else { 0 };
            near(got.len(), wanted.len(), 2 * frame + behind, &what);
            let snr = snr(&wanted, &got);
            assert!(snr > 15.0, "{what}: {snr:.1} dB");
        }
    }
}

#[test]
fn a_cut_is_exact_to_the_sample() {
    let lab = Lab::new();
    let path = lab.make("ramp.wav", "-f lavfi -i aevalsrc=n/48000:d=0.9:s=48000");
    let codec = AudioCodec::default_for("wav");
    let bytes = cut(&mut open(&path), &spec("wav", codec, (0.25, 0.5), 0.25)).unwrap();
    let (whole, got) = (samples(&path, 48000), samples(&lab.write("cut.wav", &bytes), 48000));
    assert_eq!(got, whole[12000..24000]);
}

/// Sound from `at` seconds on beside a picture from 0.
fn late(lab: &Lab, at: &str) -> PathBuf {
    let picture = "-f lavfi -i testsrc2=d=2:s=64x64:r=25";
    let tone = "-f lavfi -i aevalsrc=0.5:d=1:s=48000";
    lab.make("late.mkv", &format!("{picture} -itsoffset {at} {tone} -map 0:v -map 1:a -c:a pcm_s16le"))
}

#[test]
fn sound_that_starts_late_stays_late_in_files_without_times() {
    let lab = Lab::new();
    let path = late(&lab, "0.7");
    for extension in ["wav", "flac"] {
        let got = samples(&lab.write(&format!("made.{extension}"), &whole(&mut open(&path), extension)), 48000);
        let first = got.iter().position(|x| x.abs() > 0.25).unwrap();
        near(first, 33600, 48, extension);
        near(got.len(), 33600 + 48000, 48, extension);
    }
}

#[test]
fn a_gap_is_silence() {
    let lab = Lab::new();
    let filter = "-af aselect='not(between(t,0.5,1.2))'";
    let path = lab.make("gap.mkv", &format!("-f lavfi -i aevalsrc=0.5:d=2:s=48000:n=480 {filter} -c:a pcm_s16le"));
    let wanted = crate::lab::ffprobe(&path, "-show_entries packet=pts_time,duration_time");
    let packets = wanted["packets"].as_array().unwrap();
    let times: Vec<f64> = packets.iter().map(|p| p["pts_time"].as_str().unwrap().parse().unwrap()).collect();
    assert!(times.windows(2).any(|pair| pair[1] - pair[0] > 0.5), "the footage has no gap: {times:?}");
    let got = samples(&lab.write("gap.wav", &whole(&mut open(&path), "wav")), 48000);
    near(got.len(), 96000, 96, "gap");
    assert!(got[40000..50000].iter().all(|x| *x == 0.0));
}

#[test]
fn channels_and_rates_are_those_asked_for() {
    let lab = Lab::new();
    let mut media = open(&footage("bigbuckbunny.mp4"));
    let zero = media.start_seconds();
    let span = (f64::NEG_INFINITY, f64::INFINITY);
    for (extension, count, rate, wanted) in [
        ("mp3", Some(1), Some(16000), "1 mono 16000"),
        ("mp3", None, None, "2 stereo 48000"),
        ("m4a", Some(2), Some(16000), "2 stereo 16000"),
        ("m4a", None, None, "6 5.1 48000"),
        ("wav", Some(4), None, "4 4.0 48000"),
        ("opus", None, None, "6 5.1 48000"),
        ("opus", Some(1), Some(16000), "1 mono 48000"),
    ] {
        let codec = AudioCodec { channels: count, sample_rate: rate, ..AudioCodec::default_for(extension) };
        let bytes = cut(&mut media, &spec(extension, codec, span, zero)).unwrap();
        assert_eq!(channels(&lab.write(&format!("made.{extension}"), &bytes)), wanted, "{extension} {count:?}");
    }
}

#[test]
fn what_cannot_be_done_is_said() {
    let lab = Lab::new();
    let all = (f64::NEG_INFINITY, f64::INFINITY);
    let mut codec = AudioCodec::default_for("mp3");
    codec.options.push(("qualty".into(), "2".into()));
    let path = lab.make("tone.mp3", TONES);
    let error = cut(&mut open(&path), &spec("mp3", codec, all, 0.0)).unwrap_err().to_string();
    assert!(error.contains("no option `qualty`"), "{error}");
    let silent = &mut open(&footage("bikes.mp4"));
    let error = cut(silent, &spec("mp3", AudioCodec::default_for("mp3"), all, 0.0)).unwrap_err();
    assert!(matches!(error, MediaError::NoAudio), "{error}");
}

#[test]
fn the_same_sound_gives_the_same_bytes() {
    let mut media = open(&footage("bigbuckbunny.mp4"));
    for extension in ["m4a", "mp3", "wav", "flac", "opus"] {
        assert!(whole(&mut media, extension) == whole(&mut media, extension), "{extension}");
    }
}
