//! Shard names and sample keys, as video2dataset writes them.

/// Formats shard names and sample keys.
///
/// A shard's name is its id zero-padded to `oom_shard_count` digits. A key is `shard * 10^d + row`, zero-padded to
/// `oom_shard_count + d` digits, where `d = ceil(log10(number_sample_per_shard))`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyFormat {
    shard_digits: usize,
    row_digits: usize,
}

impl KeyFormat {
    pub fn new(oom_shard_count: u32, number_sample_per_shard: u32) -> Self {
        let last = number_sample_per_shard.max(1) - 1;
        // ceil(log10(n)) = number of decimal digits of n - 1, and 0 for n = 1.
        let row_digits = if last == 0 { 0 } else { last.ilog10() as usize + 1 };
        Self { shard_digits: oom_shard_count as usize, row_digits }
    }

    /// The shard's name, without extension: `00007`.
    pub fn shard(&self, shard: u64) -> String {
        format!("{shard:0width$}", width = self.shard_digits)
    }

    /// The sample's key: `000070002`.
    pub fn sample(&self, shard: u64, row: u32) -> String {
        let value = u128::from(shard) * 10u128.pow(self.row_digits as u32) + u128::from(row);
        format!("{value:0width$}", width = self.shard_digits + self.row_digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_as_video2dataset_writes_them() {
        let key = |size| KeyFormat::new(5, size).sample(7, 2.min(size - 1));
        assert_eq!(key(10), "000072");
        assert_eq!(key(100), "0000702");
        assert_eq!(key(1000), "00007002");
        assert_eq!(key(1001), "000070002");
        assert_eq!(key(10000), "000070002");
        assert_eq!(key(1), "00007");
    }

    #[test]
    fn shard_names_grow_past_their_padding() {
        assert_eq!(KeyFormat::new(5, 10).shard(3), "00003");
        assert_eq!(KeyFormat::new(2, 10).shard(123), "123");
    }
}
