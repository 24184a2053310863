//! Single pixels from YUV to BGR, exactly as OpenCV has them: what libswscale makes of whole pictures at OpenCV's flags.
//!
//! The matrix is always BT.601, whatever the picture says. Three ways lead there, by the picture's shape:
//! - 8-bit 4:2:0 of an even height: each chroma sample stands for its four pixels (the unscaled converter);
//! - other subsampled pictures: chroma is spread over the rows (bicubic), and stands for two pixels of a row;
//! - 4:4:4: every pixel has its own.
//!
//! The first two count in eighths with 16-bit products of which the upper halves are kept, as the SIMD code does, the
//! last with 32 bits.

use super::chroma::{Blend, blends};
use crate::media::YuvFrame;

/// By how much the picture is to be turned clockwise to stand upright, degrees: 0, 90, 180 or 270.
pub type Turn = u32;

/// Reads rows of an upright picture at chosen columns.
#[derive(Debug)]
pub struct RowReader {
    turn: Turn,
    columns: Vec<usize>,
    /// Of the picture that the tables below were made for.
    shape: Option<Shape>,
    /// Byte offset of each column's luma and chroma sample from the row's start.
    luma_at: Vec<usize>,
    chroma_at: Vec<usize>,
    /// Of each row of the stored picture; empty where chroma is not spread.
    blends: Vec<Blend>,
    y: Vec<i16>,
    u: Vec<i16>,
    v: Vec<i16>,
    /// Blue, green and red of each column.
    pub bgr: [Vec<i16>; 3],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    size: (usize, usize),
    strides: [usize; 3],
    chroma_shift: (u32, u32),
    depth: u32,
    full_range: bool,
}

impl Shape {
    fn of(frame: &YuvFrame<'_>) -> Self {
        let YuvFrame { width, height, strides, chroma_shift, depth, full_range, .. } = *frame;
        Self { size: (width, height), strides, chroma_shift, depth, full_range }
    }

    fn bytes(&self) -> usize {
        if self.depth > 8 { 2 } else { 1 }
    }

    /// Chroma is halved down the picture, and libswscale interpolates it.
    fn spreads_chroma(&self) -> bool {
        self.chroma_shift.1 > 0 && (self.depth > 8 || self.size.1 % 2 == 1)
    }

    fn has_own_chroma(&self) -> bool {
        self.chroma_shift == (0, 0)
    }
}

/// The matrix as libswscale's coefficients have it: 3.13 fixed point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Coefficients {
    /// Of luma, in eighths.
    offset: i16,
    y: i16,
    red_v: i16,
    green_u: i16,
    green_v: i16,
    blue_u: i16,
}

impl Coefficients {
    fn new(full_range: bool) -> Self {
        // BT.601 in 16.16, for limited range; of full range, chroma swings by 255 instead of 224.
        let (luma, scale) = if full_range { (1 << 16, (224, 255)) } else { ((1 << 16) * 255 / 219, (1, 1)) };
        let round = |n: i64| i16::try_from((n * 8192 + (1 << 15)) >> 16).unwrap_or(0);
        let chroma = |n: i64| round(n * scale.0 / scale.1);
        Self {
            offset: if full_range { 0 } else { 16 * 8 },
            y: round(luma),
            red_v: chroma(104_597),
            green_u: chroma(-25_675),
            green_v: chroma(-53_279),
            blue_u: chroma(132_201),
        }
    }
}

impl RowReader {
    pub fn new(turn: Turn, columns: Vec<usize>) -> Self {
        let count = columns.len();
        let zeros = || vec![0; count];
        Self {
            turn,
            columns,
            shape: None,
            luma_at: Vec::new(),
            chroma_at: Vec::new(),
            blends: Vec::new(),
            y: zeros(),
            u: zeros(),
            v: zeros(),
            bgr: [zeros(), zeros(), zeros()],
        }
    }

    /// Fills [`RowReader::bgr`] from one row of the upright picture.
    pub fn read(&mut self, frame: &YuvFrame<'_>, row: usize) {
        let shape = Shape::of(frame);
        if self.shape != Some(shape) {
            self.prepare(shape);
        }
        let coefficients = Coefficients::new(frame.full_range);
        if shape.has_own_chroma() {
            return self.read_whole(frame, coefficients, &shape, row);
        }
        // Rounding up by half, as libswscale does where it blends.
        let half = if self.blends.is_empty() { 0 } else { 4 };
        let (luma, chroma) = (self.row_at(&shape, row, 0), self.row_at(&shape, row, 1));
        gather(frame.planes[0], luma, &self.luma_at, frame.depth, half, &mut self.y);
        for (plane, out) in [(1, &mut self.u), (2, &mut self.v)] {
            let plane = frame.planes[plane];
            if self.blends.is_empty() {
                gather(plane, chroma, &self.chroma_at, frame.depth, 0, out);
            } else {
                let source = Blending { plane, shape: &shape, turn: self.turn, blends: &self.blends };
                source.gather(row, &self.columns, &self.chroma_at, out);
            }
        }
        self.convert(coefficients);
    }

    fn prepare(&mut self, shape: Shape) {
        let at = |plane: usize| {
            let (across, down) = if plane == 0 { (0, 0) } else { shape.chroma_shift };
            let offset = |column: &usize| match self.turn {
                90 => (shape.size.1.saturating_sub(1 + column) >> down) * shape.strides[plane],
                180 => (shape.size.0.saturating_sub(1 + column) >> across) * shape.bytes(),
                270 => (column >> down) * shape.strides[plane],
                _ => (column >> across) * shape.bytes(),
            };
            self.columns.iter().map(offset).collect()
        };
        (self.luma_at, self.chroma_at) = (at(0), at(1));
        let height = shape.size.1;
        self.blends = if shape.spreads_chroma() {
            blends(height, height.div_ceil(1 << shape.chroma_shift.1))
        } else {
            Vec::new()
        };
        self.shape = Some(shape);
    }

    /// Byte offset of an upright row in a plane.
    fn row_at(&self, shape: &Shape, row: usize, plane: usize) -> usize {
        let (across, down) = if plane == 0 { (0, 0) } else { shape.chroma_shift };
        match self.turn {
            90 => (row >> across) * shape.bytes(),
            180 => (shape.size.1.saturating_sub(1 + row) >> down) * shape.strides[plane],
            270 => (shape.size.0.saturating_sub(1 + row) >> across) * shape.bytes(),
            _ => (row >> down) * shape.strides[plane],
        }
    }

    /// Eighths to BGR. All products are 16 by 16 bits, of which the upper half counts.
    fn convert(&mut self, c: Coefficients) {
        let upper = |a: i16, b: i16| ((i32::from(a) * i32::from(b)) >> 16) as i16;
        let [blue, green, red] = &mut self.bgr;
        let yuv = self.y.iter().zip(&self.u).zip(&self.v);
        for (((b, g), r), ((y, u), v)) in blue.iter_mut().zip(green).zip(red).zip(yuv) {
            let luma = upper(y.wrapping_sub(c.offset), c.y);
            let (u, v) = (u.wrapping_sub(1024), v.wrapping_sub(1024));
            *b = luma.wrapping_add(upper(u, c.blue_u)).clamp(0, 255);
            *g = luma.wrapping_add(upper(u, c.green_u)).wrapping_add(upper(v, c.green_v)).clamp(0, 255);
            *r = luma.wrapping_add(upper(v, c.red_v)).clamp(0, 255);
        }
    }

    /// 4:4:4: with all bits, rounded once.
    fn read_whole(&mut self, frame: &YuvFrame<'_>, c: Coefficients, shape: &Shape, row: usize) {
        let base = self.row_at(shape, row, 0);
        let chroma = self.row_at(shape, row, 1);
        let up = 17 - frame.depth;
        let [blue, green, red] = &mut self.bgr;
        let places = self.luma_at.iter().zip(&self.chroma_at);
        for (((b, g), r), (luma_at, chroma_at)) in blue.iter_mut().zip(green).zip(red).zip(places) {
            let y = (sample(frame.planes[0], base + luma_at, frame.depth) << up) - (i32::from(c.offset) << 6);
            let u = (sample(frame.planes[1], chroma + chroma_at, frame.depth) << up) - (128 << 9);
            let v = (sample(frame.planes[2], chroma + chroma_at, frame.depth) << up) - (128 << 9);
            let luma = i64::from(y) * i64::from(c.y) + (1 << 21);
            let part = |chroma: i32, by: i16| i64::from(chroma) * i64::from(by);
            let byte = |sum: i64| (sum.clamp(0, (1 << 30) - 1) >> 22) as i16;
            *b = byte(luma + part(u, c.blue_u));
            *g = byte(luma + part(u, c.green_u) + part(v, c.green_v));
            *r = byte(luma + part(v, c.red_v));
        }
    }
}

fn sample(plane: &[u8], at: usize, depth: u32) -> i32 {
    let byte = |at: usize| plane.get(at).copied().unwrap_or(0);
    if depth > 8 { i32::from(u16::from_le_bytes([byte(at), byte(at + 1)])) } else { i32::from(byte(at)) }
}

/// Samples of a row in eighths of an 8-bit step.
fn gather(plane: &[u8], base: usize, places: &[usize], depth: u32, plus: i16, out: &mut [i16]) {
    let row = plane.get(base..).unwrap_or_default();
    if depth == 8 {
        for (out, at) in out.iter_mut().zip(places) {
            *out = i16::from(row.get(*at).copied().unwrap_or(0)) * 8 + plus;
        }
    } else {
        let down = depth.saturating_sub(11);
        for (out, at) in out.iter_mut().zip(places) {
            *out = ((sample(row, *at, depth) << 11u32.saturating_sub(depth)) >> down) as i16 + plus;
        }
    }
}

/// Chroma of one plane, spread over the rows.
struct Blending<'a> {
    plane: &'a [u8],
    shape: &'a Shape,
    turn: Turn,
    blends: &'a [Blend],
}

impl Blending<'_> {
    fn gather(&self, row: usize, columns: &[usize], places: &[usize], out: &mut [i16]) {
        let (stride, bytes) = (self.shape.strides[1], self.shape.bytes());
        let (across, (width, height)) = (self.shape.chroma_shift.0, self.shape.size);
        for ((out, column), at) in out.iter_mut().zip(columns).zip(places) {
            // Where in the stored picture: which row, and which byte of it.
            let (y, x) = match self.turn {
                90 => (height.saturating_sub(1 + column), (row >> across) * bytes),
                180 => (height.saturating_sub(1 + row), *at),
                270 => (*column, (width.saturating_sub(1 + row) >> across) * bytes),
                _ => (row, *at),
            };
            let blend = self.blends.get(y).copied().unwrap_or_default();
            let part = |(line, weight): &(usize, i32)| {
                ((sample(self.plane, line * stride + x, self.shape.depth) << (15 - self.shape.depth)) * weight) >> 16
            };
            *out = (4 + blend.iter().map(part).sum::<i32>()) as i16;
        }
    }
}
