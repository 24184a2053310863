use super::FlowError;

/// The largest side of a frame: coordinates stay exact in `f32`, and indices far from overflow.
pub const MAX_SIDE: usize = 1 << 15;

/// A plane of 8-bit luma.
#[derive(Debug, Clone, Copy)]
pub struct Luma<'a> {
    data: &'a [u8],
    width: usize,
    height: usize,
    stride: usize,
}

impl<'a> Luma<'a> {
    /// `stride` is the distance between the starts of two rows, in bytes; the last row needs `width` bytes only.
    ///
    /// # Errors
    /// [`FlowError::Size`] when a side is 0 or above 32768, [`FlowError::Plane`] when `data` is too short or `stride` less
    /// than `width`.
    pub fn new(data: &'a [u8], width: usize, height: usize, stride: usize) -> Result<Self, FlowError> {
        if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
            return Err(FlowError::Size);
        }
        let needed = stride.checked_mul(height - 1).and_then(|rows| rows.checked_add(width));
        match needed {
            Some(needed) if stride >= width && data.len() >= needed => Ok(Self { data, width, height, stride }),
            _ => Err(FlowError::Plane),
        }
    }

    pub fn width(&self) -> usize {
        self.width
    }

    pub fn height(&self) -> usize {
        self.height
    }

    /// Row `y`, which must be one of the plane's.
    pub(crate) fn row(&self, y: usize) -> &'a [u8] {
        &self.data[y * self.stride..][..self.width]
    }
}
