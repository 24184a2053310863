//! The filters between decoder and encoder of sound.

use std::ffi::CStr;

use ffmpeg_next::filter::{self, Graph};
use ffmpeg_next::{Error, Rational, ffi};

use super::codec::{AudioCodec, formats, rate};
use super::shape::{Shape, usual_layout};

/// Cut to the sample, then what the encoder takes. An encoder that is open keeps its rate and channels.
pub fn chain(codec: &AudioCodec, shape: &Shape, span: (f64, f64), open: Option<(u32, u16)>) -> String {
    let rate = match open {
        Some((rate, _)) => rate,
        None => rate(codec, shape.rate),
    };
    let most = if codec.encoder == "libmp3lame" { 2 } else { 8 };
    let channels = match open {
        Some((_, channels)) => u32::from(channels),
        None => codec.channels.unwrap_or(u32::from(shape.channels)).clamp(1, most),
    };
    // These two know only the usual layouts: 5.1 with its channels behind, not beside.
    let is_usual = open.is_some() || matches!(codec.encoder.as_str(), "aac" | "libopus");
    let layout = match channels {
        n if n == u32::from(shape.channels) && n > 2 && !is_usual => String::new(),
        n => format!(":channel_layouts={}", usual_layout(n)),
    };
    let mut trim = Vec::new();
    if span.0.is_finite() {
        trim.push(format!("start={:.6}", span.0));
    }
    if span.1.is_finite() {
        trim.push(format!("end={:.6}", span.1));
    }
    let trim = if trim.is_empty() { String::new() } else { format!("atrim={},", trim.join(":")) };
    format!("{trim}aformat=sample_fmts={}:sample_rates={rate}{layout}", formats(&codec.encoder))
}

pub fn build(chain: &str, time_base: Rational, shape: &Shape) -> Result<Graph, Error> {
    let (source, sink) = (filter::find("abuffer"), filter::find("abuffersink"));
    let (source, sink) = source.zip(sink).ok_or(Error::FilterNotFound)?;
    let mut graph = Graph::new();
    // SAFETY: the graph is new and not configured.
    unsafe { (*graph.as_mut_ptr()).nb_threads = 1 };
    let format = sample_format(shape.format).ok_or(Error::InvalidData)?;
    let arguments = format!(
        "time_base={}/{}:sample_rate={}:sample_fmt={format}:channel_layout={}",
        time_base.numerator(),
        time_base.denominator(),
        shape.rate,
        shape.layout
    );
    graph.add(&source, "in", &arguments)?;
    graph.add(&sink, "out", "")?;
    graph.output("in", 0)?.input("out", 0)?.parse(chain)?;
    graph.validate()?;
    Ok(graph)
}

fn sample_format(format: i32) -> Option<String> {
    // SAFETY: the name is a static text of FFmpeg, or null for a number that is no format.
    unsafe {
        let format: ffi::AVSampleFormat = std::mem::transmute(format);
        let name = ffi::av_get_sample_fmt_name(format);
        (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
    }
}
