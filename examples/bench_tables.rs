//! Reads a table as a plan does and reports rows per second and peak memory.
//!
//! `cargo run --release --example bench_tables -- TABLE [URL_COL [CAPTION_COL [ADDITIONAL …]]] [--no-hash]`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clipmill::config::InputFormat;
use clipmill::sample::Cell;
use clipmill::source::{InputStats, ReadError, ReadOptions, SourceError, TableSpec, read_from};

fn main() -> ExitCode {
    let (flags, mut words): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|word| word.starts_with("--"));
    if words.is_empty() || flags.iter().any(|flag| flag != "--no-hash") {
        eprintln!("usage: bench_tables TABLE [URL_COL [CAPTION_COL [ADDITIONAL …]]] [--no-hash]");
        return ExitCode::from(2);
    }
    let path = PathBuf::from(words.remove(0));
    let mut words = words.into_iter();
    let spec = TableSpec {
        format: format_of(&path),
        url_col: words.next().unwrap_or_else(|| "url".into()),
        caption_col: words.next(),
        clip_col: None,
        additional: words.collect(),
    };
    match measure(&path, &spec, ReadOptions { hash: flags.is_empty(), ..Default::default() }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn format_of(path: &Path) -> InputFormat {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("parquet") => InputFormat::Parquet,
        Some("tsv") => InputFormat::Tsv,
        Some("txt") => InputFormat::Txt,
        _ => InputFormat::Csv,
    }
}

fn measure(path: &Path, spec: &TableSpec, options: ReadOptions) -> Result<(), ReadError<SourceError>> {
    let start = Instant::now();
    // Looks at every cell, so that no work can be left out.
    let (mut text_bytes, mut problems) = (0, 0_u64);
    let stats: InputStats = read_from(path, spec, options, &mut |row| {
        problems += u64::from(row.problem.is_some());
        for cell in row.cells {
            text_bytes += if let Cell::Text(text) = cell { text.len() } else { 0 };
        }
        Ok(())
    })?;
    let seconds = start.elapsed().as_secs_f64();
    let rows = stats.rows as f64;
    println!(
        "{} rows ({problems} with problems, {text_bytes} bytes of text) in {seconds:.2} s: {:.2} M rows/s, {:.0} MB/s; \
         peak memory {} MB",
        stats.rows,
        rows / seconds / 1e6,
        stats.bytes as f64 / seconds / 1e6,
        peak_memory_mb()
    );
    Ok(())
}

/// `VmHWM` of this process.
fn peak_memory_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1024
}
