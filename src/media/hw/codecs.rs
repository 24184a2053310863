//! What FFmpeg, as it was built, has decoders on NVIDIA's GPUs for.

use ffmpeg_next::codec::Id;
use ffmpeg_next::{Codec, decoder, ffi};

/// Codecs that some GPU decodes.
const CODECS: [Id; 10] =
    [Id::H264, Id::HEVC, Id::AV1, Id::VP8, Id::VP9, Id::MPEG1VIDEO, Id::MPEG2VIDEO, Id::MPEG4, Id::VC1, Id::MJPEG];

/// The codecs that this build of FFmpeg can have decoded by NVDEC.
pub fn codecs() -> Vec<String> {
    let offered = |id: &Id| decoder::find(*id).is_some_and(|codec| is_offered(&codec));
    CODECS.into_iter().filter(offered).map(|id| id.name().to_owned()).collect()
}

/// Whether the decoder has a way through CUDA.
pub fn is_offered(codec: &Codec) -> bool {
    // SAFETY: the codec is one of FFmpeg's static tables; its configurations are, too, and end with a null pointer.
    let offers = |index| unsafe {
        let config = ffi::avcodec_get_hw_config(codec.as_ptr(), index);
        (!config.is_null()).then(|| {
            let by_context = ffi::AV_CODEC_HW_CONFIG_METHOD_HW_DEVICE_CTX as i32;
            (*config).device_type == ffi::AVHWDeviceType::AV_HWDEVICE_TYPE_CUDA && (*config).methods & by_context != 0
        })
    };
    (0..).map_while(offers).any(|is_cuda| is_cuda)
}
