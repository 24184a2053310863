//! Which filters stand a picture upright.

use ffmpeg_next::ffi;
use ffmpeg_next::packet::side_data::Type;

use super::muxer::SideData;

/// The filters by which the ffmpeg program stands pictures upright (`-autorotate`); none: they are upright.
///
/// Right angles and mirrors change no pixel; any other angle turns the picture within its own frame.
pub fn upright(side_data: &[SideData]) -> Option<String> {
    let (_, bytes) = side_data.iter().find(|(kind, _)| matches!(kind, Type::DisplayMatrix))?;
    let mut matrix = [0_i32; 9];
    for (value, bytes) in matrix.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *value = i32::from_ne_bytes(*bytes);
    }
    filters(&matrix)
}

fn filters(matrix: &[i32; 9]) -> Option<String> {
    // SAFETY: nine integers are what it reads.
    let angle = unsafe { ffi::av_display_rotation_get(matrix.as_ptr()) };
    if angle.is_nan() {
        return None;
    }
    // The matrix' own angle is counter-clockwise.
    let degrees = (-angle).rem_euclid(360.0);
    let is_near = |angle: f64| (degrees - angle).abs() < 1.0;
    let [across, _, _, skew, down, ..] = *matrix;
    let name = if is_near(90.0) {
        if skew > 0 { "transpose=cclock_flip" } else { "transpose=clock" }
    } else if is_near(270.0) {
        if skew < 0 { "transpose=clock_flip" } else { "transpose=cclock" }
    } else if is_near(180.0) {
        match (across < 0, down < 0) {
            (true, true) => "hflip,vflip",
            (true, false) => "hflip",
            (false, true) => "vflip",
            (false, false) => return None,
        }
    } else if is_near(0.0) || is_near(360.0) {
        if down < 0 { "vflip" } else { return None }
    } else {
        return Some(format!("rotate={degrees:.6}*PI/180"));
    };
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: i32 = 1 << 16;

    fn of(a: i32, b: i32, c: i32, d: i32) -> Option<String> {
        filters(&[a, b, 0, c, d, 0, 0, 0, 1 << 30])
    }

    #[test]
    fn turns_and_mirrors() {
        assert_eq!(of(ONE, 0, 0, ONE), None);
        assert_eq!(of(0, ONE, -ONE, 0).as_deref(), Some("transpose=clock"));
        assert_eq!(of(-ONE, 0, 0, -ONE).as_deref(), Some("hflip,vflip"));
        assert_eq!(of(0, -ONE, ONE, 0).as_deref(), Some("transpose=cclock"));
        assert_eq!(of(-ONE, 0, 0, ONE).as_deref(), Some("hflip"));
        assert_eq!(of(ONE, 0, 0, -ONE).as_deref(), Some("vflip"));
        assert_eq!(of(0, ONE, ONE, 0).as_deref(), Some("transpose=cclock_flip"));
        assert_eq!(of(0, -ONE, -ONE, 0).as_deref(), Some("transpose=clock_flip"));
        assert_eq!(of(0, 0, 0, 0), None);
        assert!(upright(&[]).is_none());
    }

    #[test]
    fn other_angles_turn_within_the_frame() {
        let (sin, cos) = 30_f64.to_radians().sin_cos();
        let scaled = |value: f64| (value * f64::from(ONE)) as i32;
        let filters = of(scaled(cos), scaled(sin), scaled(-sin), scaled(cos)).unwrap();
        assert!(filters.starts_with("rotate=30.0") || filters.starts_with("rotate=29.99"), "{filters}");
    }
}
