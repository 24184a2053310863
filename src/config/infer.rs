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

fn by_name(path: &str) -> Result<Option<InputFormat>, Problem> {
    let name = path.to_ascii_lowercase();
    let formats = [
        (".csv", InputFormat::Csv),
        (".tsv", InputFormat::Tsv),
        (".txt", InputFormat::Txt),
        (".parquet", InputFormat::Parquet),
        (".tar", InputFormat::Webdataset),
    ];
    if let Some((_, format)) = formats.iter().find(|(extension, _)| name.ends_with(extension)) {
        return Ok(Some(*format));
    }
    // Read as csv, these would give rows of rubbish.
    let others = [".json", ".jsonl", ".ndjson", ".gz", ".zst", ".bz2", ".xz", ".zip", ".tgz", ".feather", ".arrow"];
    match others.iter().find(|extension| name.ends_with(*extension)) {
        Some(extension) => {
            let message = format!("`{path}`: {extension} tables are not available in this version");
            Err(Problem::new("job.url_list", At::Nowhere, message)
                .help("available: csv, tsv, txt, parquet, and tar (not compressed)"))
        }
        None => Ok(None),
    }
}
