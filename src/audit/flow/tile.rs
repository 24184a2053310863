//! One flow at a size that can be looked at: small ones are enlarged, large ones on a sheet are made smaller.

/// Pixels that the shorter side of a tile is enlarged to, at least, and what its longer side must not exceed by that.
const SHORT: usize = 96;
const LONG: usize = 768;
/// Pixels of a tile's longer side on a sheet, at most.
const LONGEST: usize = 512;
/// Where nothing moves, the scale is one pixel.
const STILL: f64 = 1.0;

/// How flows of one size become tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    /// Vectors.
    width: usize,
    height: usize,
    /// So many vectors along each side become one pixel.
    shrink: usize,
    /// Each of those becomes so many pixels along each side.
    grow: usize,
}

/// A flow, not enlarged yet.
#[derive(Debug, PartialEq)]
pub struct Tile {
    pub width: usize,
    pub vectors: Vec<[f32; 2]>,
}

impl Fit {
    /// `is_small`: it is one tile of many.
    pub fn new(width: usize, height: usize, is_small: bool) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        let (short, long) = (width.min(height), width.max(height));
        let shrink = if is_small { long.div_ceil(LONGEST) } else { 1 };
        let grow = if shrink > 1 { 1 } else { SHORT.div_ceil(short).min(LONG / long).max(1) };
        Self { width, height, shrink, grow }
    }

    /// Pixels for each vector along a side.
    pub fn zoom(self) -> f64 {
        self.grow as f64 / self.shrink as f64
    }

    /// How often each vector of a tile is repeated along a side.
    pub fn grow(self) -> usize {
        self.grow
    }

    /// Pixels of a picture: width, height.
    pub fn size(self) -> [usize; 2] {
        [self.width, self.height].map(|side| side.div_ceil(self.shrink) * self.grow)
    }

    /// The mean of what becomes one pixel; of vectors that are not all numbers it is none.
    pub fn tile(self, flow: &[[f32; 2]]) -> Tile {
        let width = self.width.div_ceil(self.shrink);
        if self.shrink == 1 {
            return Tile { width, vectors: flow.to_vec() };
        }
        let rows: Vec<&[[f32; 2]]> = flow.chunks(self.width).collect();
        let vectors = rows.chunks(self.shrink).flat_map(|rows| (0..width).map(move |x| self.mean(rows, x)));
        Tile { width, vectors: vectors.collect() }
    }

    fn mean(self, rows: &[&[[f32; 2]]], x: usize) -> [f32; 2] {
        let (mut sum, mut count) = ([0.0f64; 2], 0.0);
        for [dx, dy] in rows.iter().flat_map(|row| row.iter().skip(x * self.shrink).take(self.shrink)) {
            sum = [sum[0] + f64::from(*dx), sum[1] + f64::from(*dy)];
            count += 1.0;
        }
        sum.map(|sum| (sum / count) as f32)
    }
}

/// How far pixels move.
#[derive(Debug, PartialEq)]
pub struct Lengths {
    pub longest: f64,
    /// 99 % of the vectors are at most as long; above 0.
    pub usual: f64,
    /// Vectors that are no numbers.
    pub not_numbers: u64,
}

impl Lengths {
    pub fn of(tiles: &[Tile]) -> Self {
        let length = |[dx, dy]: &[f32; 2]| f64::from(*dx).hypot(f64::from(*dy));
        let all = tiles.iter().flat_map(|tile| &tile.vectors).map(length);
        let mut lengths: Vec<f32> = all.filter(|length| length.is_finite()).map(|length| length as f32).collect();
        let total: usize = tiles.iter().map(|tile| tile.vectors.len()).sum();
        let not_numbers = (total - lengths.len()) as u64;
        let longest = lengths.iter().copied().fold(0.0, f32::max);
        let place = (lengths.len() * 99).div_ceil(100).saturating_sub(1);
        let usual = match lengths.is_empty() {
            true => 0.0,
            false => *lengths.select_nth_unstable_by(place, f32::total_cmp).1,
        };
        // Where almost nothing moves, what does move is what is to be seen.
        let usual = [usual, longest].map(f64::from).into_iter().find(|length| *length > 0.0).unwrap_or(STILL);
        Self { longest: longest.into(), usual, not_numbers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_flows_grow_and_large_ones_shrink() {
        let of = |width, height, is_small| {
            let fit = Fit::new(width, height, is_small);
            (fit.zoom(), fit.size())
        };
        assert_eq!(of(38, 16, true), (6.0, [228, 96]));
        assert_eq!(of(38, 16, false), (6.0, [228, 96]));
        assert_eq!(of(2, 2, true), (48.0, [96, 96]));
        assert_eq!(of(455, 256, true), (1.0, [455, 256]));
        assert_eq!(of(1281, 720, true), (1.0 / 3.0, [427, 240]));
        assert_eq!(of(1281, 720, false), (1.0, [1281, 720]));
        assert_eq!(of(1000, 1, true), (0.5, [500, 1]));
        assert_eq!(of(300, 1, false), (2.0, [600, 2]));
    }

    #[test]
    fn a_pixel_is_the_mean_of_what_it_stands_for() {
        let fit = Fit { width: 3, height: 3, shrink: 2, grow: 1 };
        let flow: Vec<_> = (0..9).map(|n| [n as f32, if n == 8 { f32::NAN } else { 1.0 }]).collect();
        let tile = fit.tile(&flow);
        assert_eq!((tile.width, tile.vectors.len()), (2, 4));
        assert_eq!(tile.vectors[..3], [[2.0, 1.0], [3.5, 1.0], [6.5, 1.0]]);
        assert!(tile.vectors[3][1].is_nan());
    }

    #[test]
    fn lengths() {
        let mut vectors: Vec<[f32; 2]> = (1..=100).map(|n| [n as f32, 0.0]).collect();
        vectors.extend([[f32::NAN, 0.0], [0.0, f32::INFINITY]]);
        let all = Lengths::of(&[Tile { width: 1, vectors }]);
        assert_eq!(all, Lengths { longest: 100.0, usual: 99.0, not_numbers: 2 });
        assert_eq!(Lengths::of(&[Tile { width: 1, vectors: vec![[0.0; 2]] }]).usual, 1.0);
        assert_eq!(Lengths::of(&[]).usual, 1.0);
        let mut still = vec![[0.0; 2]; 1000];
        still[3] = [0.0, -4.0];
        assert_eq!(Lengths::of(&[Tile { width: 1, vectors: still }]).usual, 4.0);
    }
}
