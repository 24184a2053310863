//! The input format, from the names of the tables.

use super::InputFormat;
use super::error::{At, Problem};

/// The format that the names agree on; `None` where they tell nothing (a folder, another extension).
pub(super) fn input_format(paths: &[String]) -> Result<Option<InputFormat>, Problem> {
    let mut first: Option<(&str, InputFormat)> = None;
    for path in paths {
        let Some(format) = by_name(path)? else { continue };
        match first {
            Some((other, agreed)) if agreed != format => {
                return Err(Problem::new(
                    "job.url_list",
                    At::Nowhere,
                    format!("`{other}` and `{path}` have different formats"),
                )
                .help("run one job for each format"));
            }
            _ => first = Some((path, format)),
        }
    }
    Ok(first.map(|(_, format)| format))
}

/// The endings of names that say what a file holds.
const ENDINGS: [(&str, InputFormat); 11] = [
    (".csv", InputFormat::Csv),
    (".tsv", InputFormat::Tsv),
    (".txt", InputFormat::Txt),
    (".json", InputFormat::Json),
    (".jsonl", InputFormat::Jsonl),
    (".ndjson", InputFormat::Jsonl),
    (".parquet", InputFormat::Parquet),
    (".arrow", InputFormat::Arrow),
    (".feather", InputFormat::Arrow),
    (".ipc", InputFormat::Arrow),
    (".tar", InputFormat::Webdataset),
];

/// The format that a file's name tells.
pub(super) fn named(path: &str) -> Option<InputFormat> {
    let name = path.to_ascii_lowercase();
    let unpacked = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst"));
    let (_, format) = *ENDINGS.iter().find(|(ending, _)| unpacked.unwrap_or(&name).ends_with(ending))?;
    // Inside these, bytes are packed already, and are reached from their end.
    let is_whole = matches!(format, InputFormat::Parquet | InputFormat::Arrow | InputFormat::Webdataset);
    if is_whole && unpacked.is_some() { None } else { Some(format) }
}

fn by_name(path: &str) -> Result<Option<InputFormat>, Problem> {
    if let Some(format) = named(path) {
        return Ok(Some(format));
    }
    // Read as csv, these would give rows of rubbish.
    let name = path.to_ascii_lowercase();
    let others = [".gz", ".zst", ".bz2", ".xz", ".zip", ".tgz", ".xlsx", ".orc", ".avro"];
    match others.iter().find(|extension| name.ends_with(*extension)) {
        Some(extension) => {
            let message = format!("`{path}`: {extension} tables are not available in this version");
            Err(Problem::new("job.url_list", At::Nowhere, message).help(
                "available: csv, tsv, txt, json and jsonl (also .gz and .zst), parquet, arrow, and tar (not compressed)",
            ))
        }
        None => Ok(None),
    }
}
