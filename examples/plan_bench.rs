//! How fast, and in how much memory, a large table becomes a plan: `cargo run --release --example plan_bench [ROWS]`.

use std::sync::Arc;
use std::time::Instant;

use clipmill::ledger::storage::LocalStorage;
use clipmill::ledger::{ColumnSpec, InputFingerprint, PlanSpec, PlanWriter};
use clipmill::sample::Cell;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rows: u64 = std::env::args().nth(1).map_or(Ok(10_000_000), |rows| rows.parse())?;
    let folder = std::env::temp_dir().join(format!("clipmill-plan-bench-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    let spec = PlanSpec {
        number_sample_per_shard: 1000,
        oom_shard_count: 5,
        columns: vec![ColumnSpec::inferred("id"), ColumnSpec::text("caption"), ColumnSpec::text("url")],
        config: Default::default(),
        created_by: None,
    };
    let start = Instant::now();
    let mut writer = PlanWriter::begin(Arc::new(LocalStorage::new(&folder)), spec)?;
    let (mut id, mut url) = (String::new(), String::new());
    for row in 0..rows {
        use std::fmt::Write;
        id.clear();
        url.clear();
        write!(id, "{row}")?;
        write!(url, "https://videos.example.org/clips/{row:09}.mp4")?;
        writer.push_row(&[Cell::Text(&id), Cell::Text("a short caption"), Cell::Text(&url)], None)?;
    }
    writer.end_input(InputFingerprint { path: "bench".into(), size: 0, mtime_ns: 0, sha256: None })?;
    let plan = writer.finish()?;
    let seconds = start.elapsed().as_secs_f64();
    println!("{rows} rows, {} shards, {seconds:.2} s, {:.2} M rows/s", plan.shards(), rows as f64 / seconds / 1e6);
    println!("peak memory {} MiB", peak_kib().unwrap_or(0) / 1024);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// `VmHWM` of proc_pid_status(5).
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}
