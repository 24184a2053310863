//! Frames to compute a flow of.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use clipmill::flow::{Farneback, FarnebackParams, Luma};

/// Consecutive frames of one size, one behind the other.
#[derive(Clone)]
pub struct Frames {
    pub width: usize,
    pub height: usize,
    pub luma: Vec<u8>,
}

impl Frames {
    /// `count` frames of real footage from second `start` on, scaled.
    pub fn footage(name: &str, start: f64, (width, height): (usize, usize), count: usize) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/rig/footage-src").join(name);
        assert!(path.is_file(), "no footage: run 'bash tests/rig/setup.sh test' first");
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-ss", &start.to_string(), "-i"]).arg(path);
        let scale = format!("scale={width}:{height}:flags=bilinear+accurate_rnd+bitexact,format=gray");
        command.args(["-vf", &scale, "-frames:v", &count.to_string(), "-f", "rawvideo", "-"]);
        let output = command.output().expect("ffmpeg is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // Room for one grey level more (see `opencv::Reference`).
        let luma: Vec<u8> = output.stdout.iter().map(|luma| *luma.min(&254)).collect();
        assert_eq!(luma.len(), width * height * count, "{name}");
        Self { width, height, luma }
    }

    /// Two frames of any bytes.
    pub fn noise(width: usize, height: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(7);
        let luma = std::iter::repeat_with(|| random.u8(..255)).take(2 * width * height).collect();
        Self { width, height, luma }
    }

    /// Two frames, of which `luma(frame, x, y)` says each pixel.
    pub fn drawn(width: usize, height: usize, luma: impl Fn(usize, usize, usize) -> u8) -> Self {
        let places = (0..2).flat_map(|frame| (0..height).flat_map(move |y| (0..width).map(move |x| (frame, x, y))));
        let luma = places.map(|(frame, x, y)| luma(frame, x, y)).collect();
        Self { width, height, luma }
    }

    pub fn at(&self, index: usize) -> Luma<'_> {
        let size = self.width * self.height;
        Luma::new(&self.luma[index * size..][..size], self.width, self.height, self.width).unwrap()
    }

    pub fn farneback(&self, params: &FarnebackParams, threads: usize) -> Farneback {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        Farneback::new(params, self.width, self.height, Some(Arc::new(pool))).unwrap()
    }

    /// The flow from the first frame to the second.
    pub fn flow(&self, params: &FarnebackParams, initial: Option<&[f32]>) -> Vec<f32> {
        let mut flow = vec![f32::NAN; self.width * self.height * 2];
        self.farneback(params, 1).pair(self.at(0), self.at(1), initial, &mut flow).unwrap();
        flow
    }
}
