//! The names of clipmill's own files, relative to the output folder.

pub const HOME: &str = "_clipmill";
pub const PLAN_FILE: &str = "_clipmill/plan.json";
pub const PLAN_DIR: &str = "_clipmill/plan";
pub const LEASES_DIR: &str = "_clipmill/leases";
pub const PARTIAL_DIR: &str = "_clipmill/partial";
pub const QUARANTINE_DIR: &str = "_clipmill/quarantine";
pub const RETRY_FILE: &str = "_clipmill/retry.json";

/// What stands in for a shard's name in the leases of jobs that one process does for all.
pub(super) const PLAN_TURN: &str = "plan";
pub(super) const RETRY_TURN: &str = "retry";

const STATS_SUFFIX: &str = "_stats.json";

/// Which attempt at a shard: leases and partial files are named by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct AttemptId {
    /// 0, or the generation of the retry that rewrites the shard.
    pub generation: u32,
    /// From 1.
    pub attempt: u32,
}

impl AttemptId {
    pub(super) fn next(self) -> Self {
        Self { attempt: self.attempt + 1, ..self }
    }
}

pub(super) fn lease(name: &str, id: AttemptId) -> String {
    format!("{LEASES_DIR}/{name}.g{}.a{}", id.generation, id.attempt)
}

pub(super) fn claim(name: &str, generation: u32) -> String {
    format!("{LEASES_DIR}/{name}.g{generation}.commit")
}

/// The nonce makes the name unique over all processes: a late owner can never write into a successor's file.
pub(super) fn partial(name: &str, id: AttemptId, nonce: u64, suffix: &str) -> String {
    format!("{PARTIAL_DIR}/{name}.g{}.a{}.{nonce:016x}.{suffix}", id.generation, id.attempt)
}

pub(super) fn stats(name: &str) -> String {
    format!("{name}{STATS_SUFFIX}")
}

/// The shard name of a stats file.
pub(super) fn shard_of_stats(file: &str) -> Option<&str> {
    file.strip_suffix(STATS_SUFFIX)
}

/// An entry of the leases folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    Lease { name: &'a str, id: AttemptId },
    Claim { name: &'a str, generation: u32 },
}

impl<'a> Entry<'a> {
    pub(super) fn parse(file: &'a str) -> Option<Self> {
        let (rest, last) = file.rsplit_once('.')?;
        let (name, generation) = rest.rsplit_once(".g")?;
        let generation = generation.parse().ok()?;
        if last == "commit" {
            return Some(Entry::Claim { name, generation });
        }
        let attempt = last.strip_prefix('a')?.parse().ok()?;
        Some(Entry::Lease { name, id: AttemptId { generation, attempt } })
    }
}

/// An entry of the partial folder: shard name, attempt, and what follows the nonce.
pub(super) fn parse_partial(file: &str) -> Option<(&str, AttemptId, &str)> {
    // A shard's own name may hold dots, and what looks like an attempt: the last one counts.
    let attempts = file.rmatch_indices(".g");
    attempts.filter_map(|(at, _)| partial_at(file, at)).next()
}

fn partial_at(file: &str, at: usize) -> Option<(&str, AttemptId, &str)> {
    let (name, rest) = file.split_at_checked(at)?;
    let mut parts = rest.strip_prefix(".g")?.splitn(4, '.');
    let generation = parts.next()?.parse().ok()?;
    let attempt = parts.next()?.strip_prefix('a')?.parse().ok()?;
    let nonce = parts.next()?;
    let is_nonce = nonce.len() == 16 && nonce.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some((name, AttemptId { generation, attempt }, parts.next().filter(|_| is_nonce)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back() {
        let id = AttemptId { generation: 2, attempt: 13 };
        let file = lease("00007", id);
        assert_eq!(file, "_clipmill/leases/00007.g2.a13");
        assert_eq!(Entry::parse("00007.g2.a13"), Some(Entry::Lease { name: "00007", id }));
        assert_eq!(Entry::parse("00007.g2.commit"), Some(Entry::Claim { name: "00007", generation: 2 }));
        assert_eq!(parse_partial("00007.g2.a13.00000000000000ff.tar.gz"), Some(("00007", id, "tar.gz")));
        let named = partial("x.g1.y", id, 255, "rows.jsonl");
        let named = named.strip_prefix("_clipmill/partial/").unwrap();
        assert_eq!(parse_partial(named), Some(("x.g1.y", id, "rows.jsonl")));
        assert_eq!(Entry::parse("x.g1.y.g2.a13"), Some(Entry::Lease { name: "x.g1.y", id }));
        for foreign in ["", "00007", ".nfs0000001", "00007.g.a1", "00007.g1.b1", "00007.g1"] {
            assert_eq!(Entry::parse(foreign), None, "{foreign}");
            assert_eq!(parse_partial(foreign), None, "{foreign}");
        }
    }
}
