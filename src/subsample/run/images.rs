//! Frames as members of their own.

use super::outputs::Output;
use super::work::Work;
use crate::media::{DecodedFrame, ImageFormat, LogLines, encode_image};
use crate::mill::worker::{Outlet, Stored};
use crate::sample::Failure;
use crate::subsample::Images as Kind;

/// Extension of the pictures.
const EXTENSION: &str = "jpg";

/// The pictures of all outputs in the making.
pub struct Images {
    kind: Option<Kind>,
    turn: Option<String>,
    log: LogLines,
    /// Times that each output takes its pictures from, and those that it has: stored as they come, for a long video has
    /// more of them than memory.
    outputs: Vec<(bool, i64, i64, Vec<Stored>)>,
}

impl Images {
    pub fn new(work: &Work<'_>, outputs: &[Output], turn: Option<String>, log: LogLines) -> Self {
        let bounds = |output: &Output| output.stretch().map_or((i64::MIN, i64::MAX), |s| (s.start, s.end));
        let entry = |output: &Output| {
            let (start, end) = bounds(output);
            (output.is_wanted, start, end, Vec::new())
        };
        Self { kind: work.edit.images, turn, log, outputs: outputs.iter().map(entry).collect() }
    }

    /// Whether pictures are still to come.
    pub fn is_waiting(&self) -> bool {
        match self.kind {
            None => false,
            Some(Kind::First) => self.outputs.iter().any(|(is_wanted, .., made)| *is_wanted && made.is_empty()),
            Some(_) => true,
        }
    }

    pub fn frame(&mut self, frame: &DecodedFrame<'_>, pts: i64, outlet: &Outlet<'_>) -> Result<(), Failure> {
        let Some(kind) = self.kind else { return Ok(()) };
        let mut picture = None;
        for (is_wanted, start, end, made) in &mut self.outputs {
            let takes = match kind {
                Kind::First => made.is_empty(),
                _ => frame.is_key,
            };
            if !*is_wanted || !takes || !(*start..*end).contains(&pts) {
                continue;
            }
            let bytes = match &picture {
                Some(bytes) => bytes,
                None => picture.insert(encode_image(frame.raw(), self.turn.as_deref(), ImageFormat::Jpeg, &self.log)?),
            };
            made.push(outlet.store(bytes)?);
        }
        Ok(())
    }

    pub fn store(self, outputs: &mut [Output]) {
        for (output, (.., made)) in outputs.iter_mut().zip(self.outputs) {
            for (n, stored) in made.into_iter().enumerate() {
                let extension = match self.kind {
                    Some(Kind::Keyframes) => format!("{n:04}.{EXTENSION}"),
                    _ => EXTENSION.to_owned(),
                };
                output.members.push((extension, stored));
            }
        }
    }
}
