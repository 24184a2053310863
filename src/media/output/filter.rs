//! Frames through a chain of FFmpeg's filters, as `ffmpeg -vf` runs it.

use std::ffi::CString;

use ffmpeg_next::filter::{self, Graph};
use ffmpeg_next::format::Pixel;
use ffmpeg_next::{Error, Rational, ffi, frame};

use crate::media::MediaError;
use crate::media::log::LogLines;

/// What filters have to know of the stream.
#[derive(Debug, Clone, PartialEq)]
pub struct FilterSpec {
    /// A chain as `ffmpeg -vf` takes it; none: frames pass as they are.
    pub graph: Option<String>,
    /// Filters that stand the picture upright, before anything else is done to it.
    pub turn: Option<String>,
    /// Of the frames' times.
    pub time_base: Rational,
    pub frame_rate: Option<Rational>,
    /// FFmpeg's names of the formats that may come out, best first: `yuv420p|yuvj420p`.
    pub formats: String,
}

/// The shape that a graph was built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    width: u32,
    height: u32,
    format: Pixel,
}

/// Size and format.
type Kept = (u32, u32, Pixel);

/// A running chain. Built for the first frame, and anew where the frames' shape changes; what comes out keeps its size.
pub struct VideoFilter {
    spec: FilterSpec,
    running: Option<(Shape, Graph)>,
    /// Of what comes out: the encoder takes no other.
    kept: Option<Kept>,
    /// The first frame and its time, until anything comes out.
    first: Option<(frame::Video, i64)>,
    is_ended: bool,
}

impl VideoFilter {
    pub fn new(spec: FilterSpec) -> Self {
        Self { spec, running: None, kept: None, first: None, is_ended: false }
    }

    /// Takes a frame, which is shared, not copied. Frames that come out of it are handed to `each`.
    pub fn push(
        &mut self,
        picture: &frame::Video,
        pts: i64,
        log: &LogLines,
        mut each: impl FnMut(frame::Video) -> Result<(), MediaError>,
    ) -> Result<(), MediaError> {
        let shape = Shape { width: picture.width(), height: picture.height(), format: picture.format() };
        if self.running.as_ref().is_some_and(|(built_for, _)| *built_for != shape) {
            self.close(pts, &mut each)?;
        }
        let (_, graph) = match &mut self.running {
            Some(running) => running,
            none => none.insert((shape, build(&self.spec, shape, picture, self.kept).map_err(|e| failed(e, log))?)),
        };
        let mut shared = share(picture)?;
        shared.set_pts(Some(pts));
        shared.set_kind(ffmpeg_next::picture::Type::None);
        if self.kept.is_none() && self.first.is_none() {
            self.first = Some((share(picture)?, pts));
        }
        graph
            .get("in")
            .ok_or(Error::Bug)
            .and_then(|mut source| source.source().add(&shared))
            .map_err(|e| failed(e, log))?;
        self.pull(&mut each)
    }

    /// No more frames, and the last one lasts until `end`: hands out what the chain held back.
    pub fn end(
        &mut self,
        end: i64,
        mut each: impl FnMut(frame::Video) -> Result<(), MediaError>,
    ) -> Result<(), MediaError> {
        self.is_ended = true;
        self.close(end, &mut each)?;
        match (self.kept, self.first.take()) {
            (None, Some((picture, pts))) => self.show(&picture, pts, &mut each),
            _ => Ok(()),
        }
    }

    /// Time base and frame rate of what comes out, once something has.
    pub fn output(&mut self) -> Option<(Rational, Option<Rational>)> {
        let (_, graph) = self.running.as_mut()?;
        let mut sink = graph.get("out")?;
        // SAFETY: the sink is a configured buffersink of this graph.
        let rate: Rational = unsafe { ffi::av_buffersink_get_frame_rate(sink.as_mut_ptr()) }.into();
        Some((sink.sink().time_base(), (rate.numerator() > 0).then_some(rate)))
    }

    /// Media shorter than half a frame of a lower frame rate: its first frame is shown for one, where the ffmpeg program
    /// makes a file without any.
    fn show(
        &mut self,
        picture: &frame::Video,
        pts: i64,
        each: &mut dyn FnMut(frame::Video) -> Result<(), MediaError>,
    ) -> Result<(), MediaError> {
        let Some((_, Some(rate))) = self.output() else { return Ok(()) };
        let length = (1.0 / f64::from(rate) / f64::from(self.spec.time_base)).ceil() as i64;
        let shape = Shape { width: picture.width(), height: picture.height(), format: picture.format() };
        let fail = |error: Error| MediaError::Encoder { detail: error.to_string() };
        let mut graph = build(&self.spec, shape, picture, None).map_err(fail)?;
        let mut shared = share(picture)?;
        shared.set_pts(Some(pts));
        graph.get("in").ok_or(Error::Bug).and_then(|mut source| source.source().add(&shared)).map_err(fail)?;
        self.running = Some((shape, graph));
        self.close(pts.saturating_add(length), each)
    }

    fn close(
        &mut self,
        end: i64,
        each: &mut dyn FnMut(frame::Video) -> Result<(), MediaError>,
    ) -> Result<(), MediaError> {
        if let Some((_, graph)) = &mut self.running
            && let Some(mut source) = graph.get("in")
        {
            // The time matters to filters that repeat frames. The ffmpeg program tells it, too.
            // SAFETY: the source is a configured buffer of this graph.
            let code = unsafe { ffi::av_buffersrc_close(source.as_mut_ptr(), end, 0) };
            if code < 0 {
                return Err(MediaError::Encoder { detail: Error::from(code).to_string() });
            }
            self.pull(each)?;
        }
        // The last shape's time base is still asked for after the end.
        if !self.is_ended {
            self.running = None;
        }
        Ok(())
    }

    fn pull(&mut self, each: &mut dyn FnMut(frame::Video) -> Result<(), MediaError>) -> Result<(), MediaError> {
        let Some((_, graph)) = &mut self.running else { return Ok(()) };
        let Some(mut sink) = graph.get("out") else { return Ok(()) };
        loop {
            let mut made = frame::Video::empty();
            match sink.sink().frame(&mut made) {
                Ok(()) => {
                    self.first = None;
                    self.kept.get_or_insert((made.width(), made.height(), made.format()));
                    each(made)?;
                }
                Err(Error::Eof | Error::Other { errno: libc::EAGAIN }) => return Ok(()),
                Err(error) => return Err(MediaError::Encoder { detail: error.to_string() }),
            }
        }
    }
}

/// Another reference to the same picture.
pub fn share(picture: &frame::Video) -> Result<frame::Video, MediaError> {
    let mut shared = frame::Video::empty();
    // SAFETY: both are frames; the new one refers to the same buffers.
    if unsafe { ffi::av_frame_ref(shared.as_mut_ptr(), picture.as_ptr()) } < 0 {
        return Err(MediaError::Encoder { detail: "out of memory".into() });
    }
    Ok(shared)
}

fn build(spec: &FilterSpec, shape: Shape, first: &frame::Video, kept: Option<Kept>) -> Result<Graph, Error> {
    let (source, sink) = (filter::find("buffer"), filter::find("buffersink"));
    let (source, sink) = source.zip(sink).ok_or(Error::FilterNotFound)?;
    let chain = chain(spec, kept);
    if chain.contains('\0') {
        return Err(Error::InvalidData);
    }
    let mut graph = Graph::new();
    let threads = 1;
    let options = CString::new("flags=bicubic").unwrap_or_default();
    // SAFETY: the graph is new; it frees the copy of the options.
    unsafe {
        let raw = graph.as_mut_ptr();
        (*raw).nb_threads = threads;
        (*raw).scale_sws_opts = ffi::av_strdup(options.as_ptr());
    }
    graph.add(&source, "in", &source_arguments(spec, shape, first))?;
    graph.add(&sink, "out", "")?;
    graph.output("in", 0)?.input("out", 0)?.parse(&chain)?;
    graph.validate()?;
    Ok(graph)
}

fn source_arguments(spec: &FilterSpec, shape: Shape, first: &frame::Video) -> String {
    let aspect = first.aspect_ratio();
    let aspect = if aspect.numerator() > 0 { aspect } else { Rational(0, 1) };
    let format = ffi::AVPixelFormat::from(shape.format) as i32;
    let mut text = format!(
        "video_size={}x{}:pix_fmt={format}:time_base={}/{}:pixel_aspect={}/{}",
        shape.width,
        shape.height,
        spec.time_base.numerator(),
        spec.time_base.denominator(),
        aspect.numerator(),
        aspect.denominator().max(1),
    );
    if let Some(rate) = spec.frame_rate {
        text += &format!(":frame_rate={}/{}", rate.numerator(), rate.denominator());
    }
    text
}

/// The whole chain: upright, what was asked for, the size that the encoder has, a format that it takes.
fn chain(spec: &FilterSpec, kept: Option<Kept>) -> String {
    let size = kept.map(|(width, height, _)| format!("scale={width}:{height}"));
    let formats = kept.and_then(|(.., format)| format.descriptor()).map_or(spec.formats.as_str(), |known| known.name());
    let format = format!("format=pix_fmts={formats}");
    let parts = spec.turn.clone().into_iter().chain(spec.graph.clone()).chain(size).chain(even(&spec.formats));
    parts.chain([format]).collect::<Vec<_>>().join(",")
}

/// Pictures whose colours are stored at half the size have even sides; the formats of JPEG do without.
fn even(formats: &str) -> Option<String> {
    let first = formats.split('|').next().unwrap_or_default();
    if ["yuv420", "yuva420", "nv12", "nv21", "p01"].iter().any(|halved| first.starts_with(halved)) {
        Some("crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0".into())
    } else if ["yuv422", "nv16", "nv20", "p21"].iter().any(|halved| first.starts_with(halved)) {
        Some("crop=trunc(iw/2)*2:ih:0:0".into())
    } else {
        None
    }
}

fn failed(error: Error, log: &LogLines) -> MediaError {
    MediaError::Encoder { detail: log.last_useful().unwrap_or_else(|| error.to_string()) }
}
