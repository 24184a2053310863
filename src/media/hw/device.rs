//! FFmpeg's side of this worker's GPU.

use std::ptr;
use std::sync::Arc;

use ffmpeg_next::{Error, ffi};

use crate::gpu::Device;
use crate::media::MediaError;

/// A device of FFmpeg's in the context that the kernels use, too: what a decoder draws they read in place.
#[derive(Debug)]
pub struct HwDevice {
    buffer: *mut ffi::AVBufferRef,
    /// Owns the context.
    _device: Arc<Device>,
}

impl HwDevice {
    /// Loads the decoders' library as well, for in the sandbox it may be out of reach.
    ///
    /// # Errors
    /// [`MediaError::Decoder`]: FFmpeg was built without CUDA, or the driver's libraries lack what it needs.
    pub fn open(device: &Arc<Device>) -> Result<Self, MediaError> {
        let fail = |detail: String| MediaError::Decoder { detail };
        // SAFETY: loads a library of the driver's, which is never unloaded; FFmpeg finds it by the same name.
        if unsafe { libc::dlopen(c"libnvcuvid.so.1".as_ptr(), libc::RTLD_NOW) }.is_null() {
            return Err(fail("the driver's decoder library (libnvcuvid.so.1) cannot be loaded".into()));
        }
        // SAFETY: the allocation is looked at; fields are set before it is initialised, as FFmpeg's documentation has it,
        // and the context outlives the device.
        unsafe {
            let mut buffer = ffi::av_hwdevice_ctx_alloc(ffi::AVHWDeviceType::AV_HWDEVICE_TYPE_CUDA);
            if buffer.is_null() {
                return Err(fail("this build of FFmpeg has no CUDA".into()));
            }
            let context = (*buffer).data.cast::<ffi::AVHWDeviceContext>();
            let cuda = (*context).hwctx.cast::<ffi::AVCUDADeviceContext>();
            (*cuda).cuda_ctx = device.raw_context().cast();
            (*cuda).stream = ptr::null_mut();
            let code = ffi::av_hwdevice_ctx_init(buffer);
            if code < 0 {
                ffi::av_buffer_unref(&raw mut buffer);
                return Err(fail(Error::from(code).to_string()));
            }
            Ok(Self { buffer, _device: Arc::clone(device) })
        }
    }

    /// A reference of its own, for a decoder; null where memory is out.
    pub(in crate::media) fn reference(&self) -> *mut ffi::AVBufferRef {
        // SAFETY: the buffer lives as long as this.
        unsafe { ffi::av_buffer_ref(self.buffer) }
    }
}

impl Drop for HwDevice {
    fn drop(&mut self) {
        // SAFETY: this reference is its own.
        unsafe { ffi::av_buffer_unref(&raw mut self.buffer) };
    }
}
