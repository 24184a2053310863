//! Tables that say of which source pixels, with which weights, a pixel of another size is made.

use multiversion::multiversion;

use super::Luma;

/// For each target index, `taps` consecutive source indices and their weights. The first index may be negative and the
/// last beyond the end: [`mirror`] says which pixel is meant.
#[derive(Debug)]
pub struct Table {
    taps: usize,
    /// How far it reaches beyond either end of the source, pixels.
    pub overhang: usize,
    /// Target and source are of one size, and all weights are the same.
    is_uniform: bool,
    first: Vec<i32>,
    weights: Vec<f32>,
}

impl Table {
    /// The first source index of `target`, and the weights.
    pub fn at(&self, target: usize) -> (i32, &[f32]) {
        (self.first[target], &self.weights[target * self.taps..][..self.taps])
    }

    /// Source indices of a target, the first source index of each target, and all weights, target after target.
    pub fn into_parts(self) -> (usize, Vec<i32>, Vec<f32>) {
        (self.taps, self.first, self.weights)
    }

    pub fn iter(&self) -> impl Iterator<Item = (i32, &[f32])> {
        self.first.iter().copied().zip(self.weights.chunks_exact(self.taps))
    }

    fn of(source: usize, first: Vec<i32>, weights: Vec<f32>) -> Self {
        let taps = weights.len() / first.len();
        let before = first.iter().copied().min().unwrap_or(0).min(0).unsigned_abs() as usize;
        let end = first.iter().copied().max().unwrap_or(0).max(0) as usize + taps;
        let overhang = before.max(end.saturating_sub(source));
        Self { taps, overhang, is_uniform: first.len() == source, first, weights }
    }

    /// Linear interpolation from `source` to `target` pixels: pixel centres on pixel centres, clamped at the ends.
    pub fn linear(source: usize, target: usize) -> Self {
        Self::blurred(source, target, &[1.0])
    }

    /// A blur with `kernel` (odd length) and then linear interpolation, in one step.
    fn blurred(source: usize, target: usize, kernel: &[f64]) -> Self {
        let radius = kernel.len() / 2;
        let places: Vec<(usize, f32)> = (0..target).map(|index| place(source, target, index)).collect();
        // Where each target is in the middle of a source pixel, the second pixel's tap is not needed.
        let between = usize::from(places.iter().any(|(_, part)| *part != 0.0));
        let taps = kernel.len() + between;
        let mut weights = Vec::with_capacity(taps * target);
        for (_, part) in &places {
            let part = f64::from(*part);
            let kernel = |tap: usize| kernel.get(tap).copied().unwrap_or(0.0);
            let weight = |tap: usize| (1.0 - part) * kernel(tap) + part * tap.checked_sub(1).map_or(0.0, kernel);
            weights.extend((0..taps).map(|tap| weight(tap) as f32));
        }
        let first = places.iter().map(|(index, _)| *index as i32 - radius as i32).collect();
        Self::of(source, first, weights)
    }

    /// A pyramid's level that is `scale` times the size of the frame: OpenCV's Gaussian for it, then linear interpolation.
    pub fn pyramid(source: usize, target: usize, scale: f64) -> Self {
        let sigma = (1.0 / scale - 1.0) * 0.5;
        let size = ((sigma * 5.0).round_ties_even() as usize | 1).max(3);
        let kernel = if sigma > 0.0 { gaussian(size / 2, sigma) } else { vec![0.25, 0.5, 0.25] };
        Self::blurred(source, target, &kernel)
    }

    /// Averages over the area that a target pixel covers, for targets not larger than the source.
    pub fn area(source: usize, target: usize) -> Self {
        let ratio = source as f64 / target as f64;
        let taps = ratio.ceil() as usize + 1;
        let (mut starts, mut weights) = (Vec::with_capacity(target), Vec::with_capacity(taps * target));
        for index in 0..target {
            let (start, end) = (index as f64 * ratio, (index + 1) as f64 * ratio);
            let first = start.floor();
            starts.push(first as i32);
            let covered = |at: f64| (end.min(at + 1.0) - start.max(at)).max(0.0) / ratio;
            weights.extend((0..taps).map(|tap| covered(first + tap as f64) as f32));
        }
        Self::of(source, starts, weights)
    }
}

/// The source pixel before a target's centre, and how far behind it the centre is.
fn place(source: usize, target: usize, index: usize) -> (usize, f32) {
    let centre = ((index as f64 + 0.5) * (source as f64 / target as f64) - 0.5) as f32;
    if centre <= 0.0 {
        (0, 0.0)
    } else if centre as usize >= source - 1 {
        (source - 1, 0.0)
    } else {
        (centre as usize, centre.fract())
    }
}

/// A normalised Gaussian of 2 × `radius` + 1 taps.
pub fn gaussian(radius: usize, sigma: f64) -> Vec<f64> {
    let at = |tap: usize| tap as f64 - radius as f64;
    let raw: Vec<f64> = (0..=2 * radius).map(|tap| (-at(tap).powi(2) / (2.0 * sigma * sigma)).exp()).collect();
    let sum: f64 = raw.iter().sum();
    raw.into_iter().map(|value| value / sum).collect()
}

/// The pixel meant by an index outside of `0..len`: mirrored at the first and last pixel, which are not repeated.
pub fn mirror(index: i32, len: usize) -> usize {
    if len == 1 {
        return 0;
    }
    let period = 2 * (len as i32 - 1);
    let index = index.rem_euclid(period);
    index.min(period - index) as usize
}

/// The pixel meant by an index outside of `0..len`: the first or the last.
pub fn clamp(index: i32, len: usize) -> usize {
    index.clamp(0, len as i32 - 1) as usize
}

/// Row `rows` of a pyramid's level, around 0: luma minus its middle, which polynomials do not see and `f32` holds better.
/// `wide` is scratch for a row of the frame and what `columns` reaches beyond it.
pub fn shrink_row(frame: &Luma, rows: (i32, &[f32]), columns: &Table, wide: &mut [f32], out: &mut [f32]) {
    let width = frame.width();
    let margin = columns.overhang;
    let row = |tap: usize| frame.row(mirror(rows.0 + tap as i32, frame.height()));
    let middle = &mut wide[margin..][..width];
    middle.fill(-128.0);
    for (group, weights) in rows.1.chunks(4).enumerate() {
        let weight = std::array::from_fn(|k| weights.get(k).copied().unwrap_or(0.0));
        let rows = std::array::from_fn(|k| row(group * 4 + k.min(weights.len() - 1)));
        add_rows(middle, rows, weight);
    }
    for beyond in 1..=margin as i32 {
        wide[margin - beyond as usize] = wide[margin + mirror(-beyond, width)];
        let end = width as i32 - 1 + beyond;
        wide[margin + end as usize] = wide[margin + mirror(end, width)];
    }
    correlate(columns, &wide[..width + 2 * margin], out);
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn add_rows(sums: &mut [f32], rows: [&[u8]; 4], weights: [f32; 4]) {
    let [a, b, c, d] = rows.map(|row| &row[..sums.len()]);
    for (x, sum) in sums.iter_mut().enumerate() {
        let value = |row: &[u8], weight: f32| f32::from(row[x]) * weight;
        *sum += (value(a, weights[0]) + value(b, weights[1])) + (value(c, weights[2]) + value(d, weights[3]));
    }
}

/// `wide` begins the table's overhang before the source's first pixel.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn correlate(columns: &Table, wide: &[f32], out: &mut [f32]) {
    if columns.is_uniform
        && let (_, &[a, b, c]) = columns.at(0)
    {
        let triples = wide.iter().zip(&wide[1..]).zip(&wide[2..]);
        out.iter_mut().zip(triples).for_each(|(out, ((x, y), z))| *out = a * x + b * y + c * z);
        return;
    }
    for ((first, weights), out) in columns.iter().zip(out) {
        let pixels = &wide[(first + columns.overhang as i32) as usize..];
        *out = weights.iter().zip(pixels).map(|(weight, pixel)| weight * pixel).sum();
    }
}

/// A row of a flow enlarged from `source`, `source_width` pixels wide, and multiplied by `growth`. `tall` is scratch for a
/// row of the source.
pub fn enlarge_row(
    source: &[f32],
    source_width: usize,
    rows: (i32, &[f32]),
    columns: &Table,
    growth: f32,
    tall: &mut [f32],
    out: &mut [f32],
) {
    let row = |y: i32| &source[clamp(y, source.len() / source_width / 2) * source_width * 2..][..source_width * 2];
    let mix = |weights: &[f32]| [weights[0] * growth, weights.get(1).map_or(0.0, |weight| weight * growth)];
    let tall = &mut tall[..source_width * 2];
    mix_rows(tall, [row(rows.0), row(rows.0 + 1)], mix(rows.1));
    for ((first, weights), out) in columns.iter().zip(out.chunks_exact_mut(2)) {
        let first = first as usize * 2;
        let (a, b) = (&tall[first..first + 2], tall.get(first + 2..first + 4).unwrap_or(&[0.0, 0.0]));
        let [weight_a, weight_b] = [weights[0], weights.get(1).copied().unwrap_or(0.0)];
        out[0] = a[0] * weight_a + b[0] * weight_b;
        out[1] = a[1] * weight_a + b[1] * weight_b;
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq", "x86_64+avx2"))]
fn mix_rows(out: &mut [f32], rows: [&[f32]; 2], weights: [f32; 2]) {
    let [a, b] = rows;
    out.iter_mut().zip(a).zip(b).for_each(|((out, a), b)| *out = a * weights[0] + b * weights[1]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_do_not_repeat_the_edge() {
        let at = |index| mirror(index, 4);
        assert_eq!([-3, -2, -1, 0, 3, 4, 5, 6, 7].map(at), [3, 2, 1, 0, 3, 2, 1, 0, 1]);
        assert_eq!([-2, 0, 5].map(|index| mirror(index, 1)), [0, 0, 0]);
    }

    #[test]
    fn weights_of_each_table_sum_to_one() {
        let tables = [Table::linear(7, 13), Table::pyramid(100, 51, 0.512), Table::area(13, 5), Table::area(4, 4)];
        for table in &tables {
            for (_, weights) in table.iter() {
                assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{table:?}");
            }
        }
    }

    #[test]
    fn a_level_of_full_size_has_no_tap_in_vain() {
        let table = Table::pyramid(9, 9, 1.0);
        assert_eq!((table.taps, table.overhang), (3, 1));
        assert_eq!(table.at(4), (3, &[0.25, 0.5, 0.25][..]));
    }
}
