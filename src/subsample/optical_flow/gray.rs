//! Small pictures as upright grey ones.

use crate::media::SmallPicture;

/// Weights of red, green and blue in units of 1/32768, as OpenCV's `cvtColor` has them for blue, green and red:
/// video2dataset gave it RGB.
const SWAPPED: [u32; 3] = [3735, 19235, 9798];

/// Writes the picture into `out`, turned clockwise by `turn` degrees: 0, 90, 180 or 270. `bytes` of a pixel: 1 for grey, 3
/// for RGB, whose red and blue are mixed up.
pub fn upright(picture: &SmallPicture<'_>, bytes: usize, turn: u32, out: &mut Vec<u8>) {
    let SmallPicture { data, width, height, stride } = *picture;
    let row = |y: usize| data.get(y * stride..).unwrap_or_default().get(..width * bytes).unwrap_or_default();
    let at = |x: usize, y: usize| gray(row(y).get(x * bytes..).unwrap_or_default(), bytes);
    out.clear();
    match turn {
        90 => (0..width).for_each(|x| out.extend((0..height).rev().map(|y| at(x, y)))),
        180 => (0..height).rev().for_each(|y| out.extend((0..width).rev().map(|x| at(x, y)))),
        270 => (0..width).rev().for_each(|x| out.extend((0..height).map(|y| at(x, y)))),
        _ if bytes == 1 => (0..height).for_each(|y| out.extend_from_slice(row(y))),
        _ => (0..height).for_each(|y| out.extend(row(y).chunks_exact(bytes).map(|pixel| gray(pixel, bytes)))),
    }
}

fn gray(pixel: &[u8], bytes: usize) -> u8 {
    match *pixel {
        [gray, ..] if bytes == 1 => gray,
        [red, green, blue, ..] => {
            let weighted = [red, green, blue].into_iter().zip(SWAPPED).map(|(value, weight)| u32::from(value) * weight);
            ((weighted.sum::<u32>() + (1 << 14)) >> 15) as u8
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned(turn: u32) -> Vec<u8> {
        // Two rows of three, and one byte that belongs to none.
        let picture = SmallPicture { data: &[1, 2, 3, 0, 4, 5, 6], width: 3, height: 2, stride: 4 };
        let mut out = vec![7];
        upright(&picture, 1, turn, &mut out);
        out
    }

    #[test]
    fn turns_clockwise() {
        assert_eq!(turned(0), [1, 2, 3, 4, 5, 6]);
        assert_eq!(turned(90), [4, 1, 5, 2, 6, 3]);
        assert_eq!(turned(180), [6, 5, 4, 3, 2, 1]);
        assert_eq!(turned(270), [3, 6, 2, 5, 1, 4]);
    }

    #[test]
    fn red_counts_as_blue() {
        let mut out = Vec::new();
        let data = [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255];
        let picture = SmallPicture { data: &data, width: 4, height: 1, stride: 12 };
        upright(&picture, 3, 0, &mut out);
        assert_eq!(out, [29, 150, 76, 255]);
    }
}
