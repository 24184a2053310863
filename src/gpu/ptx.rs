//! The kernels as PTX.
pub const MODULES: [(&str, &str); 0] = [];
