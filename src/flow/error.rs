use thiserror::Error;

/// Why no flow can be computed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FlowError {
    #[error("optical flow: {name} is out of range: {range}")]
    Parameter { name: &'static str, range: &'static str },
    #[error("optical flow: a frame must have at least one pixel and at most {} on a side", super::luma::MAX_SIDE)]
    Size,
    #[error("optical flow: the frame's bytes do not match its width, height and stride")]
    Plane,
    #[error("optical flow: a frame differs in size from those before; start anew with its size")]
    OtherSize,
    #[error("optical flow: the buffer for the flow, or the initial flow, must hold two numbers per pixel")]
    Buffer,
}
