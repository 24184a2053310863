//! What a worker says while it works on one sample: its last lines, made fit for a shard.

use std::collections::VecDeque;

/// Lines kept per sample: the last ones say why.
const KEPT: usize = 50;
/// Characters kept of a line.
const WIDTH: usize = 300;
/// Bytes kept of a worker's stderr.
const STDERR_KEPT: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Lines {
    log: VecDeque<String>,
    stderr: VecDeque<u8>,
}

impl Lines {
    pub(super) fn log(&mut self, line: &str) {
        let line = tidy(line);
        if line.is_empty() || self.log.back() == Some(&line) {
            return;
        }
        if self.log.len() == KEPT {
            self.log.pop_front();
        }
        self.log.push_back(line);
    }

    pub(super) fn stderr(&mut self, bytes: &[u8]) {
        self.stderr.extend(bytes);
        let over = self.stderr.len().saturating_sub(STDERR_KEPT);
        self.stderr.drain(..over);
    }

    /// All of stderr that was kept, on one line.
    pub(super) fn stderr_text(&self) -> String {
        let bytes: Vec<u8> = self.stderr.iter().copied().collect();
        let lines: Vec<String> = String::from_utf8_lossy(&bytes).lines().map(tidy).filter(|l| !l.is_empty()).collect();
        if lines.is_empty() { "empty".into() } else { lines.join(" / ") }
    }

    /// The last thing said. What libraries log comes through the socket, so a word on stderr is a dying one (of the C
    /// library, of the Rust runtime) and goes first.
    pub(super) fn last(&self) -> Option<String> {
        let bytes: Vec<u8> = self.stderr.iter().copied().collect();
        let dying = String::from_utf8_lossy(&bytes).lines().rev().map(tidy).find(|line| !line.is_empty());
        dying.or_else(|| self.log.back().cloned())
    }

    pub(super) fn take_log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log).into()
    }
}

/// One line with no control characters and none of the addresses that differ from run to run: FFmpeg names its
/// contexts `[h264 @ 0x55d0c8a0]`.
pub(super) fn tidy(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line.trim();
    while let Some((before, after)) = rest.split_once("0x") {
        text.push_str(before.strip_suffix(" @ ").unwrap_or(before));
        let digits = after.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(after.len());
        if !before.ends_with(" @ ") {
            // An address is long; `0x1f` may be a tag or a codec's id.
            text.push_str(if digits >= 6 { "0x…" } else { "0x" });
        }
        let skip = if before.ends_with(" @ ") || digits >= 6 { digits } else { 0 };
        rest = after.get(skip..).unwrap_or_default();
    }
    text.push_str(rest);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WIDTH).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_in_every_run() {
        assert_eq!(tidy("[h264 @ 0x55d0c8a0fe40] error\twhile\n"), "[h264] error while");
        assert_eq!(tidy("tag 0x31637661 at 0x1f"), "tag 0x… at 0x1f");
        assert_eq!(tidy(&"ä".repeat(1000)).chars().count(), WIDTH);
        assert_eq!(tidy("0x"), "0x");
    }

    #[test]
    fn a_dying_word_goes_before_the_log_and_both_are_bounded() {
        let mut lines = Lines::default();
        assert_eq!(lines.last(), None);
        for n in 0..1000 {
            lines.log(&format!("line {n}"));
        }
        assert_eq!(lines.last().unwrap(), "line 999");
        lines.stderr(&[b'x'; 100_000]);
        lines.stderr(b"\nfree(): invalid pointer\n\n");
        assert_eq!(lines.last().unwrap(), "free(): invalid pointer");
        assert_eq!(lines.stderr.len(), STDERR_KEPT);
        assert_eq!(lines.take_log().len(), KEPT);
    }
}
