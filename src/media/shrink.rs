//! Decoded frames made small.

use ffmpeg_next::format::Pixel;
use ffmpeg_next::software::scaling::{Context as Scaler, Flags};
use ffmpeg_next::{color, ffi, frame};

use super::hw::{self, Download};
use super::{DecodedFrame, MediaError};

/// What small pictures are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmallFormat {
    /// The stream's own luma, stretched to 0 to 255; of RGB, its BT.601 luma.
    Luma,
    /// Three bytes a pixel: red, green, blue, by the matrix that the frame states.
    Rgb,
}

/// A small picture: rows of `stride` bytes, 8 bits a sample.
#[derive(Debug, Clone, Copy)]
pub struct SmallPicture<'a> {
    pub data: &'a [u8],
    /// Pixels.
    pub width: usize,
    pub height: usize,
    pub stride: usize,
}

/// Size and format of the frames that a scaler was made for, and how they code colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    width: u32,
    height: u32,
    format: Pixel,
    space: color::Space,
    is_full: bool,
}

/// Makes frames small: the mean of the area that each pixel stands for (FFmpeg's `area`; bilinear where a picture has to
/// grow). One buffer is used for all frames. The numbers are the same on every processor.
pub struct Shrinker {
    format: SmallFormat,
    width: u32,
    height: u32,
    scaler: Option<(Shape, Scaler)>,
    /// For pictures in a GPU's memory.
    download: Download,
    buffer: frame::Video,
}

impl Shrinker {
    /// `width` and `height`: pixels of the small picture, not turned upright.
    pub fn new(format: SmallFormat, width: u32, height: u32) -> Self {
        let buffer = frame::Video::new(pixel(format), width, height);
        Self { format, width, height, scaler: None, download: Download::default(), buffer }
    }

    /// The frame made small.
    ///
    /// # Errors
    /// [`MediaError::Decoder`]: pictures that FFmpeg cannot scale.
    pub fn shrink(&mut self, frame: &DecodedFrame<'_>) -> Result<SmallPicture<'_>, MediaError> {
        let Self { format, width, height, scaler, download, buffer } = self;
        let picture = if hw::is_on_device(frame.raw()) { download.host(frame.raw())? } else { frame.raw() };
        let shape = Shape {
            width: picture.width(),
            height: picture.height(),
            format: picture.format(),
            space: picture.color_space(),
            is_full: is_full(picture),
        };
        if !scaler.as_ref().is_some_and(|(known, _)| *known == shape) {
            *scaler = Some((shape, scaler_for(shape, *format, (*width, *height)).map_err(failed)?));
        }
        if let Some((_, scaler)) = scaler {
            scaler.run(picture, buffer).map_err(failed)?;
        }
        let (width, height) = (*width as usize, *height as usize);
        Ok(SmallPicture { data: buffer.data(0), width, height, stride: buffer.stride(0) })
    }
}

fn scaler_for(
    shape: Shape,
    small: SmallFormat,
    (small_width, small_height): (u32, u32),
) -> Result<Scaler, ffmpeg_next::Error> {
    let flags = Flags::AREA | Flags::ACCURATE_RND | Flags::BITEXACT | Flags::FULL_CHR_H_INT;
    let Shape { width, height, format, .. } = shape;
    let mut scaler = Scaler::get(format, width, height, pixel(small), small_width, small_height, flags)?;
    let matrix = match shape.space {
        color::Space::BT709 => ffi::SWS_CS_ITU709,
        color::Space::BT2020NCL | color::Space::BT2020CL => ffi::SWS_CS_BT2020,
        _ => ffi::SWS_CS_DEFAULT,
    };
    // The scaler hears nothing of the frame's matrix and range but what is told here. It refuses to be told of formats
    // that have neither, and then there is nothing to tell.
    // SAFETY: the scaler is open, and the tables are static.
    unsafe {
        let table = ffi::sws_getCoefficients(matrix);
        let one = 1 << 16;
        ffi::sws_setColorspaceDetails(scaler.as_mut_ptr(), table, shape.is_full.into(), table, 1, 0, one, one);
    }
    Ok(scaler)
}

fn pixel(format: SmallFormat) -> Pixel {
    match format {
        SmallFormat::Luma => Pixel::GRAY8,
        SmallFormat::Rgb => Pixel::RGB24,
    }
}

fn is_full(picture: &frame::Video) -> bool {
    let is_jpeg = matches!(
        picture.format(),
        Pixel::YUVJ420P | Pixel::YUVJ422P | Pixel::YUVJ444P | Pixel::YUVJ440P | Pixel::YUVJ411P
    );
    is_jpeg || picture.color_range() == color::Range::JPEG
}

fn failed(error: ffmpeg_next::Error) -> MediaError {
    MediaError::Decoder { detail: format!("making pictures smaller: {error}") }
}
