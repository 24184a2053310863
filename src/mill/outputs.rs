//! A worker's outputs, checked before anything is believed.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use super::answer::Output;
use super::verdict::Verdict;
use super::wire::{Region, Reply};
use crate::sample::{Budget, FailureClass, Payload, SealedFile, Status, seal};

/// Longest extension: `segmentation_mask.json` and the like fit.
const EXTENSION_BYTES: usize = 48;

/// Seals the outputs' file against the worker and checks every region against it. Blocks.
///
/// # Errors
/// A verdict on the worker: what it says does not fit what it wrote.
pub(super) fn check(reply: &Reply, file: &File, limit: u64) -> Result<u64, Verdict> {
    let broken = |what: &str| Verdict::broke_protocol(what);
    // Fails while the worker keeps the file mapped for writing, and could still change what others are to read.
    seal(file).map_err(|_| broken("it keeps its outputs mapped for writing"))?;
    let len = file.metadata().map_err(|_| broken("its outputs have no size"))?.len();
    if len > limit {
        return Err(Verdict::outputs_too_large(limit));
    }
    for output in &reply.outputs {
        check_output(output, len).map_err(|what| broken(&what))?;
    }
    match &reply.failure {
        Some(_) if !reply.outputs.is_empty() => Err(broken("outputs together with a failure")),
        Some(failure) if matches!(failure.class, FailureClass::Http(_)) => Err(broken("a failure of another room")),
        _ => Ok(len),
    }
}

fn check_output(output: &Region, len: u64) -> Result<(), String> {
    if !matches!(output.status, Status::Success | Status::Filtered) {
        return Err("an output with another status than success or filtered".into());
    }
    let mut seen: Vec<&str> = output.media.as_deref().into_iter().collect();
    if output.media.as_deref().is_some_and(|extension| !is_extension(extension)) {
        return Err("a member's extension that cannot stand in a shard".into());
    }
    for (extension, offset, size) in &output.members {
        if !is_extension(extension) {
            return Err("a member's extension that cannot stand in a shard".into());
        }
        if seen.contains(&extension.as_str()) {
            return Err(format!("two members `{extension}` in one output"));
        }
        seen.push(extension);
        if offset.checked_add(*size).is_none_or(|end| end > len) {
            return Err(format!("a member `{extension}` outside of its outputs"));
        }
    }
    Ok(())
}

/// It becomes part of a tar member's name.
fn is_extension(text: &str) -> bool {
    let fits = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
    (1..=EXTENSION_BYTES).contains(&text.len())
        && text.bytes().all(fits)
        && !text.starts_with('.')
        && !text.contains("..")
}

/// The outputs as payloads: counted against the budget, or on scratch. Blocks.
///
/// # Errors
/// Those of the scratch folder.
pub(super) fn adopt(
    regions: Vec<Region>,
    media: &Arc<SealedFile>,
    media_bytes: u64,
    (file, len): (File, u64),
    budget: &Budget,
    scratch: &Path,
) -> std::io::Result<Vec<Output>> {
    let file = Arc::new(SealedFile::adopt(file, len, budget, scratch)?);
    let member = |(extension, offset, len)| (extension, Payload::sealed(Arc::clone(&file), offset, len));
    let output = |region: Region| {
        let media = region.media.map(|extension| (extension, Payload::sealed(Arc::clone(media), 0, media_bytes)));
        let members = media.into_iter().chain(region.members.into_iter().map(member)).collect();
        Output { meta: region.meta, status: region.status, members }
    };
    Ok(regions.into_iter().map(output).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::memory_file;
    use serde_json::Map;
    use std::io::Write;

    fn check_one(members: &[(&str, u64, u64)]) -> bool {
        let file = memory_file(c"test").unwrap();
        (&file).write_all(b"0123456789").unwrap();
        let members = members.iter().map(|(e, o, l)| ((*e).to_owned(), *o, *l)).collect();
        let reply = Reply {
            outputs: vec![Region { meta: Map::new(), status: Status::Success, members, media: None }],
            failure: None,
            usage: crate::sample::Usage::default(),
        };
        check(&reply, &file, 10).is_ok()
    }

    #[test]
    fn only_members_that_exist_and_have_a_harmless_name_pass() {
        assert!(check_one(&[("mp4", 0, 4), ("seg.json", 4, 6), ("empty", 10, 0)]));
        for bad in ["", "../x", "a/b", ".mp4", "a..b", "a b", "ä", "x\n"] {
            assert!(!check_one(&[(bad, 0, 1)]), "{bad:?}");
        }
        assert!(!check_one(&[("mp4", 0, 11)]));
        assert!(!check_one(&[("mp4", u64::MAX, 2)]));
        assert!(!check_one(&[("mp4", 0, 1), ("mp4", 1, 1)]));
    }
}
