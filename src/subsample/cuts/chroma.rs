//! How libswscale spreads chroma rows over twice as many luma rows: its bicubic filter (B = 0, C = 0.6) in 4.12 fixed point.

/// Chroma rows, and the weight of each in 1/4096.
pub type Blend = [(usize, i32); 4];

/// For each of `rows` luma rows, the rows of chroma that make up its own, of `chroma_rows`; chroma lies between the two
/// luma rows that it is of.
pub fn blends(rows: usize, chroma_rows: usize) -> Vec<Blend> {
    let step = chroma_rows as f64 / rows.max(1) as f64;
    (0..rows).map(|row| blend((row as f64 + 0.5) * step - 0.5, chroma_rows)).collect()
}

fn blend(at: f64, chroma_rows: usize) -> Blend {
    let first = at.floor() as i64 - 1;
    let last = chroma_rows.saturating_sub(1) as i64;
    // What rounding leaves over goes to the next weight, so that all add up to one.
    let mut left_over = 0.0;
    std::array::from_fn(|n| {
        let row = first + n as i64;
        let exact = cubic((at - row as f64).abs()) * 4096.0 + left_over;
        let weight = exact.round();
        left_over = exact - weight;
        (row.clamp(0, last) as usize, weight as i32)
    })
}

/// The cubic of Mitchell and Netravali, "Reconstruction filters in computer graphics" (1988), for B = 0 and C = 0.6.
fn cubic(x: f64) -> f64 {
    const C: f64 = 0.6;
    match x {
        _ if x < 1.0 => ((12.0 - 6.0 * C) * x.powi(3) + (6.0 * C - 18.0) * x.powi(2) + 6.0) / 6.0,
        _ if x < 2.0 => C * (-x.powi(3) + 5.0 * x.powi(2) - 8.0 * x + 4.0),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_those_of_libswscale() {
        let blends = blends(180, 90);
        assert_eq!(blends[4], [(0, -115), (1, 985), (2, 3572), (3, -346)]);
        assert_eq!(blends[3], [(0, -346), (1, 3572), (2, 985), (3, -115)]);
        assert!(blends.iter().all(|blend| blend.iter().map(|(_, weight)| weight).sum::<i32>() == 4096));
        assert_eq!(blends.last().map(|blend| blend[3].0), Some(89));
    }
}
