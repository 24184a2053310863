// libnvcuvid.so.1 as a test double, in the same library as the driver's: the part of NVIDIA's decoder interface that FFmpeg
// uses. It decodes nothing: the n-th picture that it is given becomes waves that have moved to the left by 3 n pixels. So
// tests see which pictures came from here, in which order, and whether kernels read them where they lie.
//
// Words of `faults` (see cuda.cpp): nvdec_refuses 1: no codec is known; nvdec_fails_at N: the N-th picture of a process fails.
#include "faults.h"

#include <cmath>
#include <cstdlib>
#include <map>
#include <vector>

typedef int Result;

namespace {
// What comes first in CUVIDDECODECREATEINFO, and in CUVIDPICPARAMS.
struct CreateInfo {
    unsigned long width, height, surfaces;
    int codec, chroma;
};
struct Picture {
    int width_in_blocks, height_in_blocks, index;
};
struct Caps {
    int codec, chroma;
    unsigned depth_minus_8, reserved[3];
    unsigned char is_supported, decoders;
    unsigned short formats;
    unsigned max_width, max_height, max_blocks;
    unsigned short min_width, min_height;
};

struct Decoder {
    size_t width, height, pitch;
    std::map<int, std::vector<unsigned char>> surfaces;
    int pictures = 0;
};

void draw(const Decoder &decoder, int n, std::vector<unsigned char> &out) {
    out.assign(decoder.pitch * (decoder.height + (decoder.height + 1) / 2), 128);
    for (size_t y = 0; y < decoder.height; ++y)
        for (size_t x = 0; x < decoder.width; ++x) {
            double at = x + 3.0 * n;
            out[y * decoder.pitch + x] = 126 + 55 * std::sin(at / 9) + 40 * std::cos(y / 7.0 + at / 23);
        }
}

long given;
} // namespace

extern "C" {
Result cuvidGetDecoderCaps(Caps *caps) {
    caps->is_supported = faults.nvdec_refuses <= 0;
    caps->decoders = 1;
    caps->formats = 1;
    caps->max_width = caps->max_height = 8192;
    caps->max_blocks = 8192 * 8192 / 256;
    caps->min_width = caps->min_height = 16;
    return 0;
}
Result cuvidCreateDecoder(void **decoder, const CreateInfo *info) {
    if (faults.nvdec_refuses > 0) return 801;
    *decoder = new Decoder{info->width, info->height, (info->width + 511) / 512 * 512, {}};
    return 0;
}
Result cuvidDestroyDecoder(void *decoder) {
    delete static_cast<Decoder *>(decoder);
    return 0;
}
Result cuvidDecodePicture(void *decoder, const Picture *picture) {
    if (++given == faults.nvdec_fails_at) return 999;
    Decoder &own = *static_cast<Decoder *>(decoder);
    draw(own, own.pictures++, own.surfaces[picture->index]);
    return 0;
}
Result cuvidMapVideoFrame64(void *decoder, int index, unsigned long long *at, unsigned *pitch, void *) {
    Decoder &own = *static_cast<Decoder *>(decoder);
    // A copy, as on a device: the surface may be drawn anew while this one is looked at.
    const std::vector<unsigned char> &surface = own.surfaces[index];
    unsigned char *copy = static_cast<unsigned char *>(malloc(surface.size()));
    std::copy(surface.begin(), surface.end(), copy);
    *at = reinterpret_cast<unsigned long long>(copy);
    *pitch = own.pitch;
    return 0;
}
Result cuvidUnmapVideoFrame64(void *, unsigned long long at) {
    free(reinterpret_cast<void *>(at));
    return 0;
}

// FFmpeg asks for all of these when it loads the library, and calls none.
#define NOT_HERE(name)                                                                                                 \
    Result name() { return 801; }
NOT_HERE(cuvidGetDecodeStatus)
NOT_HERE(cuvidReconfigureDecoder)
NOT_HERE(cuvidCtxLockCreate)
NOT_HERE(cuvidCtxLockDestroy)
NOT_HERE(cuvidCtxLock)
NOT_HERE(cuvidCtxUnlock)
NOT_HERE(cuvidCreateVideoSource)
NOT_HERE(cuvidCreateVideoSourceW)
NOT_HERE(cuvidDestroyVideoSource)
NOT_HERE(cuvidSetVideoSourceState)
NOT_HERE(cuvidGetVideoSourceState)
NOT_HERE(cuvidGetSourceVideoFormat)
NOT_HERE(cuvidGetSourceAudioFormat)
NOT_HERE(cuvidCreateVideoParser)
NOT_HERE(cuvidParseVideoData)
NOT_HERE(cuvidDestroyVideoParser)
NOT_HERE(cuDeviceComputeCapability)
NOT_HERE(cuCtxCreate_v2)
NOT_HERE(cuCtxSetLimit)
NOT_HERE(cuCtxDestroy_v2)
NOT_HERE(cuMemAllocPitch_v2)
NOT_HERE(cuMemAllocManaged)
NOT_HERE(cuMemcpy)
NOT_HERE(cuMemcpyAsync)
NOT_HERE(cuMemcpyHtoD_v2)
NOT_HERE(cuMemcpyDtoH_v2)
NOT_HERE(cuMemcpyDtoD_v2)
NOT_HERE(cuDevicePrimaryCtxRelease)
NOT_HERE(cuDevicePrimaryCtxSetFlags)
NOT_HERE(cuDevicePrimaryCtxReset)
NOT_HERE(cuStreamCreate)
NOT_HERE(cuStreamQuery)
NOT_HERE(cuStreamDestroy_v2)
NOT_HERE(cuStreamAddCallback)
NOT_HERE(cuEventQuery)
NOT_HERE(cuLinkCreate)
NOT_HERE(cuLinkAddData)
NOT_HERE(cuLinkComplete)
NOT_HERE(cuLinkDestroy)
NOT_HERE(cuModuleGetGlobal)
NOT_HERE(cuTexObjectCreate)
NOT_HERE(cuTexObjectDestroy)
NOT_HERE(cuGLGetDevices_v2)
NOT_HERE(cuGraphicsGLRegisterImage)
NOT_HERE(cuGraphicsUnregisterResource)
NOT_HERE(cuGraphicsMapResources)
NOT_HERE(cuGraphicsUnmapResources)
NOT_HERE(cuGraphicsSubResourceGetMappedArray)
NOT_HERE(cuGraphicsResourceGetMappedPointer_v2)
NOT_HERE(cuArray3DCreate_v2)
NOT_HERE(cuArrayDestroy)
}
