//! Which samples are worth a GPU: a model of what a flow costs on either processor.
//!
//! The constants are a model, not measurements: those of the CPU come from `make bench-flow` on one core of a server, those
//! of the GPU from `doc/gpu.md`'s projections. `make bench-gpu` prints what they are on the machine at hand. The decision
//! depends on the sample alone (and on whether there is a GPU), never on load or on the clock: a sample that is computed
//! again goes the same way.

/// Seconds that the CPU takes for a pixel of a flow, with Farneback's defaults.
const CPU_PER_PIXEL: f64 = 60e-9;
/// Seconds that the GPU takes for a pixel of a flow, its share of the memory's rate among several workers counted in.
const GPU_PER_PIXEL: f64 = 0.5e-9;
/// Seconds that the launches of a batch take, whatever its size.
const GPU_PER_BATCH: f64 = 400e-6;
/// Seconds to set up the buffers of a sample.
const GPU_PER_SAMPLE: f64 = 3e-3;

/// Pixels of the small pictures of a batch, at most: enough to fill a large GPU, and about 400 MB.
const BATCH_PIXELS: u64 = 1 << 22;
/// Pairs of pictures in a batch, at most.
const BATCH_PAIRS: u64 = 128;

/// Seconds that the CPU takes to decode a pixel, of H.264 at usual rates; and the GPU's decoder, its share among several
/// workers counted in.
const CPU_DECODE_PER_PIXEL: f64 = 5e-9;
const NVDEC_PER_PIXEL: f64 = 1e-9;
/// Seconds to open a decoder on the GPU.
const NVDEC_PER_SAMPLE: f64 = 60e-3;

/// Whether the GPU's decoder would be done sooner with so many frames of so many pixels.
pub fn is_worth_nvdec(pixels: u64, frames: u64) -> bool {
    let work = pixels as f64 * frames as f64;
    NVDEC_PER_SAMPLE + NVDEC_PER_PIXEL * work < CPU_DECODE_PER_PIXEL * work
}

/// What one sample's flow is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Pixels of a small picture.
    pub pixels: u64,
    /// Pairs of pictures, as the packets announce them.
    pub pairs: u64,
}

impl Cost {
    /// Pairs that are worked on together.
    pub fn batch(self) -> usize {
        (BATCH_PIXELS / self.pixels.max(1)).clamp(1, BATCH_PAIRS).min(self.pairs.max(1)) as usize
    }

    /// Whether a GPU would be done sooner.
    pub fn is_worth_a_gpu(self) -> bool {
        let work = self.pixels as f64 * self.pairs as f64;
        let batches = self.pairs.div_ceil(self.batch() as u64) as f64;
        GPU_PER_SAMPLE + GPU_PER_BATCH * batches + GPU_PER_PIXEL * work < CPU_PER_PIXEL * work
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_pictures_and_long_videos_go_to_the_gpu() {
        let worth = |width: u64, height: u64, pairs| Cost { pixels: width * height, pairs }.is_worth_a_gpu();
        // Ten seconds at 2 fps and 16 pixels; an hour of it.
        assert!(!worth(28, 16, 19));
        assert!(worth(28, 16, 7199));
        assert!(worth(455, 256, 79));
        assert!(!worth(455, 256, 0));
    }

    #[test]
    fn a_minute_of_small_video_is_decoded_on_the_cpu() {
        assert!(!is_worth_nvdec(640 * 360, 50));
        assert!(is_worth_nvdec(1920 * 1080, 1500));
    }

    #[test]
    fn batches_have_a_pair_at_least() {
        let batch = |pixels, pairs| Cost { pixels, pairs }.batch();
        assert_eq!(batch(1 << 23, 100), 1);
        assert_eq!(batch(0, 0), 1);
        assert_eq!(batch(448, 10_000), 128);
        assert_eq!(batch(448, 7), 7);
    }
}
