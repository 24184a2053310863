use super::FlowError;

/// The parameters of OpenCV's `calcOpticalFlowFarneback`, under its names and with its meaning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FarnebackParams {
    /// Size of a pyramid's level relative to the one below; above 0, below 1.
    pub pyr_scale: f64,
    /// Levels above the full-size one, at most; levels with a side under 32 pixels are left out.
    pub levels: u32,
    /// Side of the averaging window, pixels; 2 to 255. As in OpenCV, an even window is taken as the next larger odd one.
    pub winsize: u32,
    /// Passes per level; 1 to 100.
    pub iterations: u32,
    /// Radius of the neighbourhood that a polynomial stands for, pixels: 5 or 7.
    pub poly_n: u32,
    /// Standard deviation of the neighbourhood's Gaussian weight, pixels; 0: 0.3 × `poly_n`.
    pub poly_sigma: f64,
    /// A Gaussian window instead of a box: more accurate, slower (`OPTFLOW_FARNEBACK_GAUSSIAN`).
    pub gaussian: bool,
}

impl Default for FarnebackParams {
    /// What OpenCV's tutorial uses, and most of its users.
    fn default() -> Self {
        let (pyr_scale, levels, winsize, iterations) = (0.5, 3, 15, 3);
        Self { pyr_scale, levels, winsize, iterations, poly_n: 5, poly_sigma: 1.2, gaussian: false }
    }
}

impl FarnebackParams {
    /// # Errors
    /// [`FlowError::Parameter`] for the first parameter that is out of range.
    pub fn check(&self) -> Result<(), FlowError> {
        let need = |fine: bool, name, range| if fine { Ok(()) } else { Err(FlowError::Parameter { name, range }) };
        need(self.pyr_scale > 0.0 && self.pyr_scale < 1.0, "pyr_scale", "above 0 and below 1")?;
        need(self.levels <= 32, "levels", "0 to 32")?;
        need((2..=255).contains(&self.winsize), "winsize", "2 to 255")?;
        need((1..=100).contains(&self.iterations), "iterations", "1 to 100")?;
        need(matches!(self.poly_n, 5 | 7), "poly_n", "5 or 7")?;
        need(self.poly_sigma == 0.0 || (0.3..=10.0).contains(&self.poly_sigma), "poly_sigma", "0, or 0.3 to 10")
    }
}
