//! What the boundary between a rank and its worker costs: samples through a worker (`apart`), or through the same handler
//! in this process (`within`). tests/rig/bench_mill.py measures both.
//!
//! Arguments: `apart` or `within`, the subsampling of a config as JSON, the extension of the video to be made, files.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use clipmill::mill::worker::Here;
use clipmill::mill::{Limits, Pool, PoolOptions, Request};
use clipmill::sample::{Budget, Payload};
use clipmill::subsample::run::Maker;
use clipmill::subsample::{Formats, Recipe};
use serde_json::{Map, Value};

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("boundary apart|within SUBSAMPLING EXTENSION FILE...");
    let side = next()?;
    let subsampling: BTreeMap<String, Value> = serde_json::from_str(&next()?)?;
    let recipe = recipe(&subsampling, &next()?)?;
    let media: Vec<Bytes> = arguments.map(|path| std::fs::read(path).map(Bytes::from)).collect::<Result<_, _>>()?;
    match side.as_str() {
        "apart" => apart(&media, &recipe).await,
        "within" => within(&media, &recipe),
        other => Err(format!("{other}: neither apart nor within").into()),
    }
}

fn recipe(subsampling: &BTreeMap<String, Value>, extension: &str) -> Outcome<Value> {
    let formats = Formats::new(&BTreeMap::from([("video".to_owned(), extension.to_owned())]));
    let recipe = Recipe { steps: Recipe::steps(subsampling), formats, ..Recipe::default() };
    Ok(serde_json::to_value(recipe)?)
}

async fn apart(media: &[Bytes], recipe: &Value) -> Outcome<()> {
    let pool = Pool::new(PoolOptions {
        program: Pool::program(),
        workers: 1,
        limits: Limits::default(),
        scratch: Arc::new(std::env::temp_dir()),
        budget: Budget::new(4 << 30),
    })?;
    for one in media {
        let request = Request { media: Payload::from_bytes(one.clone()), recipe: recipe.clone(), meta: Map::new() };
        if let Some(failure) = pool.run(request).await?.failure {
            return Err(failure.message.into());
        }
    }
    Ok(())
}

/// The media lies in a file in memory here, too: FFmpeg reads files, and a rank without workers would have it in one.
fn within(media: &[Bytes], recipe: &Value) -> Outcome<()> {
    let mut here = Here::new(Limits::default(), Maker::new)?;
    for one in media {
        let (media, _) = Payload::from_bytes(one.clone()).into_file(&std::env::temp_dir())?;
        let outputs: File = tempfile::tempfile_in("/dev/shm")?;
        here.run(&media, recipe, &Map::new(), &outputs).map_err(|failure| failure.message)?;
    }
    Ok(())
}
