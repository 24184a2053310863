//! `tracing` to stderr for people, and to one JSON-lines file per rank.

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Mutex;

use indicatif::MultiProgress;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// How this process logs.
#[derive(Debug)]
pub struct LogOptions<'a> {
    /// Shown in each line where there is more than one rank.
    pub rank: Option<u32>,
    /// The rank's JSON-lines file; none for commands that only read.
    pub json: Option<&'a Path>,
    /// Bars that lines must not tear.
    pub bars: MultiProgress,
}

/// Installs the logger of this process. `CLIPMILL_LOG` (as `debug` or `clipmill::fetch=trace`) sets what people see.
///
/// A log file that cannot be opened costs the file, not the job: the error is returned for a warning.
pub fn init(options: LogOptions<'_>) -> Option<io::Error> {
    let filter = EnvFilter::try_from_env("CLIPMILL_LOG").unwrap_or_else(|_| EnvFilter::new("info,hyper=warn,h2=warn"));
    let human = tracing_subscriber::fmt::layer()
        .event_format(Human { rank: options.rank, colour: colour() })
        .with_writer(AroundBars(options.bars))
        .with_filter(filter);
    let (file, error) = match options.json.map(open) {
        None => (None, None),
        Some(Ok(file)) => (Some(file), None),
        Some(Err(error)) => (None, Some(error)),
    };
    let json = file.map(|file| {
        tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(Mutex::new(file))
            .with_filter(EnvFilter::new("info,clipmill=debug,hyper=warn,h2=warn"))
    });
    // A second logger in one process happens in tests only; the first stays.
    let _ = tracing_subscriber::registry().with(human).with(json).try_init();
    error
}

/// Whether stderr wants colour: a terminal, and no `NO_COLOR`.
pub fn colour() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    File::options().create(true).append(true).open(path)
}

/// `07:41:09 [3] warning: message key=value`, where 3 is the rank.
struct Human {
    rank: Option<u32>,
    colour: bool,
}

impl<S, N> FormatEvent<S, N> for Human
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        // 2026-11-24T06:05:39.123456Z: people need the time of day.
        out.write_str(time.get(11..19).unwrap_or(&time))?;
        if let Some(rank) = self.rank {
            write!(out, " [{rank}]")?;
        }
        match (*event.metadata().level(), self.colour) {
            (Level::INFO, _) => out.write_str(" ")?,
            (Level::WARN, true) => out.write_str(" \x1b[33mwarning:\x1b[0m ")?,
            (Level::WARN, false) => out.write_str(" warning: ")?,
            (Level::ERROR, true) => out.write_str(" \x1b[31merror:\x1b[0m ")?,
            (Level::ERROR, false) => out.write_str(" error: ")?,
            (level, _) => write!(out, " {level} ")?,
        }
        context.field_format().format_fields(out.by_ref(), event)?;
        writeln!(out)
    }
}

/// Writes whole lines to stderr, around any progress bar.
struct AroundBars(MultiProgress);

struct LineBuffer {
    bars: MultiProgress,
    line: Vec<u8>,
}

impl<'a> MakeWriter<'a> for AroundBars {
    type Writer = LineBuffer;

    fn make_writer(&'a self) -> LineBuffer {
        LineBuffer { bars: self.0.clone(), line: Vec::new() }
    }
}

impl Write for LineBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LineBuffer {
    fn drop(&mut self) {
        // One write per line: lines of many ranks share one file under Slurm. A closed stderr is nobody's loss.
        self.bars.suspend(|| {
            let _ = io::stderr().write_all(&self.line);
        });
    }
}
