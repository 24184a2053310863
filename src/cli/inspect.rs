//! `clipmill inspect SHARD [KEY]`

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::HumanBytes;
use serde_json::Value;

use super::common::{Exit, complain, print, table, tell};
use crate::audit::{FlowPicture, FlowView, MAX_PAIRS, SampleEntry, draw_flow, inspect};

#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A shard's file: `.tar`, `.h5` or `.tfrecord`
    pub shard: PathBuf,
    /// One sample of it
    pub key: Option<String>,
    /// One JSON object per line instead of a table
    #[arg(long)]
    pub json: bool,
    /// Draw the sample's optical flow: colours are directions, as on the wheel beside it; the stronger, the faster
    #[arg(long, value_name = "PNG", requires = "key", value_parser = png_name)]
    pub flow: Option<PathBuf>,
    /// One flow alone, counted from 0
    #[arg(long, value_name = "I", requires = "flow")]
    pub pair: Option<usize>,
    /// Flows on the sheet, spread over the video
    #[arg(long, value_name = "N", default_value_t = 16, requires = "flow", conflicts_with = "pair",
          value_parser = clap::value_parser!(u8).range(1..=MAX_PAIRS as i64))]
    pub pairs: u8,
    /// Pixels of movement that have full colour, to compare pictures; else 99 % of what is shown is at most as fast
    #[arg(long, value_name = "PIXELS", requires = "flow", value_parser = pixels)]
    pub scale: Option<f64>,
}

/// Another file, above all the shard, is not to be lost by a slip.
fn png_name(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is_png = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"));
    if is_png { Ok(path) } else { Err("the picture is a PNG: give a name that ends with .png".into()) }
}

fn pixels(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 1e-6);
    number.ok_or_else(|| "give a number of pixels above 0".into())
}

pub fn run(args: InspectArgs) -> Exit {
    if let (Some(key), Some(to)) = (&args.key, &args.flow) {
        return draw(&args, key, to);
    }
    let mut samples = match inspect(&args.shard) {
        Ok(samples) => samples,
        Err(error) => {
            complain(&error);
            return Exit::Failure;
        }
    };
    if let Some(key) = &args.key {
        samples.retain(|sample| sample.key == *key);
        if samples.is_empty() {
            tell(&format!("error: {} has no sample {key}", args.shard.display()));
            return Exit::Failure;
        }
    }
    if args.json {
        let line = |sample| serde_json::to_string(sample).map(|text| text + "\n");
        return match samples.iter().map(line).collect::<Result<String, _>>() {
            Ok(text) => print(&text),
            Err(error) => {
                complain(&error);
                Exit::Failure
            }
        };
    }
    let header = ["key", "status", "members", "url", "error"].map(String::from).to_vec();
    let rows: Vec<_> = std::iter::once(header).chain(samples.iter().map(row)).collect();
    print(&table(&rows))
}

fn row(sample: &SampleEntry) -> Vec<String> {
    let text = |field: &str| match sample.meta.get(field) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let members: Vec<String> = sample.members.iter().map(|(ext, len)| format!("{ext} {}", HumanBytes(*len))).collect();
    vec![sample.key.clone(), text("status"), members.join(", "), text("url"), text("error_message")]
}

fn draw(args: &InspectArgs, key: &str, to: &Path) -> Exit {
    let view = FlowView { pair: args.pair, pairs: args.pairs.into(), scale: args.scale };
    let picture = match draw_flow(&args.shard, key, view) {
        Ok(picture) => picture,
        Err(error) => {
            complain(&error);
            return Exit::Failure;
        }
    };
    if let Err(error) = write(to, &picture.png) {
        tell(&format!("error: cannot write {}: {error}", to.display()));
        return Exit::Failure;
    }
    match serde_json::to_string(&picture) {
        Ok(line) if args.json => print(&(line + "\n")),
        _ => print(&told(&picture)),
    }
}

/// As a whole or not at all: who looks at a picture while it is made again sees the old one.
fn write(to: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = std::ffi::OsString::from(".");
    name.push(to.file_name().unwrap_or_default());
    name.push(format!(".{}", std::process::id()));
    let part = to.with_file_name(name);
    let written = std::fs::File::create_new(&part).and_then(|mut file| file.write_all(bytes));
    let moved = written.and_then(|()| std::fs::rename(&part, to));
    if moved.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    moved
}

fn told(picture: &FlowPicture) -> String {
    let [flows, height, width, _] = picture.shape;
    let numbers: Vec<String> = picture.pairs.iter().map(usize::to_string).collect();
    let what = if numbers.len() == 1 { "flow" } else { "flows" };
    let size = match picture.zoom {
        zoom if zoom > 1.0 => format!(", enlarged {zoom} ×"),
        zoom if zoom < 1.0 => format!(", made smaller by {}", (1.0 / zoom).round()),
        _ => String::new(),
    };
    let mut text = format!("{what} {} of {flows}; {width}×{height}{size}\n", numbers.join(", "));
    text += &format!("full colour: {:.3} px; longest: {:.3} px\n", picture.scale, picture.longest);
    if picture.not_numbers > 0 {
        text += &format!("{} vectors are no numbers: black\n", picture.not_numbers);
    }
    text
}
