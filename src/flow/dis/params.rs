use crate::flow::FlowError;

/// The largest patch, pixels.
pub const MAX_PATCH: usize = 32;

/// The parameters of OpenCV's `DISOpticalFlow`, under its names and with its meaning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DisParams {
    /// The finest level of the pyramid that is worked on, 0 to 16: 0 has the frame's size, 1 half of it, and so on. From there
    /// the flow is enlarged.
    pub finest_scale: u32,
    /// Side of the patches that are searched for, pixels; 4 to 32.
    pub patch_size: u32,
    /// Distance between patches, pixels; 1 to `patch_size`.
    pub patch_stride: u32,
    /// Steps of a patch's search on a level, at most; 1 to 1000. A search that has arrived ends before.
    pub gradient_descent_iterations: u32,
    /// Whether patches are compared without their mean, so that a change of light does not count.
    pub use_mean_normalization: bool,
    /// Whether a patch also tries where its neighbours went.
    pub use_spatial_propagation: bool,
    /// Rounds of the refinement on each level; 0 to 100. 0: none.
    pub variational_refinement_iterations: u32,
    /// How much the refinement wants a smooth flow; 0 to 10000.
    pub variational_refinement_alpha: f64,
    /// How much it wants equal luma; 0 to 10000.
    pub variational_refinement_delta: f64,
    /// How much it wants equal gradients of luma; 0 to 10000.
    pub variational_refinement_gamma: f64,
    /// Where its penalties turn from square to linear; 0.0001 to 1.
    pub variational_refinement_epsilon: f64,
}

/// OpenCV's presets, from fast to accurate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    UltraFast,
    Fast,
    Medium,
}

impl Preset {
    pub const ALL: [Self; 3] = [Self::UltraFast, Self::Fast, Self::Medium];

    pub fn name(self) -> &'static str {
        match self {
            Self::UltraFast => "ultrafast",
            Self::Fast => "fast",
            Self::Medium => "medium",
        }
    }

    /// The preset of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    pub fn params(self) -> DisParams {
        let (finest, stride, steps, rounds) = match self {
            Self::UltraFast => (2, 4, 12, 0),
            Self::Fast => (2, 4, 16, 5),
            Self::Medium => (1, 3, 25, 5),
        };
        DisParams {
            finest_scale: finest,
            patch_size: 8,
            patch_stride: stride,
            gradient_descent_iterations: steps,
            use_mean_normalization: true,
            use_spatial_propagation: true,
            variational_refinement_iterations: rounds,
            variational_refinement_alpha: 20.0,
            variational_refinement_delta: 5.0,
            variational_refinement_gamma: 10.0,
            variational_refinement_epsilon: 0.01,
        }
    }
}

impl Default for DisParams {
    /// [`Preset::Fast`], as OpenCV's own default.
    fn default() -> Self {
        Preset::Fast.params()
    }
}

impl DisParams {
    /// # Errors
    /// [`FlowError::Parameter`] for the first parameter that is out of range.
    pub fn check(&self) -> Result<(), FlowError> {
        let need = |fine: bool, name, range| if fine { Ok(()) } else { Err(FlowError::Parameter { name, range }) };
        let weight = |value: f64, name| need((0.0..=10_000.0).contains(&value), name, "0 to 10000");
        need(self.finest_scale <= 16, "finest_scale", "0 to 16")?;
        need((4..=MAX_PATCH as u32).contains(&self.patch_size), "patch_size", "4 to 32")?;
        need((1..=self.patch_size).contains(&self.patch_stride), "patch_stride", "1 to patch_size")?;
        need((1..=1000).contains(&self.gradient_descent_iterations), "gradient_descent_iterations", "1 to 1000")?;
        need(self.variational_refinement_iterations <= 100, "variational_refinement_iterations", "0 to 100")?;
        weight(self.variational_refinement_alpha, "variational_refinement_alpha")?;
        weight(self.variational_refinement_delta, "variational_refinement_delta")?;
        weight(self.variational_refinement_gamma, "variational_refinement_gamma")?;
        let epsilon = (0.0001..=1.0).contains(&self.variational_refinement_epsilon);
        need(epsilon, "variational_refinement_epsilon", "0.0001 to 1")
    }
}
