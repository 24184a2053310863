//! A vector as a colour: the coding of Baker et al., "A Database and Evaluation Methodology for Optical Flow" (ICCV 2007),
//! as the Middlebury benchmark draws it. The direction is the hue, the length the saturation; what stands still is white.

use std::f64::consts::PI;

/// Hues on the way from one primary to the next: red, yellow, green, cyan, blue, magenta, and back. The eye tells more
/// hues apart between red and yellow than between magenta and red.
const STEPS: [u32; 6] = [15, 6, 4, 11, 13, 6];
const HUES: usize = 55;

/// What is no number.
pub const UNKNOWN: [u8; 3] = [0; 3];

/// The colours of all directions.
pub struct Wheel {
    hues: [[f64; 3]; HUES],
}

impl Wheel {
    pub fn new() -> Self {
        let mut hues = [[0.0; 3]; HUES];
        let all = STEPS.iter().enumerate().flat_map(|(way, steps)| (0..*steps).map(move |n| hue(way, n, *steps)));
        hues.iter_mut().zip(all).for_each(|(hue, value)| *hue = value);
        Self { hues }
    }

    /// The colour of (dx, dy), y downwards; a vector of length `scale` is as saturated as a colour can be, and longer ones
    /// are darker.
    pub fn colour(&self, [dx, dy]: [f32; 2], scale: f64) -> [u8; 3] {
        let (dx, dy) = (f64::from(dx) / scale, f64::from(dy) / scale);
        let length = dx.hypot(dy);
        if !length.is_finite() {
            return UNKNOWN;
        }
        // Minus zero would be another direction. To the right is the first hue.
        let turn = (0.0 - dy).atan2(0.0 - dx) / PI;
        let turn = if turn == 1.0 { -1.0 } else { turn };
        let place = (turn + 1.0) / 2.0 * (HUES - 1) as f64;
        let hue = |at: usize| self.hues.get(at % HUES).copied().unwrap_or_default();
        let (before, part) = (place as usize, place.fract());
        let mixed = hue(before).into_iter().zip(hue(before + 1)).map(|(a, b)| (1.0 - part) * a + part * b);
        let mut colour = [0; 3];
        for (channel, value) in colour.iter_mut().zip(mixed) {
            let value = if length <= 1.0 { 1.0 - length * (1.0 - value) } else { value * 0.75 };
            *channel = (255.0 * value) as u8;
        }
        colour
    }
}

/// Hue `n` of so many on one of the six ways: a channel grows, or another one falls.
fn hue(way: usize, n: u32, steps: u32) -> [f64; 3] {
    let grown = (255 * n / steps) as f64 / 255.0;
    match way {
        0 => [1.0, grown, 0.0],
        1 => [1.0 - grown, 1.0, 0.0],
        2 => [0.0, 1.0, grown],
        3 => [0.0, 1.0 - grown, 1.0],
        4 => [grown, 0.0, 1.0],
        _ => [1.0, 0.0, 1.0 - grown],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_have_their_colours() {
        let wheel = Wheel::new();
        let of = |dx: f32, dy: f32| wheel.colour([dx, dy], 2.0);
        assert_eq!((of(2.0, 0.0), of(2.0, -0.0)), ([255, 0, 0], [255, 0, 0]), "right is red");
        assert_eq!((of(0.0, 0.0), of(-0.0, -0.0)), ([255; 3], [255; 3]), "nothing is white");
        let [red, green, blue] = of(0.0, 2.0);
        assert!(red > 200 && green > 200 && blue == 0, "down is yellow");
        let [red, green, blue] = of(-2.0, 0.0);
        assert!(red == 0 && green > 150 && blue == 255, "left is a greenish blue: {red} {green} {blue}");
        let [red, green, blue] = of(0.0, -2.0);
        assert!(red > 80 && green == 0 && blue == 255, "up is violet: {red} {green} {blue}");
        assert_eq!(of(1.0, 0.0), [255, 127, 127], "half as far, half as red");
        assert_eq!(of(4.0, 0.0), [191, 0, 0], "too far is dark");
        for bad in [f32::NAN, f32::INFINITY] {
            assert_eq!((of(bad, 0.0), of(0.0, bad)), (UNKNOWN, UNKNOWN));
        }
    }

    /// By the published formulas, worked out with Python.
    #[test]
    fn directions_between_are_mixed() {
        let wheel = Wheel::new();
        let got: Vec<_> =
            [[1.0, 1.0], [-1.0, 1.0], [-0.5, -0.25], [0.125, -1.0]].map(|vector| wheel.colour(vector, 1.5)).to_vec();
        assert_eq!(got, [[255, 122, 14], [44, 255, 14], [159, 203, 255], [156, 83, 255]]);
    }
}
