//! Decoded frames as planar YUV.

use ffmpeg_next::format::Pixel;
use ffmpeg_next::software::scaling::{Context as Scaler, Flags};
use ffmpeg_next::{color, ffi, frame};

use super::{Matrix, MediaError, YuvFrame};

/// The shape of a planar picture that is lent as it is.
#[derive(Clone, Copy)]
struct Layout {
    chroma_shift: (u32, u32),
    depth: u32,
}

fn layout(format: Pixel) -> Option<Layout> {
    let (chroma_shift, depth) = match format {
        Pixel::YUV420P | Pixel::YUVJ420P => ((1, 1), 8),
        Pixel::YUV422P | Pixel::YUVJ422P => ((1, 0), 8),
        Pixel::YUV444P | Pixel::YUVJ444P => ((0, 0), 8),
        Pixel::YUV420P10LE => ((1, 1), 10),
        Pixel::YUV422P10LE => ((1, 0), 10),
        Pixel::YUV444P10LE => ((0, 0), 10),
        _ => return None,
    };
    Some(Layout { chroma_shift, depth })
}

/// The planar format that keeps most of another one: its depth, and its chroma where that is halved or whole.
fn nearest(format: Pixel) -> Pixel {
    let Some(descriptor) = format.descriptor() else { return Pixel::YUV420P };
    // SAFETY: descriptors are static tables of FFmpeg.
    let (is_rgb, depth) = unsafe {
        let raw = &*descriptor.as_ptr();
        (raw.flags & ffi::AV_PIX_FMT_FLAG_RGB as u64 != 0, raw.comp[0].depth)
    };
    let is_deep = depth > 8;
    match (is_rgb, descriptor.log2_chroma_w(), descriptor.log2_chroma_h()) {
        (true, _, _) if is_deep => Pixel::YUV444P10LE,
        (true, _, _) => Pixel::YUV444P,
        // Grey has no chroma at all; 4:2:0 is the cheapest way to say so.
        (false, 0, 0) if descriptor.nb_components() >= 3 => {
            if is_deep {
                Pixel::YUV444P10LE
            } else {
                Pixel::YUV444P
            }
        }
        (false, 1, 0) => {
            if is_deep {
                Pixel::YUV422P10LE
            } else {
                Pixel::YUV422P
            }
        }
        _ if is_deep => Pixel::YUV420P10LE,
        _ => Pixel::YUV420P,
    }
}

/// Lends planar pictures, and converts the others into a buffer of its own.
#[derive(Default)]
pub(super) struct Converter {
    scaler: Option<Scaler>,
    buffer: Option<frame::Video>,
}

impl Converter {
    pub(super) fn view<'a>(&'a mut self, picture: &'a frame::Video, seconds: f64) -> Result<YuvFrame<'a>, MediaError> {
        let (matrix, full_range) = colours(picture);
        if let Some(layout) = layout(picture.format())
            && let Some(planes) = planes(picture, layout)
        {
            return Ok(yuv(picture, layout, planes, matrix, full_range, seconds));
        }
        let is_rgb = picture.format().descriptor().is_some_and(|descriptor| {
            // SAFETY: descriptors are static tables of FFmpeg.
            unsafe { (*descriptor.as_ptr()).flags & ffi::AV_PIX_FMT_FLAG_RGB as u64 != 0 }
        });
        let converted = self.convert(picture)?;
        let unusable = || MediaError::Decoder { detail: format!("no use for {:?} pictures", picture.format()) };
        let layout = layout(converted.format()).ok_or_else(unusable)?;
        let planes = planes(converted, layout).ok_or_else(unusable)?;
        // The scaler turns RGB into BT.601 of limited range, and leaves YUV as it was.
        let (matrix, full_range) = if is_rgb { (Matrix::Bt601, false) } else { (matrix, full_range) };
        Ok(yuv(converted, layout, planes, matrix, full_range, seconds))
    }

    fn convert(&mut self, picture: &frame::Video) -> Result<&frame::Video, MediaError> {
        let (format, width, height) = (picture.format(), picture.width(), picture.height());
        let target = nearest(format);
        let fail = |error: ffmpeg_next::Error| MediaError::Decoder { detail: format!("converting pictures: {error}") };
        let fits = |scaler: &Scaler| {
            let from = scaler.input();
            (from.format, from.width, from.height) == (format, width, height)
        };
        if !self.scaler.as_ref().is_some_and(fits) {
            let flags = Flags::BICUBIC | Flags::ACCURATE_RND | Flags::FULL_CHR_H_INT;
            self.scaler = Some(Scaler::get(format, width, height, target, width, height, flags).map_err(fail)?);
            self.buffer = None;
        }
        let buffer = self.buffer.get_or_insert_with(|| frame::Video::new(target, width, height));
        match &mut self.scaler {
            Some(scaler) => scaler.run(picture, buffer).map_err(fail)?,
            None => return Err(fail(ffmpeg_next::Error::Bug)),
        }
        Ok(buffer)
    }
}

fn yuv<'a>(
    picture: &frame::Video,
    layout: Layout,
    (planes, strides): ([&'a [u8]; 3], [usize; 3]),
    matrix: Matrix,
    full_range: bool,
    seconds: f64,
) -> YuvFrame<'a> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let Layout { chroma_shift, depth } = layout;
    YuvFrame { width, height, planes, strides, chroma_shift, depth, full_range, matrix, seconds }
}

/// The three planes and their strides; `None` where rows are stored bottom up (a negative stride), or are shorter than
/// the picture is wide.
fn planes(picture: &frame::Video, layout: Layout) -> Option<([&[u8]; 3], [usize; 3])> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let bytes = if layout.depth > 8 { 2 } else { 1 };
    let mut planes: [&[u8]; 3] = [&[]; 3];
    let mut strides = [0; 3];
    for (index, (plane, stride)) in planes.iter_mut().zip(&mut strides).enumerate() {
        let (across, down) = if index == 0 { (0, 0) } else { layout.chroma_shift };
        let row = width.div_ceil(1 << across) * bytes;
        let rows = height.div_ceil(1 << down);
        // SAFETY: the frame is alive, and FFmpeg guarantees `rows` rows of `linesize` bytes each behind `data`, the last
        // one at least as long as the row: no byte after that is made part of the slice.
        unsafe {
            let raw = picture.as_ptr();
            let data = *(*raw).data.get(index)?;
            *stride = usize::try_from(*(*raw).linesize.get(index)?).ok()?;
            if data.is_null() || *stride < row || rows == 0 {
                return None;
            }
            *plane = std::slice::from_raw_parts(data, *stride * (rows - 1) + row);
        }
    }
    Some((planes, strides))
}

/// The matrix and range that the frame states; where it states none, players take BT.709 for HD and BT.601 below.
fn colours(picture: &frame::Video) -> (Matrix, bool) {
    let matrix = match picture.color_space() {
        color::Space::BT709 => Matrix::Bt709,
        color::Space::BT2020NCL | color::Space::BT2020CL => Matrix::Bt2020,
        color::Space::BT470BG | color::Space::SMPTE170M | color::Space::FCC => Matrix::Bt601,
        _ if picture.height() >= 720 => Matrix::Bt709,
        _ => Matrix::Bt601,
    };
    let is_jpeg = matches!(picture.format(), Pixel::YUVJ420P | Pixel::YUVJ422P | Pixel::YUVJ444P);
    (matrix, is_jpeg || picture.color_range() == color::Range::JPEG)
}
