//! What the subsamplers have to be shown, all together: what the planner makes passes of.

/// Wants of a job's subsamplers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// Streams and format, as the container tells.
    pub headers: bool,
    /// Every packet: the keyframes' times.
    pub packets: bool,
    /// Every frame of the whole video.
    pub all_frames: bool,
    /// The pictures change, and are encoded again.
    pub encode: bool,
    /// Frames become pictures of their own.
    pub images: bool,
    /// The flow between frames is computed.
    pub flow: bool,
    /// The sound changes, and is encoded again.
    pub resample: bool,
    /// How clips are cut.
    pub clips: Option<Cut>,
    /// Samples may be dropped by what was found out about them.
    pub decides: bool,
    /// Clips, if there are any, are cut by what was found out about the whole video.
    pub trims: bool,
}

/// How clips are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Packets are copied: clips begin and end at keyframes.
    Copy,
    /// Whole groups of pictures are copied, the edges encoded: as `Encode`, at less cost. `Encode` where that cannot be.
    Smart,
    /// Frames are encoded again: clips have exactly the frames that were asked for.
    Encode,
}
