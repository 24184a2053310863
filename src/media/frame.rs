//! A decoded picture as the detectors see it.

/// The matrix that turns YUV into RGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matrix {
    Bt601,
    Bt709,
    Bt2020,
}

/// A planar YUV picture, borrowed from the decoder.
#[derive(Debug, Clone, Copy)]
pub struct YuvFrame<'a> {
    /// Luma samples.
    pub width: usize,
    pub height: usize,
    /// Y, U, V. Rows of `stride` bytes; samples of more than 8 bits are two bytes, little-endian.
    pub planes: [&'a [u8]; 3],
    /// Bytes from one row to the next.
    pub strides: [usize; 3],
    /// log2 of how many luma samples share a chroma sample, across and down: (1, 1) is 4:2:0.
    pub chroma_shift: (u32, u32),
    /// Bits per sample: 8 or 10.
    pub depth: u32,
    /// Luma 0 to 255 rather than 16 to 235.
    pub full_range: bool,
    pub matrix: Matrix,
    /// Presentation time, seconds from the container's start (its earliest stream), as the ffmpeg program counts.
    pub seconds: f64,
}
