//! The kernels as PTX, made of `kernels/*.cu` by `make ptx` and checked in: building needs no compiler for GPUs, and the
//! program is the same wherever it is built. `kernels/README.md` has the kernels' arguments.

/// Modules by name. Each is complete by itself.
pub const MODULES: [(&str, &str); 7] = [
    ("colour", include_str!("../../kernels/ptx/colour.ptx")),
    ("resize", include_str!("../../kernels/ptx/resize.ptx")),
    ("pyramid", include_str!("../../kernels/ptx/pyramid.ptx")),
    ("expansion", include_str!("../../kernels/ptx/expansion.ptx")),
    ("equations", include_str!("../../kernels/ptx/equations.ptx")),
    ("window", include_str!("../../kernels/ptx/window.ptx")),
    ("motion", include_str!("../../kernels/ptx/motion.ptx")),
];
