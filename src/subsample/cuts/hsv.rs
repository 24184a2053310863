//! BGR to hue, saturation and value, as `cv::cvtColor` has them for 8-bit pictures: hue in 0 to 179.

use std::sync::LazyLock;

const SHIFT: u32 = 12;

/// 255 and 30 divided by each number, in 20.12 fixed point.
static TABLES: LazyLock<([i32; 256], [i32; 256])> = LazyLock::new(|| {
    let table = |top: f64| {
        std::array::from_fn(|n| if n == 0 { 0 } else { ((top * 4096.0) / n as f64).round_ties_even() as i32 })
    };
    (table(255.0), table(30.0))
});

/// Hue, saturation and value, plane by plane, of `pixels`: blue, green and red, plane by plane.
pub fn hsv(pixels: &[u8], planes: &mut [u8]) {
    let (by_value, by_range) = &*TABLES;
    let count = pixels.len() / 3;
    let Some((hues, rest)) = planes.split_at_mut_checked(count) else { return };
    let Some((saturations, values)) = rest.split_at_mut_checked(count) else { return };
    let out = hues.iter_mut().zip(saturations).zip(values);
    let (blues, rest) = pixels.split_at(count);
    let (greens, reds) = rest.split_at(count);
    let bgr = blues.iter().zip(greens).zip(reds);
    for (((b, g), r), ((hue, saturation), value)) in bgr.zip(out) {
        let [b, g, r] = [i32::from(*b), i32::from(*g), i32::from(*r)];
        let top = b.max(g).max(r);
        let range = top - b.min(g).min(r);
        let turn = if top == r {
            g - b
        } else if top == g {
            b - r + 2 * range
        } else {
            r - g + 4 * range
        };
        let round = 1 << (SHIFT - 1);
        let turned = (turn * by_range[range as usize & 255] + round) >> SHIFT;
        *hue = (turned + if turned < 0 { 180 } else { 0 }) as u8;
        *saturation = ((range * by_value[top as usize & 255] + round) >> SHIFT) as u8;
        *value = top as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours() {
        let (blues, greens, reds) = ([0, 0, 255, 128, 10], [0, 255, 0, 128, 20], [255, 0, 0, 128, 30]);
        let pixels = [blues, greens, reds].concat();
        let mut planes = [0; 15];
        hsv(&pixels, &mut planes);
        assert_eq!(planes[..5], [0, 60, 120, 0, 15]);
        assert_eq!(planes[5..10], [255, 255, 255, 0, 170]);
        assert_eq!(planes[10..], [255, 255, 255, 128, 30]);
    }
}
