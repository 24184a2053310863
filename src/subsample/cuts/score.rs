//! How much a frame differs from the one before: PySceneDetect's `content_val`.

use super::hsv::hsv;
use super::pixels::Turn;
use super::sampler::Sampler;
use crate::media::YuvFrame;

/// Mean of the mean absolute differences of hue, saturation and value to the last frame. Hue is not taken as a circle.
#[derive(Debug)]
pub struct ContentScore {
    factor: Factor,
    turn: Turn,
    sampler: Option<Sampler>,
    planes: [Vec<u8>; 2],
    has_last: bool,
}

/// By how much pictures are shrunk before they are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factor {
    /// To a width of 64 to 127 pixels: video2dataset's choice for a video's own frame rate.
    To64,
    /// To a width of 256 to 511 pixels: PySceneDetect's own choice, which video2dataset leaves to it at other frame rates.
    To256,
}

impl ContentScore {
    /// Of pictures that have to be turned clockwise by `turn` degrees to stand upright.
    pub fn new(factor: Factor, turn: Turn) -> Self {
        Self { factor, turn, sampler: None, planes: [Vec::new(), Vec::new()], has_last: false }
    }

    /// The score of the next frame; 0 for the first.
    pub fn push(&mut self, frame: &YuvFrame<'_>) -> f64 {
        let divisor = if self.factor == Factor::To64 { 64 } else { 256 };
        if !self.sampler.as_ref().is_some_and(|sampler| sampler.fits(frame)) {
            let (stored, width) =
                ((frame.width, frame.height), if self.turn % 180 == 90 { frame.height } else { frame.width });
            let sampler = Sampler::new(stored, self.turn, (width / divisor).max(1));
            let size = sampler.width * sampler.height * 3;
            // A video that changes its size has other pixels from there on, which compare to nothing before.
            self.has_last &= self.planes[0].len() == size;
            self.planes.iter_mut().for_each(|planes| planes.resize(size, 0));
            self.sampler = Some(sampler);
        }
        let Some(sampler) = &mut self.sampler else { return 0.0 };
        sampler.sample(frame);
        self.planes.swap(0, 1);
        let [now, last] = &mut self.planes;
        hsv(&sampler.pixels, now);
        if !std::mem::replace(&mut self.has_last, true) {
            return 0.0;
        }
        let count = (now.len() / 3).max(1);
        let distance = |plane: usize| {
            let range = plane * count..(plane + 1) * count;
            let (now, last) = (now.get(range.clone()).unwrap_or_default(), last.get(range).unwrap_or_default());
            now.iter().zip(last).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>() as f64 / count as f64
        };
        (distance(0) + distance(1) + distance(2)) / 3.0
    }
}
