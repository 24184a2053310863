//! Files of others in the output folder.

use std::collections::HashSet;

use crate::ledger::error::{LedgerError, Result};
use crate::ledger::names;
use crate::ledger::storage::{Storage, found, made};
use crate::sample::KeyFormat;

/// What may follow a shard's name.
const SUFFIXES: [&str; 7] = [".tar", ".parquet", ".tfrecord", ".h5", ".feather", "_stats.json", ""];

/// Files of the output folder that shards called `names` would write.
pub(super) fn named(storage: &dyn Storage, names: &[String]) -> Result<Vec<String>> {
    let names: HashSet<&str> = names.iter().map(String::as_str).collect();
    let mut files = found(storage.list(""))?.unwrap_or_default();
    files.retain(|file| is_named(file, &names));
    files.sort_unstable();
    Ok(files)
}

/// Files of the output folder that a plan with these keys would write, or that an older tool has written as shards.
pub(super) fn shard_like(storage: &dyn Storage, keys: KeyFormat, names: &[String]) -> Result<Vec<String>> {
    let names: HashSet<&str> = names.iter().map(String::as_str).collect();
    let Some(mut files) = found(storage.list(""))? else { return Ok(Vec::new()) };
    files.retain(|file| is_shard_like(file, keys) || is_named(file, &names));
    files.sort_unstable();
    Ok(files)
}

fn is_shard_like(file: &str, keys: KeyFormat) -> bool {
    let end = file.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(file.len());
    let (name, suffix) = file.split_at(end);
    SUFFIXES.contains(&suffix) && name.parse().is_ok_and(|shard| keys.shard(shard) == name)
}

fn is_named(file: &str, names: &HashSet<&str>) -> bool {
    SUFFIXES.iter().any(|suffix| file.strip_suffix(suffix).is_some_and(|name| names.contains(name)))
}

/// Refuses a folder where planning would lead to files of others being replaced.
pub(super) fn refuse(storage: &dyn Storage, keys: KeyFormat) -> Result<()> {
    let files = shard_like(storage, keys, &[])?;
    if files.is_empty() { Ok(()) } else { Err(LedgerError::Foreign { files }) }
}

/// Finds out whether the file system can decide who is first. Everything rests on it, so it is tried, not believed.
pub(super) fn probe(storage: &dyn Storage) -> Result<()> {
    let nonce = fastrand::u64(..);
    let [first, second, target] =
        ["a", "b", "c"].map(|which| format!("{}/probe-1-{nonce:016x}.{which}", names::PLAN_DIR));
    drop(storage.create_new(&first)?);
    drop(storage.create_new(&second)?);
    let linked = storage.link(&first, &target);
    let doubled = linked.is_ok() && made(storage.link(&second, &target))?.is_some();
    for file in [&first, &second, &target] {
        found(storage.remove(file))?;
    }
    match linked {
        // Only a planner that published meanwhile removes them.
        Err(error) if error.is_not_found() => return Err(LedgerError::PlannedByAnother),
        linked => linked?,
    }
    if doubled { Err(LedgerError::NotExclusive) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_shards_are_shard_like() {
        let keys = KeyFormat::new(5, 1000);
        for file in ["00000.tar", "00012.parquet", "00012_stats.json", "123456.tar", "00003"] {
            assert!(is_shard_like(file, keys), "{file}");
        }
        for file in ["2024.parquet", "notes.json", "00000.txt", "00000-copy.tar", "_clipmill", "", "x00000.tar"] {
            assert!(!is_shard_like(file, keys), "{file}");
        }
    }
}
