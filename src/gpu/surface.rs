//! The luma of a picture in the device's memory.

use std::marker::PhantomData;

/// A decoder's picture: rows of 8-bit luma, or of 16-bit luma whose upper bits count.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "gpu"), expect(dead_code, reason = "kernels read it"))]
pub struct Surface<'a> {
    pub(super) address: u64,
    /// Bytes from one row to the next.
    pub(super) stride: usize,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) is_deep: bool,
    pub(super) full_range: bool,
    picture: PhantomData<&'a ()>,
}

impl<'a> Surface<'a> {
    /// `is_deep`: two bytes a pixel (P010); `full_range`: luma from 0 to 255.
    ///
    /// # Safety
    /// For `'a`, `address` is that of `height` rows of `stride` bytes in the memory of this process's device, and what was
    /// started on its default stream before writes them.
    pub unsafe fn new(
        address: u64,
        stride: usize,
        (width, height): (usize, usize),
        is_deep: bool,
        full_range: bool,
    ) -> Self {
        Self { address, stride, width, height, is_deep, full_range, picture: PhantomData }
    }

    /// Pixels.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }
}
