//! Samples as the ffmpeg program decodes them, and how two pieces of sound lie to each other.

use std::path::Path;
use std::process::Command;

use clipmill::media::{
    AudioCodec, ClipSpec, ClipWriter, Event, Media, MediaError, PassOptions, SoundSpec, Streams, VideoSpec,
};

/// Samples of the first channel, as they come: nothing is made up for gaps, and nothing is resampled.
pub fn decoded(path: &Path) -> Vec<f64> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-i"]).arg(path);
    command.args(["-map", "0:a:0", "-af", "pan=mono|c0=c0", "-f", "f32le", "-"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap()))).collect()
}

/// By how many samples `got` is later than `wanted`, where the two are most alike; looked for up to `reach` both ways.
///
/// From the middle of `wanted`: the edges are what encoders blur.
pub fn offset(wanted: &[f64], got: &[f64], reach: usize) -> i64 {
    let middle = wanted.len() / 2;
    let piece = &wanted[middle - PIECE / 2..][..PIECE];
    let at = middle - PIECE / 2;
    let power = |piece: &[f64]| piece.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-9);
    let alike = |begin: usize| -> f64 {
        let Some(other) = got.get(begin..begin + PIECE) else { return f64::MIN };
        piece.iter().zip(other).map(|(x, y)| x * y).sum::<f64>() / power(other)
    };
    let found = (at.saturating_sub(reach)..=at + reach).max_by(|a, b| alike(*a).total_cmp(&alike(*b)));
    found.unwrap() as i64 - at as i64
}

/// Samples that are laid over each other.
const PIECE: usize = 1024;

/// Decibels of `wanted` over what `got` differs from it.
pub fn snr(wanted: &[f64], got: &[f64]) -> f64 {
    let power: f64 = wanted.iter().map(|x| x * x).sum();
    let noise: f64 = wanted.iter().zip(got).map(|(x, y)| (x - y) * (x - y)).sum();
    10.0 * (power / noise.max(1e-12)).log10()
}

/// The sound of `span`, seconds from the container's start, as a file of its own.
pub fn cut(media: &mut Media, extension: &str, sound: SoundSpec, span: (f64, f64)) -> Result<Vec<u8>, MediaError> {
    let start = media.start_seconds();
    let span = (span.0 + start, span.1 + start);
    let zero = if span.0.is_finite() { span.0 } else { start };
    made(media, &ClipSpec { extension: extension.into(), video: VideoSpec::None, sound, stretch: None, span, zero })
}

/// The file of a clip, from packets alone.
pub fn made(media: &mut Media, spec: &ClipSpec) -> Result<Vec<u8>, MediaError> {
    media.rewind()?;
    let mut writer = ClipWriter::new(&Streams::of(media), spec)?;
    let mut pass = media.pass(PassOptions { packets: writer.streams(), ..PassOptions::default() })?;
    while let Some(event) = pass.next_event()? {
        let Event::Packet(packet) = event else { continue };
        writer.packet(packet)?;
    }
    Ok(writer.finish()?.bytes.to_vec())
}

pub fn encoded(extension: &str) -> SoundSpec {
    SoundSpec::Encode(AudioCodec::default_for(extension))
}
