//! Names of members and of shards.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::SourceError;

/// Names that the ledger uses for itself beside the shards'.
const TAKEN: [&str; 2] = ["plan", "retry"];

/// Key and extension, as webdataset splits them: at the first dot of the last part. None for a name without either.
///
/// The key is text, but the output's tar carries it on to whoever unpacks that: a leading `/` goes, `..` becomes `__`.
pub(super) fn split(name: &str) -> Option<(String, String)> {
    let (folder, base) = name.rsplit_once('/').map_or(("", name), |(folder, base)| (folder, base));
    let (stem, extension) = base.split_once('.')?;
    if stem.is_empty() || extension.is_empty() || name.contains(['\0', '\\']) {
        return None;
    }
    let parts = folder.split('/').filter(|part| !part.is_empty() && *part != ".");
    let parts = parts.map(|part| if part == ".." { "__" } else { part });
    let key = parts.chain([stem]).collect::<Vec<_>>().join("/");
    Some((key, extension.to_owned()))
}

/// The output shard of each input tar: the file's name without `.tar`, as it stands.
///
/// # Errors
/// [`SourceError::ShardName`] for a name that cannot be a shard's, [`SourceError::SameShard`] for two tars of the same
/// name.
pub fn shard_names(inputs: &[PathBuf]) -> Result<Vec<String>, SourceError> {
    let mut seen: HashMap<String, &Path> = HashMap::with_capacity(inputs.len());
    let mut names = Vec::with_capacity(inputs.len());
    for path in inputs {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = name.strip_suffix(".tar").unwrap_or(name).to_owned();
        let plain = !name.is_empty() && !name.starts_with(['.', '-']) && !name.chars().any(char::is_control);
        if !plain || TAKEN.contains(&name.as_str()) || name == "_clipmill" {
            return Err(SourceError::ShardName { path: path.clone() });
        }
        if let Some(first) = seen.insert(name.clone(), path) {
            return Err(SourceError::SameShard { name, first: first.to_owned(), second: path.clone() });
        }
        names.push(name);
    }
    Ok(names)
}
