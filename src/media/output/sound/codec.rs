//! What encoders of sound take.

/// How sound is encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioCodec {
    /// FFmpeg's name of the encoder.
    pub encoder: String,
    /// Hz; none: the source's, or the nearest that the encoder takes.
    pub sample_rate: Option<u32>,
    /// None: the source's, or as many as the encoder takes.
    pub channels: Option<u32>,
    /// Options of the encoder, as the ffmpeg program takes them.
    pub options: Vec<(String, String)>,
}

impl AudioCodec {
    /// The encoder that the ffmpeg program takes for a member's extension.
    pub fn default_for(extension: &str) -> Self {
        let encoder = match extension {
            "mp3" => "libmp3lame",
            "wav" | "avi" => "pcm_s16le",
            "flac" => "flac",
            "ogg" | "oga" | "opus" | "webm" => "libopus",
            "ts" => "aac",
            _ => "aac",
        };
        Self { encoder: encoder.into(), sample_rate: None, channels: None, options: Vec::new() }
    }
}

/// Sample rates that an encoder is limited to, Hz, falling; empty: any.
fn rates(encoder: &str) -> &'static [u32] {
    match encoder {
        "libopus" => &[48000, 24000, 16000, 12000, 8000],
        "libmp3lame" => &[48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000],
        "aac" => &[96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350],
        _ => &[],
    }
}

/// FFmpeg's names of the sample formats that an encoder takes, best first.
pub fn formats(encoder: &str) -> String {
    let known = match encoder {
        "aac" | "libmp3lame" => "fltp",
        "libopus" => "flt|s16",
        "flac" => "s16|s32",
        "pcm_s16le" => "s16",
        _ => return own_formats(encoder).unwrap_or_else(|| "fltp|flt|s16p|s16|s32".to_owned()),
    };
    known.to_owned()
}

/// What FFmpeg says of the encoder's formats.
fn own_formats(encoder: &str) -> Option<String> {
    let codec = ffmpeg_next::codec::encoder::find_by_name(encoder)?.audio().ok()?;
    let names: Vec<&str> = codec.formats()?.map(|format| format.name()).collect();
    (!names.is_empty()).then(|| names.join("|"))
}

/// Hz that the encoder gets: what was asked for, else the source's; the least rate that loses nothing, else the highest.
pub fn rate(codec: &AudioCodec, source: u32) -> u32 {
    let rates = rates(&codec.encoder);
    // Opus works at 48 kHz whatever it is given: a lower rate only loses, unless somebody wants just that.
    if codec.encoder == "libopus" {
        return codec.sample_rate.filter(|rate| rates.contains(rate)).unwrap_or(48000);
    }
    let wanted = codec.sample_rate.unwrap_or(source);
    let fits = rates.iter().rev().find(|rate| **rate >= wanted);
    fits.or(rates.first()).copied().unwrap_or(wanted)
}
