//! What happens to the pictures and the sound of a clip, as the subsamplers ask for it together.

use super::FlowPlan;

/// The picture that comes in, upright: after the rotation that the container asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    /// Pixels.
    pub width: u32,
    pub height: u32,
}

/// Everything that is done to a clip in its one pass. Empty: packets are copied as they are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Edit {
    /// Frames a second, constant.
    pub fps: Option<f64>,
    /// A chain of FFmpeg filters for the pixels, behind the change of frame rate.
    pub picture: Option<String>,
    /// Frames that become members of their own.
    pub images: Option<Images>,
    /// The flow between frames, as it comes in: nothing else of the edit changes it.
    pub flow: Option<FlowPlan>,
    /// Hz.
    pub sample_rate: Option<u32>,
    pub channels: Option<u32>,
}

/// Which frames become pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Images {
    First,
    Keyframes,
}

impl Edit {
    /// Whether the pictures of the clip have to be encoded again.
    pub fn changes_pictures(&self) -> bool {
        self.fps.is_some() || self.picture.is_some()
    }

    /// Whether the sound has to be encoded again.
    pub fn changes_sound(&self) -> bool {
        self.sample_rate.is_some() || self.channels.is_some()
    }

    /// The whole chain of filters.
    pub fn graph(&self) -> Option<String> {
        let fps = self.fps.map(|fps| format!("fps={fps}"));
        let parts: Vec<String> = fps.into_iter().chain(self.picture.clone()).collect();
        (!parts.is_empty()).then(|| parts.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_dropped_before_they_are_scaled() {
        let edit = Edit { fps: Some(5.0), picture: Some("scale=398:224".into()), ..Edit::default() };
        assert_eq!(edit.graph().as_deref(), Some("fps=5,scale=398:224"));
        assert_eq!(Edit::default().graph(), None);
    }
}
