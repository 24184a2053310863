//! Tiles side by side, row after row, and at their right the wheel that says which colour is which direction.

use super::tile::{Fit, Tile};
use super::wheel::Wheel;

/// Pixels around tiles.
const GAP: usize = 4;
/// Pixels across the wheel; odd, so that it has a middle.
const LEGEND: usize = 97;
const BACKGROUND: [u8; 3] = [48; 3];

/// A picture: three bytes a pixel.
pub struct Canvas {
    pub width: usize,
    pub height: usize,
    pub rgb: Vec<u8>,
}

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        Self { width, height, rgb: BACKGROUND.repeat(width * height) }
    }

    fn put(&mut self, x: usize, y: usize, colour: [u8; 3]) {
        let at = (y * self.width + x) * 3;
        if let Some(pixel) = self.rgb.get_mut(at..at + 3) {
            pixel.copy_from_slice(&colour);
        }
    }
}

/// Draws the tiles, which are all alike in size. One tile alone lies on the left of the wheel.
pub fn draw(tiles: &[Tile], fit: Fit, scale: f64) -> Canvas {
    let [width, height] = fit.size();
    let columns = columns(tiles.len(), width, height);
    let rows = tiles.len().div_ceil(columns).max(1);
    let left = GAP + columns * (width + GAP);
    let mut canvas = Canvas::new(left + LEGEND + GAP, GAP + (rows * (height + GAP)).max(LEGEND + GAP));
    let wheel = Wheel::new();
    for (n, tile) in tiles.iter().enumerate() {
        let place = (GAP + n % columns * (width + GAP), GAP + n / columns * (height + GAP));
        lay(&mut canvas, tile, place, fit.grow(), |vector| wheel.colour(vector, scale));
    }
    legend(&mut canvas, &wheel, (left, GAP));
    canvas
}

/// So many that the sheet is about half as wide again as high.
fn columns(tiles: usize, width: usize, height: usize) -> usize {
    let shape = |columns: usize| {
        let ratio = (columns * (width + GAP)) as f64 / (tiles.div_ceil(columns) * (height + GAP)) as f64;
        (ratio / 1.5).ln().abs()
    };
    (1..=tiles).min_by(|one, other| shape(*one).total_cmp(&shape(*other))).unwrap_or(1)
}

fn lay(
    canvas: &mut Canvas,
    tile: &Tile,
    (left, top): (usize, usize),
    grow: usize,
    colour: impl Fn([f32; 2]) -> [u8; 3],
) {
    for (y, row) in tile.vectors.chunks(tile.width.max(1)).enumerate() {
        for (x, vector) in row.iter().enumerate() {
            let colour = colour(*vector);
            for n in 0..grow * grow {
                canvas.put(left + x * grow + n % grow, top + y * grow + n / grow, colour);
            }
        }
    }
}

/// A disc: where a pixel of it lies, seen from the middle, is where its colour points.
fn legend(canvas: &mut Canvas, wheel: &Wheel, (left, top): (usize, usize)) {
    let middle = (LEGEND / 2) as f32;
    for n in 0..LEGEND * LEGEND {
        let (x, y) = (n % LEGEND, n / LEGEND);
        let vector = [x as f32 - middle, y as f32 - middle];
        if vector[0].hypot(vector[1]) <= middle {
            canvas.put(left + x, top + y, wheel.colour(vector, middle.into()));
        }
    }
}

/// As a PNG.
pub fn encode(canvas: &Canvas) -> Result<Vec<u8>, png::EncodingError> {
    let side = |pixels: usize| u32::try_from(pixels).unwrap_or(u32::MAX);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side(canvas.width), side(canvas.height));
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&canvas.rgb)?;
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_have_places_and_the_wheel_its_own() {
        let tile = |dx| Tile { width: 2, vectors: vec![[dx, 0.0]; 4] };
        let fit = Fit::new(2, 2, true);
        let canvas = draw(&[tile(1.0), tile(0.0), tile(f32::NAN)], fit, 1.0);
        let at = |x: usize, y: usize| canvas.rgb[(y * canvas.width + x) * 3..][..3].to_vec();
        assert_eq!((canvas.width, canvas.height), (4 + 2 * 100 + 97 + 4, 4 + 2 * 100));
        assert_eq!([at(0, 0), at(4, 4), at(99, 99), at(100, 4)], [[48; 3], [255, 0, 0], [255, 0, 0], [48; 3]]);
        assert_eq!((at(104, 4), at(4, 104), at(104, 104)), (vec![255; 3], vec![0; 3], vec![48; 3]));
        let (left, middle) = (204, 4 + 48);
        assert_eq!([at(left + 48, middle), at(left + 96, middle)], [[255; 3], [255, 0, 0]]);
        assert_eq!(at(left, 4), [48; 3]);
    }

    #[test]
    fn sheets_are_neither_ribbons_nor_towers() {
        assert_eq!(columns(1, 100, 100), 1);
        assert_eq!(columns(16, 228, 96), 3);
        assert_eq!(columns(16, 100, 100), 5);
        assert_eq!(columns(4, 40, 1000), 4);
    }
}
