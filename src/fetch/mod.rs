//! URLs and local paths to bytes.
