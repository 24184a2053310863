//! `url_list` → the table files, in the order in which they are planned.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::config::InputFormat;

use super::SourceError;
use super::error::nearest;
use super::fingerprint::what_is;

/// Expands files, folders and patterns to files.
///
/// Each entry is a file; a folder, which stands for its visible `*.{format}` files (packed ones, too; not those of its subfolders) in
/// byte order; or a pattern with `*`, `?`, `[…]` or `**`, which stands for the files that it matches in byte order. An
/// entry that exists is never taken for a pattern. The order of the entries is kept.
///
/// # Errors
/// An entry that leads to no file or to something other than files, and a file that is named twice, also through links.
pub fn inputs(url_list: &[String], format: InputFormat) -> Result<Vec<PathBuf>, SourceError> {
    let mut files = Vec::new();
    for entry in url_list {
        expand(entry, format, &mut files)?;
    }
    if files.is_empty() {
        return Err(SourceError::NoInput);
    }
    let mut seen: HashMap<(u64, u64), &Path> = HashMap::with_capacity(files.len());
    for (path, meta) in &files {
        if path.to_str().is_none() {
            return Err(SourceError::NonUtf8Path { path: path.clone() });
        }
        if let Some(first) = seen.insert((meta.dev(), meta.ino()), path) {
            return Err(SourceError::Duplicate { first: first.to_owned(), second: path.clone() });
        }
    }
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

/// The ends of names by which a folder's tables are found.
fn endings(format: InputFormat) -> &'static [&'static str] {
    match format {
        InputFormat::Txt => &[".txt", ".txt.gz", ".txt.zst"],
        InputFormat::Csv => &[".csv", ".csv.gz", ".csv.zst"],
        InputFormat::Tsv => &[".tsv", ".tsv.gz", ".tsv.zst"],
        InputFormat::Json => &[".json", ".json.gz", ".json.zst"],
        InputFormat::Jsonl => &[".jsonl", ".jsonl.gz", ".jsonl.zst", ".ndjson", ".ndjson.gz", ".ndjson.zst"],
        InputFormat::Parquet => &[".parquet"],
        InputFormat::Arrow => &[".arrow", ".feather", ".ipc"],
        InputFormat::Webdataset => &[".tar"],
    }
}

/// The format's word.
fn extension(format: InputFormat) -> &'static str {
    match format {
        InputFormat::Txt => "txt",
        InputFormat::Csv => "csv",
        InputFormat::Tsv => "tsv",
        InputFormat::Json => "json",
        InputFormat::Jsonl => "jsonl",
        InputFormat::Parquet => "parquet",
        InputFormat::Arrow => "arrow",
        InputFormat::Webdataset => "tar",
    }
}

/// Most names that one entry may stand for.
const MAX_BRACES: usize = 1_000_000;

/// Expands the first `{00000..00004}` or `{a,b}` of a name, as shells and webdataset do; none where there is none.
fn braces(entry: &str) -> Result<Option<Vec<String>>, SourceError> {
    let Some((before, rest)) = entry.split_once('{') else { return Ok(None) };
    let Some((inside, after)) = rest.split_once('}') else { return Ok(None) };
    let refuse = |reason: &str| SourceError::BadPattern { pattern: entry.to_owned(), reason: reason.to_owned() };
    let parts: Vec<String> = match inside.split_once("..") {
        Some((first, last)) => {
            let number = |text: &str| text.parse::<u64>().map_err(|_| refuse("`{A..B}` takes two whole numbers"));
            let (from, to) = (number(first)?, number(last)?);
            if from > to || to - from >= MAX_BRACES as u64 {
                return Err(refuse("`{A..B}` must go up, and stand for at most a million names"));
            }
            let padded = first.starts_with('0') || last.starts_with('0');
            let width = if padded { first.len().max(last.len()) } else { 0 };
            (from..=to).map(|number| format!("{number:0width$}")).collect()
        }
        None if inside.contains(',') => inside.split(',').map(str::to_owned).collect(),
        None => return Err(refuse("`{…}` holds neither `A..B` nor `a,b`")),
    };
    Ok(Some(parts.iter().map(|part| format!("{before}{part}{after}")).collect()))
}

type Files = Vec<(PathBuf, Metadata)>;

fn expand(entry: &str, format: InputFormat, files: &mut Files) -> Result<(), SourceError> {
    let path = Path::new(entry);
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() => expand_folder(path, format, files),
        Ok(meta) => push_file(path.to_owned(), meta, files),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if entry.contains("://") {
                Err(SourceError::Remote { url: entry.to_owned() })
            } else if format == InputFormat::Webdataset
                && let Some(names) = braces(entry)?
            {
                names.iter().try_for_each(|name| expand(name, format, files))
            } else if entry.contains(['*', '?', '[']) {
                expand_pattern(entry, files)
            } else {
                Err(missing(path))
            }
        }
        Err(error) => Err(SourceError::io(path, "read", error)),
    }
}

fn push_file(path: PathBuf, meta: Metadata, files: &mut Files) -> Result<(), SourceError> {
    if !meta.is_file() {
        return Err(SourceError::NotAFile { path, what: what_is(&meta) });
    }
    files.push((path, meta));
    Ok(())
}

fn expand_folder(folder: &Path, format: InputFormat, files: &mut Files) -> Result<(), SourceError> {
    let failed = |error| SourceError::io(folder, "list the folder", error);
    let mut tables = Vec::new();
    let mut others: std::collections::BTreeMap<String, usize> = Default::default();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if name.as_bytes().starts_with(b".") {
            continue;
        }
        let is_table = endings(format).iter().any(|ending| name.as_bytes().ends_with(ending.as_bytes()));
        match Path::new(&name).extension() {
            Some(_) if is_table => tables.push(name),
            Some(found) => *others.entry(found.to_string_lossy().into_owned()).or_default() += 1,
            None => {}
        }
    }
    if tables.is_empty() {
        let others = others.iter().max_by_key(|(_, count)| **count);
        return Err(SourceError::EmptyFolder {
            path: folder.to_owned(),
            extension: extension(format),
            others: others.map_or_else(String::new, |(ext, count)| format!(" (it holds {count} `*.{ext}`)")),
        });
    }
    tables.sort();
    refuse_packed_twins(folder, &tables)?;
    for name in tables {
        let path = folder.join(name);
        let meta = std::fs::metadata(&path).map_err(|error| SourceError::io(&path, "read", error))?;
        push_file(path, meta, files)?;
    }
    Ok(())
}

/// A table and the same one packed would give all rows twice.
fn refuse_packed_twins(folder: &Path, names: &[OsString]) -> Result<(), SourceError> {
    let unpacked = |name: &OsString| {
        let bytes = name.as_bytes();
        bytes
            .strip_suffix(b".gz")
            .or_else(|| bytes.strip_suffix(b".zst"))
            .map(|name| OsStr::from_bytes(name).to_owned())
    };
    let twin = names.iter().find_map(|name| unpacked(name).filter(|other| names.binary_search(other).is_ok()));
    match twin.and_then(|first| names.iter().find(|name| unpacked(name).as_ref() == Some(&first)).zip(Some(first))) {
        Some((second, first)) => Err(SourceError::Twins { first: folder.join(first), second: folder.join(second) }),
        None => Ok(()),
    }
}

fn expand_pattern(pattern: &str, files: &mut Files) -> Result<(), SourceError> {
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..Default::default() };
    let matches = glob::glob_with(pattern, options)
        .map_err(|error| SourceError::BadPattern { pattern: pattern.to_owned(), reason: error.msg.to_owned() })?;
    let mut found = Vec::new();
    for path in matches {
        let path = path.map_err(|error| {
            let path = error.path().to_owned();
            SourceError::io(&path, "list the folder", error.into())
        })?;
        let meta = std::fs::metadata(&path).map_err(|error| SourceError::io(&path, "read", error))?;
        // `data/*` should not stumble over a folder beside the tables.
        if !meta.is_dir() {
            found.push((path, meta));
        }
    }
    if found.is_empty() {
        return Err(SourceError::NoMatch { pattern: pattern.to_owned() });
    }
    found.sort_by(|a, b| a.0.as_os_str().cmp(b.0.as_os_str()));
    found.into_iter().try_for_each(|(path, meta)| push_file(path, meta, files))
}

/// The error for a path that is not there, with what may have been meant.
fn missing(path: &Path) -> SourceError {
    let hint = if path.starts_with("~") {
        " (`~` is not expanded here; write the path out, or use ${HOME})".to_owned()
    } else {
        sibling(path).map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
    };
    SourceError::Missing { path: path.to_owned(), hint }
}

/// The name most like the path's own among its neighbours.
fn sibling(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names: Vec<_> =
        std::fs::read_dir(folder).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let wanted = path.file_name()?.to_str()?;
    nearest(wanted, names.iter().map(String::as_str)).map(str::to_owned)
}
