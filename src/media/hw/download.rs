//! Pictures of the device in the host's memory, in the format that the software decoder would have made.

use ffmpeg_next::format::Pixel;
use ffmpeg_next::{Error, ffi, frame};

use crate::media::MediaError;

/// Buffers that are used for all frames of a video.
#[derive(Default)]
pub struct Download {
    /// As the device has it: luma, and the chroma of both kinds in turn.
    stored: Option<frame::Video>,
    planar: Option<frame::Video>,
}

impl Download {
    /// The picture, downloaded. NVDEC decodes to the bit, so all that is made of it is as if software had decoded it.
    pub fn host(&mut self, picture: &frame::Video) -> Result<&frame::Video, MediaError> {
        let stored = self.stored.insert(frame::Video::empty());
        // SAFETY: both frames are alive; an empty one is allocated in the format that the device has.
        let code = unsafe { ffi::av_hwframe_transfer_data(stored.as_mut_ptr(), picture.as_ptr(), 0) };
        if code < 0 {
            return Err(failed(Error::from(code)));
        }
        let planar = match stored.format() {
            Pixel::NV12 => Pixel::YUV420P,
            Pixel::P010LE => Pixel::YUV420P10LE,
            // 4:4:4 comes as planes.
            _ => return self.with_properties(picture, false),
        };
        let size = (stored.width(), stored.height());
        if self.planar.as_ref().is_none_or(|own| (own.format(), own.width(), own.height()) != (planar, size.0, size.1))
        {
            self.planar = Some(frame::Video::new(planar, size.0, size.1));
        }
        if let (Some(stored), Some(out)) = (&self.stored, &mut self.planar) {
            // SAFETY: others may hold the last picture; then this makes a copy to write to.
            let code = unsafe { ffi::av_frame_make_writable(out.as_mut_ptr()) };
            if code < 0 {
                return Err(failed(Error::from(code)));
            }
            if planar == Pixel::YUV420P { part(stored, out) } else { part_deep(stored, out) }
        }
        self.with_properties(picture, true)
    }

    /// Times, colours and what else belongs to the picture.
    fn with_properties(&mut self, picture: &frame::Video, is_planar: bool) -> Result<&frame::Video, MediaError> {
        let made = if is_planar { &mut self.planar } else { &mut self.stored };
        let Some(made) = made else { return Err(failed(Error::Bug)) };
        // SAFETY: both frames are alive.
        let code = unsafe { ffi::av_frame_copy_props(made.as_mut_ptr(), picture.as_ptr()) };
        if code < 0 { Err(failed(Error::from(code))) } else { Ok(made) }
    }
}

/// Rows of a plane, each of `len` bytes.
fn rows(picture: &frame::Video, plane: usize, len: usize) -> impl Iterator<Item = &[u8]> {
    picture.data(plane).chunks(picture.stride(plane).max(1)).filter_map(move |row| row.get(..len))
}

/// NV12 to three planes.
fn part(stored: &frame::Video, out: &mut frame::Video) {
    let (width, height) = (stored.width() as usize, stored.height() as usize);
    let half = (width.div_ceil(2), height.div_ceil(2));
    write(out, 0, height, rows(stored, 0, width), |row, out| {
        out.iter_mut().zip(row).for_each(|(out, value)| *out = *value);
    });
    for plane in [1, 2] {
        write(out, plane, half.1, rows(stored, 1, 2 * half.0), |row, out| {
            out.iter_mut().zip(row.iter().skip(plane - 1).step_by(2)).for_each(|(out, value)| *out = *value);
        });
    }
}

/// P010, whose ten bits are the upper ones, to three planes, where they are the lower ones.
fn part_deep(stored: &frame::Video, out: &mut frame::Video) {
    let (width, height) = (stored.width() as usize, stored.height() as usize);
    let half = (width.div_ceil(2), height.div_ceil(2));
    let lower = |value: &[u8; 2]| (u16::from_le_bytes(*value) >> 6).to_le_bytes();
    write(out, 0, height, rows(stored, 0, 2 * width), |row, out| {
        let values = out.as_chunks_mut::<2>().0.iter_mut().zip(row.as_chunks::<2>().0);
        values.for_each(|(out, value)| *out = lower(value));
    });
    for plane in [1, 2] {
        write(out, plane, half.1, rows(stored, 1, 4 * half.0), |row, out| {
            let values = row.as_chunks::<2>().0.iter().skip(plane - 1).step_by(2);
            out.as_chunks_mut::<2>().0.iter_mut().zip(values).for_each(|(out, value)| *out = lower(value));
        });
    }
}

/// Writes each row of a plane.
fn write<'a>(
    out: &mut frame::Video,
    plane: usize,
    height: usize,
    rows: impl Iterator<Item = &'a [u8]>,
    each: impl Fn(&[u8], &mut [u8]),
) {
    let stride = out.stride(plane).max(1);
    out.data_mut(plane).chunks_mut(stride).zip(rows).take(height).for_each(|(out, row)| each(row, out));
}

fn failed(error: Error) -> MediaError {
    MediaError::Decoder { detail: format!("a picture cannot be read from the GPU: {error}") }
}

#[cfg(test)]
mod tests {
    use ffmpeg_next::software::scaling::{Context as Scaler, Flags};

    use super::*;

    fn picture(format: Pixel, width: u32, height: u32) -> frame::Video {
        let mut picture = frame::Video::new(format, width, height);
        for plane in 0..picture.planes() {
            let mut state = 7 + plane as u32;
            for byte in picture.data_mut(plane) {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *byte = (state >> 24) as u8;
            }
        }
        picture
    }

    /// Against FFmpeg's own conversion, which is exact the other way.
    #[test]
    fn planes_are_parted_to_the_bit() {
        for (planar, stored, deep) in [(Pixel::YUV420P, Pixel::NV12, false), (Pixel::YUV420P10LE, Pixel::P010LE, true)]
        {
            for (width, height) in [(64, 48), (38, 22), (6, 2)] {
                let mut whole = picture(planar, width, height);
                if deep {
                    for plane in 0..3 {
                        whole.data_mut(plane).as_chunks_mut::<2>().0.iter_mut().for_each(|value| value[1] &= 3);
                    }
                }
                let mut scaler =
                    Scaler::get(planar, width, height, stored, width, height, Flags::ACCURATE_RND).unwrap();
                let mut between = frame::Video::empty();
                scaler.run(&whole, &mut between).unwrap();
                let mut out = frame::Video::new(planar, width, height);
                if deep {
                    part_deep(&between, &mut out)
                } else {
                    part(&between, &mut out)
                }
                for plane in 0..3 {
                    let shift = u32::from(plane > 0);
                    let len = (width.div_ceil(1 << shift) as usize) << usize::from(deep);
                    let lines = height.div_ceil(1 << shift) as usize;
                    let lines_of =
                        |picture| rows(picture, plane, len).take(lines).map(<[u8]>::to_vec).collect::<Vec<_>>();
                    assert!(lines_of(&whole) == lines_of(&out), "{stored:?} {width}x{height} plane {plane}");
                }
            }
        }
    }
}
