//! What `clipmill doctor` says of GPUs. The GPU is a CPU test double.
