//! Luma, RGB and upright pictures against the standards' formulas in f64.

use super::buffer::Buffer;
use super::farneback::random;
use super::host::{Args, Order, launch};

/// A frame's planes, 8 or 10 bits a sample (as numbers of that many bits).
struct Frame {
    width: usize,
    height: usize,
    deep: bool,
    luma: Vec<u16>,
    /// Cb and Cr in turn.
    chroma: Vec<u16>,
}

const PADDING: usize = 5;

impl Frame {
    fn random(width: usize, height: usize, deep: bool) -> Self {
        let mut noise = random((width * 131 + height) as u32);
        let mut samples = |count: usize| (0..count).map(|_| (noise() % if deep { 1024 } else { 256 }) as u16).collect();
        let chroma = width.div_ceil(2) * height.div_ceil(2) * 2;
        Self { width, height, deep, luma: samples(width * height), chroma: samples(chroma) }
    }

    /// Rows of a plane with `PADDING` more samples; in the upper bits if deep.
    fn plane(&self, samples: &[u16], row: usize) -> Vec<u16> {
        let stored = |sample: &u16| if self.deep { sample << 6 | 0x15 } else { *sample };
        let rows = samples.chunks(row);
        rows.flat_map(|row| row.iter().map(stored).chain([0xffff; PADDING])).collect()
    }

    fn black_and_steps(&self, full: bool) -> (f64, f64, f64) {
        let unit = if self.deep { 4.0 } else { 1.0 };
        let all = if self.deep { 1023.0 } else { 255.0 };
        if full { (0.0, all, all) } else { (16.0 * unit, 219.0 * unit, 224.0 * unit) }
    }

    /// 0 to 255.
    fn grey(&self, x: usize, y: usize, full: bool) -> f64 {
        let (black, steps, _) = self.black_and_steps(full);
        (f64::from(self.luma[y * self.width + x]) - black) / steps * 255.0
    }

    /// Cb or Cr at a pixel, about 0: linear between samples, which are at even columns and between rows.
    fn chroma(&self, which: usize, x: usize, y: usize, full: bool) -> f64 {
        let (columns, rows) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let at = |column: usize, row: usize| {
            f64::from(self.chroma[2 * (row.min(rows - 1) * columns + column.min(columns - 1)) + which])
        };
        let place = |at: f64| (at.max(0.0).floor() as usize, at.max(0.0).fract());
        let ((column, right), (row, below)) = (place(x as f64 / 2.0), place((y as f64 - 0.5) / 2.0));
        let mix = |a: f64, b: f64, part: f64| a + (b - a) * part;
        let upper = mix(at(column, row), at(column + 1, row), right);
        let lower = mix(at(column, row + 1), at(column + 1, row + 1), right);
        let middle = if self.deep { 512.0 } else { 128.0 };
        (mix(upper, lower, below) - middle) / self.black_and_steps(full).2 * 255.0
    }

    fn rgb(&self, x: usize, y: usize, matrix: usize, full: bool) -> [f64; 3] {
        let (red, blue) = match matrix {
            709 => (0.2126, 0.0722),
            2020 => (0.2627, 0.0593),
            _ => (0.299, 0.114),
        };
        let (luma, cb, cr) = (self.grey(x, y, full), self.chroma(0, x, y, full), self.chroma(1, x, y, full));
        let (r, b) = (luma + 2.0 * (1.0 - red) * cr, luma + 2.0 * (1.0 - blue) * cb);
        [r, (luma - red * r - blue * b) / (1.0 - red - blue), b]
    }
}

/// A plane of bytes or of 16 bits.
enum Plane {
    Bytes(Buffer<u8>),
    Words(Buffer<u16>),
}

impl Plane {
    fn of(frame: &Frame, samples: &[u16], row: usize) -> Self {
        let plane = frame.plane(samples, row);
        if frame.deep {
            Self::Words(Buffer::of(&plane))
        } else {
            Self::Bytes(Buffer::of(&plane.iter().map(|sample| *sample as u8).collect::<Vec<_>>()))
        }
    }

    fn give(&self, args: Args) -> Args {
        match self {
            Self::Bytes(buffer) => args.buffer(buffer),
            Self::Words(buffer) => args.buffer(buffer),
        }
    }
}

fn near(got: &[u8], want: impl Iterator<Item = f64>, what: &str) {
    for (at, (got, want)) in got.iter().zip(want).enumerate() {
        let off = (f64::from(*got) - want.clamp(0.0, 255.0)).abs();
        assert!(off < 0.501, "{what}: {at} is {got}, not {want}");
    }
}

const SIZES: [(usize, usize); 7] = [(1, 1), (1, 4), (5, 1), (2, 2), (3, 2), (17, 33), (64, 18)];

#[test]
fn luma_is_stretched_as_the_range_says() {
    for (width, height) in SIZES {
        for (deep, full) in [(false, false), (false, true), (true, false), (true, true)] {
            let frame = Frame::random(width, height, deep);
            let src = Plane::of(&frame, &frame.luma, width);
            let out = Buffer::filled(0xaa_u8, width * height);
            let args = src.give(Args::new()).ints([width + PADDING, 0]).buffer(&out).ints([width, 0, width, height]);
            let name = if deep { "p010_luma" } else { "nv12_luma" };
            let grid = [width.div_ceil(32), height.div_ceil(8), 1];
            launch(name, grid, [32, 8], 0, Order::Forward, args.int(full.into()));
            let want = (0..width * height).map(|at| frame.grey(at % width, at / width, full));
            near(&out.read(), want, &format!("{name}, {width}×{height}, full range {full}"));
        }
    }
}

#[test]
fn rgb_is_what_the_standards_say() {
    for (width, height) in SIZES {
        for (deep, full, matrix) in [
            (false, false, 601),
            (false, true, 601),
            (false, false, 709),
            (false, true, 2020),
            (true, false, 2020),
            (true, true, 709),
            (true, false, 601),
        ] {
            let frame = Frame::random(width, height, deep);
            let row = 2 * width.div_ceil(2);
            let (luma, chroma) = (Plane::of(&frame, &frame.luma, width), Plane::of(&frame, &frame.chroma, row));
            let out = Buffer::filled(0xaa_u8, 3 * width * height);
            let args = luma.give(Args::new()).ints([width + PADDING, 0]);
            let args = chroma.give(args).ints([row + PADDING, 0]).buffer(&out).ints([3 * width, 0, width, height]);
            let name = if deep { "p010_rgb" } else { "nv12_rgb" };
            let grid = [width.div_ceil(32), height.div_ceil(8), 1];
            launch(name, grid, [32, 8], 0, Order::Forward, args.int(matrix).int(full.into()));
            let want = (0..width * height).flat_map(|at| frame.rgb(at % width, at / width, matrix, full));
            near(&out.read(), want, &format!("{name}, {width}×{height}, {matrix}, full range {full}"));
        }
    }
}

#[test]
fn frames_of_a_batch_are_each_their_own() {
    let frame = Frame::random(6, 4, false);
    // Two frames of two rows.
    let src = Plane::of(&frame, &frame.luma, 6);
    let out = Buffer::filled(0_u8, 2 * 20);
    let args = src.give(Args::new()).ints([6 + PADDING, 2 * (6 + PADDING)]).buffer(&out).ints([8, 20, 6, 2]).int(1);
    launch("nv12_luma", [1, 1, 2], [32, 8], 0, Order::Forward, args);
    let out = out.read();
    for (at, want) in frame.luma.iter().enumerate() {
        let (x, y) = (at % 6, at / 6);
        assert_eq!(u16::from(out[y / 2 * 20 + y % 2 * 8 + x]), *want);
    }
    assert_eq!((out[6], out[16], out[39]), (0, 0, 0), "what is between rows and frames stays");
}

/// Turned and weighed as src/subsample/optical_flow/gray.rs does.
#[test]
fn pictures_are_turned_clockwise() {
    for (width, height) in SIZES {
        for (channels, turn) in [(1, 0), (1, 90), (1, 180), (1, 270), (3, 0), (3, 90), (3, 180), (3, 270)] {
            let mut noise = random(turn as u32 + 7);
            let pixels: Vec<u8> = (0..width * height * channels).map(|_| noise() as u8).collect();
            let grey = |x: usize, y: usize| {
                let pixel = &pixels[(y * width + x) * channels..][..channels];
                let weighed = pixel.iter().zip([3735, 19235, 9798]).map(|(value, weight)| u32::from(*value) * weight);
                if channels == 1 { pixel[0] } else { ((weighed.sum::<u32>() + (1 << 14)) >> 15) as u8 }
            };
            let (across, down) = if turn % 180 == 0 { (width, height) } else { (height, width) };
            let out = Buffer::filled(0xaa_u8, width * height);
            let src = Buffer::of(&pixels);
            let args = Args::new().buffer(&src).ints([width * channels, 0]).buffer(&out).ints([across, 0]);
            let args = args.ints([width, height, channels, turn]);
            let grid = [across.div_ceil(32), down.div_ceil(8), 1];
            launch("upright", grid, [32, 8], 0, Order::Forward, args);
            let mut want = Vec::new();
            for y in 0..down {
                for x in 0..across {
                    // Where a pixel of the turned picture was.
                    want.push(match turn {
                        90 => grey(y, height - 1 - x),
                        180 => grey(width - 1 - x, height - 1 - y),
                        270 => grey(width - 1 - y, x),
                        _ => grey(x, y),
                    });
                }
            }
            assert_eq!(out.read(), want, "{width}×{height}, {channels} channels, {turn}°");
        }
    }
}
