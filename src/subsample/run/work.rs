//! One sample's way through the passes.

use serde_json::{Map, Value};

use crate::media::Media;
use crate::mill::worker::{Made, Outlet};
use crate::sample::Failure;
use crate::subsample::{Recipe, Subsampler};

/// Makes the sample's outputs.
pub fn run(
    recipe: &Recipe,
    subsamplers: &[Box<dyn Subsampler>],
    mut media: Media,
    meta: &Map<String, Value>,
    _outlet: &Outlet<'_>,
) -> Result<Vec<Made>, Failure> {
    let mut meta = meta.clone();
    for subsampler in subsamplers {
        subsampler.probe(&mut media, &mut meta)?;
    }
    let whole = Made { media: recipe.formats.video.clone(), ..Made::new(meta) };
    Ok(vec![whole])
}
