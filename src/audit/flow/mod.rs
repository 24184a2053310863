//! The optical flow of a sample as a picture.
//!
//! ```text
//! mod      the sample's member → a picture
//! pairs    the member's numbers, one flow at a time; npy reads its header
//! tile     one flow, made as large as can be looked at
//! wheel    a vector as a colour
//! sheet    tiles side by side, and the wheel that explains them
//! ```

mod npy;
mod pairs;
mod sheet;
mod tile;
mod wheel;

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::InspectError;
use crate::sink::reader::{MemberAt, ReadTarError, TarReader};
use crate::sink::stored::StoredError;

pub use pairs::PairsError;

use pairs::Pairs;
use tile::Tile;

/// Flows on a sheet, at most.
pub const MAX_PAIRS: usize = 64;

/// What of a flow is shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlowView {
    /// One flow alone, counted from 0; else a sheet.
    pub pair: Option<usize>,
    /// Flows on a sheet, spread over the video.
    pub pairs: usize,
    /// Pixels of movement that have full colour; else 99 % of what is shown is at most as long.
    pub scale: Option<f64>,
}

/// A picture of a flow, and what it shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FlowPicture {
    #[serde(skip)]
    pub png: Vec<u8>,
    /// Of the array: flows, height, width, and 2.
    pub shape: [u64; 4],
    /// The flows that are shown, counted from 0.
    pub pairs: Vec<usize>,
    /// Pixels of the picture for each pixel of the flow; less than one where it was made smaller.
    pub zoom: f64,
    /// Pixels of movement that have full colour.
    pub scale: f64,
    /// The longest movement that is shown, pixels.
    pub longest: f64,
    /// Vectors that are no numbers, which are black.
    pub not_numbers: u64,
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum FlowPictureError {
    #[error(transparent)]
    Shard(#[from] InspectError),
    #[error("{} has no sample {key}; `clipmill inspect {}` lists those that it has", path.display(), path.display())]
    NoSample { path: PathBuf, key: String },
    #[error("sample {key} has no optical flow: none of its members is one of {}; it has {members}", pairs::EXTENSIONS.join(", "))]
    NoFlow { key: String, members: String },
    #[error("the flow of sample {key} (`{extension}`) cannot be shown: {source}")]
    Array { key: String, extension: String, source: PairsError },
    #[error("sample {key} has the flows 0 to {last}; there is no flow {pair}")]
    NoPair { key: String, pair: usize, last: u64 },
    #[error("the picture cannot be made: {0}")]
    Png(#[from] png::EncodingError),
}

/// Draws the flow of one sample of a tar shard. The same bytes give the same picture. Memory: what is shown, not the array.
pub fn draw_flow(path: &Path, key: &str, view: FlowView) -> Result<FlowPicture, FlowPictureError> {
    let (file, members) = sample(path, key)?;
    let is_flow = |member: &&MemberAt| pairs::EXTENSIONS.contains(&member.extension.as_str());
    let Some(member) = members.iter().find(is_flow) else {
        let members =
            members.iter().map(|member| member.extension.escape_debug().to_string()).collect::<Vec<_>>().join(", ");
        return Err(FlowPictureError::NoFlow { key: key.to_owned(), members });
    };
    let failed = |source| FlowPictureError::Array { key: key.to_owned(), extension: member.extension.clone(), source };
    let mut array = pairs::open(file, member).map_err(failed)?;
    let shape = array.shape();
    let [flows, height, width, _] = shape;
    let pairs = match view.pair {
        Some(pair) if pair as u64 >= flows => {
            return Err(FlowPictureError::NoPair { key: key.to_owned(), pair, last: flows - 1 });
        }
        Some(pair) => vec![pair],
        None => spread(flows, view.pairs.clamp(1, MAX_PAIRS)),
    };
    let fit = tile::Fit::new(width as usize, height as usize, pairs.len() > 1);
    let tiles = tiles(array.as_mut(), &pairs, fit).map_err(failed)?;
    let lengths = tile::Lengths::of(&tiles);
    let scale = view.scale.unwrap_or(lengths.usual);
    let png = sheet::encode(&sheet::draw(&tiles, fit, scale))?;
    let not_numbers = lengths.not_numbers;
    Ok(FlowPicture { png, shape, pairs, zoom: fit.zoom(), scale, longest: lengths.longest, not_numbers })
}

/// Where the members of a sample lie.
fn sample(path: &Path, key: &str) -> Result<(File, Vec<MemberAt>), FlowPictureError> {
    let damaged = |error: ReadTarError| {
        InspectError::from(StoredError::Damaged { path: path.to_owned(), reason: error.to_string() })
    };
    let opened = File::open(path).map_err(|source| StoredError::Open { path: path.to_owned(), source });
    let file = opened.map_err(InspectError::from)?;
    let mut reader = TarReader::new(file).map_err(damaged)?;
    let mut members = Vec::new();
    while let Some(member) = reader.next_member().map_err(damaged)? {
        if member.key == key {
            members.push(member);
        } else if !members.is_empty() {
            break;
        }
    }
    if members.is_empty() {
        return Err(FlowPictureError::NoSample { path: path.to_owned(), key: key.to_owned() });
    }
    Ok((reader.into_inner(), members))
}

/// Numbers of flows, evenly over all.
fn spread(flows: u64, wanted: usize) -> Vec<usize> {
    let flows = usize::try_from(flows).unwrap_or(usize::MAX);
    let count = wanted.min(flows);
    (0..count).map(|n| (n as u128 * flows as u128 / count as u128) as usize).collect()
}

fn tiles(array: &mut dyn Pairs, pairs: &[usize], fit: tile::Fit) -> Result<Vec<Tile>, PairsError> {
    pairs.iter().map(|pair| Ok(fit.tile(&array.pair(*pair)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_are_spread_over_the_video() {
        assert_eq!(spread(3, 16), [0, 1, 2]);
        assert_eq!(spread(10, 4), [0, 2, 5, 7]);
        assert_eq!(spread(u64::MAX, 2), [0, usize::MAX / 2]);
    }
}
