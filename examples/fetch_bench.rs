//! Measures the fetch room alone: `fetch_bench URLS THREADS [current|multi] [ROUNDS]`.
//!
//! URLS is a file with one URL per line. Each round fetches them all with THREADS in flight, drops the payloads, and
//! prints wall and CPU seconds, MB/s and peak RSS.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use clipmill::config::Reading;
use clipmill::fetch::Fetcher;
use clipmill::sample::Budget;
use futures_util::StreamExt;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let urls =
        std::fs::read_to_string(args.first().ok_or("usage: fetch_bench URLS THREADS [current|multi] [ROUNDS]")?)?;
    let urls: Vec<&str> = urls.lines().collect();
    let threads: u32 = args.get(1).map_or(Ok(16), |text| text.parse())?;
    let rounds: u32 = args.get(3).map_or(Ok(5), |text| text.parse())?;
    let mut builder = match args.get(2).map(String::as_str) {
        Some("multi") => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = builder.worker_threads(2).enable_all().build()?;
    let reading = Reading { allow_private_networks: true, ..Reading::default() };
    for _ in 0..rounds {
        let (wall, cpu) = (Instant::now(), cpu_seconds());
        // Made anew each round: start-up is part of a job's time.
        let scratch = Arc::new(std::env::temp_dir());
        let fetcher = Fetcher::new(&reading, threads, 1, Budget::new(256 << 20), scratch)?;
        let bytes = runtime.block_on(fetch_all(&fetcher, &urls, threads as usize));
        let (wall, cpu) = (wall.elapsed().as_secs_f64(), cpu_seconds() - cpu);
        println!("{wall:.3} s  {cpu:.3} CPU s  {:.0} MB/s  peak RSS {} MB", bytes as f64 / 1e6 / wall, peak_rss_mb());
    }
    Ok(())
}

async fn fetch_all(fetcher: &Fetcher, urls: &[&str], threads: usize) -> u64 {
    let fetches = futures_util::stream::iter(urls.iter().map(|url| fetcher.fetch(url)));
    let lengths = fetches.buffer_unordered(threads).map(|fetched| match fetched {
        Ok(fetched) => fetched.payload.len(),
        Err(error) => {
            eprintln!("{error}");
            0
        }
    });
    lengths.fold(0, async |sum, length| sum + length).await
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    // SAFETY: `rusage` is plain numbers, for which zero is a value, and the call only writes into it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

fn peak_rss_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1024
}
