//! On a real GPU.
