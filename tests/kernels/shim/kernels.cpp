// All kernels, compiled for the host.
#include "launch.h"
#define CLIPMILL_HOST_KERNELS
#include "device.h"
#include <utility>

namespace colour {
#include "colour.cu"
#undef THREADS
}
namespace resize {
#include "resize.cu"
#undef THREADS
}
namespace pyramid {
#include "pyramid.cu"
#undef THREADS
}
namespace expansion {
#include "expansion.cu"
#undef THREADS
}
namespace equations {
#include "equations.cu"
#undef THREADS
}
namespace window {
#include "window.cu"
#undef THREADS
}
namespace motion {
#include "motion.cu"
#undef THREADS
}

namespace shim {
namespace {
template <class... A, size_t... I> void call(void (*kernel)(A...), void **args, std::index_sequence<I...>) {
    kernel(*static_cast<A *>(args[I])...);
}
template <class... A> void call(void (*kernel)(A...), void **args) {
    call(kernel, args, std::index_sequence_for<A...>{});
}

#define KERNEL(space, name) {#name, [](void **args) { call(space::name, args); }}
const Kernel KERNELS[] = {
    KERNEL(colour, nv12_luma),
    KERNEL(colour, p010_luma),
    KERNEL(colour, nv12_rgb),
    KERNEL(colour, p010_rgb),
    KERNEL(colour, upright),
    KERNEL(resize, resize_table),
    KERNEL(resize, resize_columns),
    KERNEL(resize, resize_rows),
    KERNEL(pyramid, pyramid_level),
    KERNEL(pyramid, flow_enlarge),
    KERNEL(pyramid, flow_start),
    KERNEL(expansion, expand_5),
    KERNEL(expansion, expand_7),
    KERNEL(equations, flow_equations),
    KERNEL(window, box_columns),
    KERNEL(window, box_solve),
    KERNEL(window, gauss_columns),
    KERNEL(window, gauss_solve),
    KERNEL(motion, flow_motion),
    KERNEL(motion, flow_motion_sum),
};
} // namespace

const Kernel *find(const char *name) {
    for (const Kernel &kernel : KERNELS)
        if (!std::strcmp(kernel.name, name)) return &kernel;
    return nullptr;
}
} // namespace shim
