//! The job's numbers as a Prometheus text file (exposition format 0.0.4), for the node exporter's textfile collector.
//!
//! The collector reads every `*.prom` of its folder at each scrape, refuses time stamps, and wants one HELP for one name
//! over all files: the texts below never vary.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::numbers::STAGES;
use super::watch::{Listener, News};

/// Writes the file at each look, and warns once where it cannot.
#[derive(Debug)]
pub struct MetricsFile {
    path: PathBuf,
    warned: bool,
}

impl MetricsFile {
    pub fn new(path: PathBuf) -> Self {
        Self { path, warned: false }
    }

    /// In whole or not at all: a scrape may come at any moment.
    fn write(&self, text: &str) -> io::Result<()> {
        // Not `*.prom`, which the collector would read; with the process in it, so that no two write the same file.
        let temporary = self.path.with_extension(format!("prom.{}.tmp", std::process::id()));
        let written = File::create(&temporary).and_then(|mut file| {
            // The exporter is another user, whatever our umask.
            file.set_permissions(fs::Permissions::from_mode(0o644))?;
            file.write_all(text.as_bytes())?;
            fs::rename(&temporary, &self.path)
        });
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

impl Listener for MetricsFile {
    fn tell(&mut self, news: &News<'_>) {
        if let Err(error) = self.write(&render(news))
            && !std::mem::replace(&mut self.warned, true)
        {
            tracing::warn!(
                "the metrics file {} cannot be written: {error}; the job goes on without it (telemetry.metrics_file)",
                self.path.display()
            );
        }
    }
}

/// The text of the file.
fn render(news: &News<'_>) -> String {
    let mut page = Page { text: String::new(), labels: labels(news) };
    plan(&mut page, news);
    committed(&mut page, news);
    rank(&mut page, news);
    page.text
}

/// Not `job`: the scrape has a label of that name.
fn labels(news: &News<'_>) -> String {
    let id = news.job.job.as_deref().unwrap_or_default();
    format!("job_id=\"{}\",rank=\"{}\"", escape(id), news.job.rank)
}

fn plan(page: &mut Page, news: &News<'_>) {
    page.gauge("clipmill_plan_shards", "Shards of the plan.", news.job.shards as f64);
    if let Some(rows) = news.job.rows {
        page.gauge("clipmill_plan_rows", "Input rows of the plan.", rows as f64);
    }
    page.gauge("clipmill_start_time_seconds", "When this start of the job began, Unix time.", news.job.started);
    page.gauge("clipmill_update_time_seconds", "When this file was written, Unix time.", news.now);
    let running = f64::from(u8::from(news.ended.is_none()));
    page.gauge("clipmill_running", "1 while the job works, 0 after its end.", running);
    let complete = f64::from(u8::from(news.ended == Some(true)));
    page.gauge("clipmill_complete", "1 once every shard of the plan is committed.", complete);
}

fn committed(page: &mut Page, news: &News<'_>) {
    let total = news.total;
    page.counter("clipmill_shards_committed_total", "Committed shards of the job.", total.shards);
    let statuses = [
        ("success", total.successes),
        ("failed_to_download", total.failed_to_download),
        ("failed_to_subsample", total.failed_to_subsample),
        ("filtered", total.filtered),
    ];
    page.counters("clipmill_rows_total", "Input rows of committed shards, by status.", "status", statuses);
    let failures = total.statuses.iter().filter(|(status, _)| *status != "success");
    let failures = failures.map(|(class, rows)| (class.as_str(), *rows));
    let help = "Input rows of committed shards that failed or were filtered, by cause.";
    page.counters("clipmill_failures_total", help, "class", failures);
    page.counter("clipmill_samples_written_total", "Samples in committed shards, clips one by one.", total.outputs);
    page.counter("clipmill_downloaded_bytes_total", "Bytes downloaded for committed shards.", total.bytes);
    let help = "Seconds that committed shards took, by stage; stages overlap.";
    page.head("clipmill_stage_seconds_total", help, "counter");
    for (stage, seconds) in STAGES.iter().zip(total.stages) {
        page.line("clipmill_stage_seconds_total", &format!(",stage=\"{stage}\""), seconds);
    }
}

fn rank(page: &mut Page, news: &News<'_>) {
    let rank = &news.rank;
    page.counter("clipmill_rank_rows_total", "Input rows finished by this rank since its start.", rank.rows_done);
    let help = "Input rows that failed on this rank since its start.";
    page.counter("clipmill_rank_failed_rows_total", help, rank.rows_failed);
    let help = "Bytes downloaded by this rank since its start.";
    page.counter("clipmill_rank_downloaded_bytes_total", help, rank.bytes);
    let help = "Shards committed by this rank since its start.";
    page.counter("clipmill_rank_shards_committed_total", help, rank.shards_committed);
    page.gauge("clipmill_rank_rows_in_flight", "Input rows that this rank works on.", news.in_flight as f64);
}

struct Page {
    text: String,
    labels: String,
}

impl Page {
    // Writing to a String cannot fail.
    fn head(&mut self, name: &str, help: &str, kind: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, more_labels: &str, value: f64) {
        let _ = writeln!(self.text, "{name}{{{}{more_labels}}} {value}", self.labels);
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.head(name, help, "gauge");
        self.line(name, "", value);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help, "counter");
        self.line(name, "", value as f64);
    }

    fn counters<'a>(&mut self, name: &str, help: &str, label: &str, values: impl IntoIterator<Item = (&'a str, u64)>) {
        self.head(name, help, "counter");
        for (word, value) in values {
            self.line(name, &format!(",{label}=\"{}\"", escape(word)), value as f64);
        }
    }
}

/// A label's value.
fn escape(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::super::{JobFacts, Numbers, Snapshot};
    use super::*;

    fn tell(file: &mut MetricsFile) {
        let job = JobFacts { job: Some("a\"b\\c\nd".into()), shards: 2, rows: Some(20), ..JobFacts::default() };
        let total = Numbers { shards: 1, rows: 10, successes: 9, failed_to_download: 1, ..Numbers::default() };
        let rank = Snapshot { rows_done: 10, rows_failed: 1, bytes: 5, shards_committed: 1 };
        let news = News {
            job: &job,
            total: &total,
            fresh: &[],
            first: false,
            rank,
            in_flight: 0,
            now: 1.5e9,
            ended: Some(true),
        };
        file.tell(&news);
    }

    #[test]
    fn the_file_is_there_whole_with_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = MetricsFile::new(folder.path().join("clipmill.prom"));
        tell(&mut file);
        tell(&mut file);
        let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["clipmill.prom"]);
        let text = fs::read_to_string(folder.path().join("clipmill.prom")).unwrap();
        let labels = r#"{job_id="a\"b\\c\nd",rank="0""#;
        assert!(text.contains(&format!("\nclipmill_plan_rows{labels}}} 20\n")), "{text}");
        assert!(text.contains(&format!("\nclipmill_rows_total{labels},status=\"success\"}} 9\n")), "{text}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_one_warning() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = MetricsFile::new(folder.path().join("none/clipmill.prom"));
        assert!(!file.warned);
        tell(&mut file);
        tell(&mut file);
        assert!(file.warned && !folder.path().join("none").exists());
    }
}
