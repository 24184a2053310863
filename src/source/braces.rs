//! `dataset/{00000..00012}.tar` and `{a,b}.tar`, as shells and webdataset expand them.

/// Most names that one pattern may stand for.
const MOST: usize = 10_000_000;

/// All texts that a pattern stands for; `None` where it has no braces that mean anything, or stands for too many.
pub(super) fn expand(pattern: &str) -> Option<Vec<String>> {
    let (before, inside, after) = first_group(pattern)?;
    let words = range(inside).or_else(|| list(inside))?;
    let rests = expand(after).unwrap_or_else(|| vec![after.to_owned()]);
    if words.len().checked_mul(rests.len())? > MOST {
        return None;
    }
    let join = |word: &String| rests.iter().map(|rest| format!("{before}{word}{rest}")).collect::<Vec<_>>();
    Some(words.iter().flat_map(join).collect())
}

fn first_group(pattern: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = pattern.split_once('{')?;
    let (inside, after) = rest.split_once('}')?;
    Some((before, inside, after))
}

/// `00000..00012`: the width of the wider side counts.
fn range(inside: &str) -> Option<Vec<String>> {
    let (first, last) = inside.split_once("..")?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(first) || !digits(last) {
        return None;
    }
    let width = if first.starts_with('0') || last.starts_with('0') { first.len().max(last.len()) } else { 0 };
    let (from, to): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    if from.abs_diff(to) >= MOST as u64 {
        return None;
    }
    let write = |n: u64| format!("{n:0width$}");
    Some(if from <= to { (from..=to).map(write).collect() } else { (to..=from).rev().map(write).collect() })
}

fn list(inside: &str) -> Option<Vec<String>> {
    inside.contains(',').then(|| inside.split(',').map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_lists() {
        let expanded = |pattern| expand(pattern).unwrap().join(" ");
        assert_eq!(expanded("d/{00008..00011}.tar"), "d/00008.tar d/00009.tar d/00010.tar d/00011.tar");
        assert_eq!(expanded("{a,b}/{1..2}.tar"), "a/1.tar a/2.tar b/1.tar b/2.tar");
        assert_eq!(expanded("{3..1}"), "3 2 1");
        for none in ["plain.tar", "{}", "{a}", "{1..}", "{0..99999999999}", "}{"] {
            assert_eq!(expand(none), None, "{none}");
        }
    }
}
