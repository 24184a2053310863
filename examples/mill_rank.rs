//! A rank that does nothing but hand samples to a worker: what the boundary between the two costs.
//!
//! Arguments: the worker program, what it shall do (default `echo`), samples (default 500), bytes of each (default 1 MB),
//! workers (default 1). Run it with `mill_test_worker`.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use clipmill::mill::{Limits, Pool, PoolOptions, Request};
use clipmill::sample::{Budget, Payload};
use serde_json::{Map, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |at: usize, default| arguments.get(at).map_or(Ok(default), |text| text.parse::<u64>());
    let what = arguments.get(2).cloned().unwrap_or_else(|| "echo".into());
    let (samples, bytes, workers) = (number(3, 500)?, number(4, 1_000_000)?, number(5, 1)?);
    let pool = Arc::new(Pool::new(PoolOptions {
        program: arguments.get(1).map_or_else(Pool::program, Into::into),
        workers: u32::try_from(workers)?,
        limits: Limits::default(),
        scratch: Arc::new(std::env::temp_dir()),
        budget: Budget::new(1 << 30),
    })?);
    println!("sandbox: {}", pool.sandbox().await?);
    let media = bytes::Bytes::from(vec![7; usize::try_from(bytes)?]);
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..samples {
        if tasks.len() as u64 == workers {
            tasks.join_next().await.transpose()?;
        }
        let request =
            Request { media: Payload::from_bytes(media.clone()), recipe: json!({ "do": what }), meta: Map::new() };
        let pool = Arc::clone(&pool);
        tasks.spawn(async move { pool.run(request).await.map(|answer| answer.outputs.len()) });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{samples} samples of {bytes} bytes over {workers} workers: {:.0} samples/s", samples as f64 / seconds);
    Ok(())
}
