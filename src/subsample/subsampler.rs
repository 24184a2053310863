//! What every subsampler is to the others.

use serde_json::{Map, Value};

use super::edit::{Edit, Picture};
use super::{Needs, Problem};
use crate::sample::{Column, Failure};

#[cfg(feature = "media")]
use super::watch::Watcher;
#[cfg(feature = "media")]
use crate::media::{Media, VideoInfo};

/// One configured subsampler: its settings, and what it does at each stage of a sample's way. A stage that does not
/// concern it is left out.
///
/// A row of the registry is all that it takes to be known to configs, plans and workers.
pub trait Subsampler {
    /// Adds what it has to be shown, for the planner.
    fn needs(&self, needs: &mut Needs);

    /// The JSON fields that it makes, beside `key` and its like.
    fn fields(&self) -> Vec<Column> {
        Vec::new()
    }

    /// Settings that cannot be, or do not fit together.
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }

    /// Before a frame is decoded: fields from the container and its packets.
    ///
    /// # Errors
    /// The sample's failure.
    #[cfg(feature = "media")]
    fn probe(&self, _media: &mut Media, _meta: &mut Map<String, Value>) -> Result<(), Failure> {
        Ok(())
    }

    /// What has to see every frame of the video.
    ///
    /// # Errors
    /// The sample's failure.
    #[cfg(feature = "media")]
    fn watcher(&self, _video: &VideoInfo) -> Result<Option<Box<dyn Watcher>>, Failure> {
        Ok(None)
    }

    /// What is to be done with the pictures and the sound of each clip.
    ///
    /// # Errors
    /// The sample's failure: these settings and this picture do not go together.
    fn edit(&self, _picture: Picture, _edit: &mut Edit) -> Result<(), Failure> {
        Ok(())
    }

    /// Whether the sample with these fields is wanted.
    ///
    /// # Errors
    /// The sample's failure.
    fn keeps(&self, _meta: &Map<String, Value>) -> Result<bool, Failure> {
        Ok(true)
    }
}
