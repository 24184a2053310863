//! Clips whose whole groups of pictures are copied.

use std::sync::Arc;

use super::work::Work;
use crate::media::{Groups, Media, MediaError, NotSmart, PacketInfo, Seams, SmartSpec, Stretch};
use crate::subsample::clips::Planned;
use crate::subsample::{Cut, Encoding, Recipe};

/// What can be copied, or why nothing can; none: nobody asked for it.
pub type Wish = Option<Result<Arc<Groups>, NotSmart>>;

/// The video's packets, and what of them can be copied.
pub fn packets(recipe: &Recipe, media: &mut Media) -> Result<(Vec<PacketInfo>, Wish), MediaError> {
    if recipe.clips.is_none() || recipe.formats.video.is_none() || recipe.needs().clips != Some(Cut::Smart) {
        return Ok((media.shown_packets()?, None));
    }
    if let Err(why) = allowed(recipe) {
        return Ok((media.shown_packets()?, Some(Err(why))));
    }
    let (packets, groups) = media.surveyed_packets()?;
    let wanted = recipe.encoding.pixel_format.as_deref();
    let groups = groups.and_then(|groups| match wanted {
        Some(format) if !groups.encodes(format) => Err(NotSmart::Encoding),
        _ => Ok(Arc::new(groups)),
    });
    Ok((packets, Some(groups)))
}

/// What the config alone tells.
fn allowed(recipe: &Recipe) -> Result<(), NotSmart> {
    let Encoding { video_encoder, video_options, .. } = &recipe.encoding;
    let is_ours = video_encoder.as_deref().is_none_or(|encoder| encoder == Groups::ENCODER);
    match recipe.formats.video.as_deref() {
        _ if recipe.needs().encode => Err(NotSmart::Edited),
        Some("mp4" | "m4v" | "mov" | "mkv") if is_ours && video_options.is_empty() => Ok(()),
        Some("mp4" | "m4v" | "mov" | "mkv") => Err(NotSmart::Encoding),
        _ => Err(NotSmart::Container),
    }
}

/// The parts of a clip, or why it has none; none: nobody asked.
pub fn seams(work: &Work<'_>, planned: &Planned) -> Option<Result<Seams, NotSmart>> {
    let stretch = Stretch { start: planned.start, end: planned.end };
    let seams = |groups: &Arc<Groups>| groups.seams(stretch);
    work.groups.as_ref().map(|groups| groups.as_ref().map_err(|why| *why).and_then(seams))
}

/// What a file of these parts is made of.
pub fn spec(work: &Work<'_>, seams: Seams) -> Option<SmartSpec> {
    let Some(Ok(groups)) = &work.groups else { return None };
    let Encoding { preset, crf, .. } = &work.recipe.encoding;
    Some(SmartSpec { groups: groups.clone(), seams, codec: groups.edges(preset.as_deref(), *crf) })
}
