//! Cuts that become clips in the decode that finds them.

use super::clips::Done;
use super::outputs::{Fields, Output};
use super::scenes::Scenes;
use super::watching::Watching;
use super::work::Work;
use crate::media::{DecodeOptions, Event, Media, PassOptions, StreamSummary, Streams};
use crate::mill::worker::{Outlet, Stored};
use crate::sample::Failure;

/// Clips that were made before anybody asked for them.
#[derive(Default)]
pub struct Ready(Vec<Clip>);

/// One of them, by its first frame's time and the one behind its last.
struct Clip {
    stretch: (i64, i64),
    files: Vec<(String, Option<StreamSummary>, Stored)>,
}

/// Watches the video, and makes the clips that its cuts will be found to ask for: [`Scenes`] says which. What could not be
/// made here is left to a second decode.
///
/// # Errors
/// As for a decode that only watches. What goes wrong with a clip is met again when it is made by itself.
pub fn run(work: &Work<'_>, media: &mut Media, outlet: &Outlet<'_>, ready: &mut Ready) -> Result<Watching, Failure> {
    let mut watching = Watching::new(work.subsamplers, work.video.as_ref())?;
    let source = Streams::of(media);
    let mut scenes = Scenes::new(work, &source, media.start_seconds())?;
    let packets = scenes.as_ref().and_then(Scenes::sound_stream).into_iter().collect();
    let mut pass =
        media.pass(PassOptions { frames: Some(DecodeOptions::default()), packets, ..PassOptions::default() })?;
    while let Some(event) = pass.next_event()? {
        match event {
            Event::Packet(packet) => scenes = scenes.and_then(|scenes| scenes.packet(packet)),
            Event::Frame(mut frame) => {
                watching.frame(&mut frame)?;
                scenes = scenes.and_then(|scenes| scenes.frame(&frame, &watching));
            }
        }
        if let Some(scenes) = &mut scenes {
            ready.store(scenes.take_done(), outlet)?;
        }
    }
    if pass.report().frames == 0 {
        return Err(pass.no_frames().into());
    }
    drop(pass);
    if let Some(done) = scenes.and_then(|scenes| scenes.finish(&watching)) {
        ready.store(done, outlet)?;
    }
    Ok(watching)
}

impl Ready {
    fn store(&mut self, done: Vec<((i64, i64), Done)>, outlet: &Outlet<'_>) -> Result<(), Failure> {
        for (stretch, Done { files, .. }) in done {
            let store = |(extension, file): (String, crate::media::ClipFile)| {
                Ok((extension, file.video, outlet.store(&file.bytes)?))
            };
            self.0.push(Clip { stretch, files: files.into_iter().map(store).collect::<Result<_, Failure>>()? });
        }
        Ok(())
    }

    /// Gives each output its files, where they are here.
    pub fn hand_out(&mut self, outputs: &mut [Output], work: &Work<'_>, start: f64, meta: &Fields) {
        for output in outputs.iter_mut().filter(|output| output.is_wanted) {
            let Some(stretch) = output.planned.map(|planned| (planned.start, planned.end)) else { continue };
            let Some(at) = self.0.iter().position(|clip| clip.stretch == stretch) else { continue };
            for (extension, video, stored) in self.0.swap_remove(at).files {
                if let Some(video) = &video {
                    output.note(video, work, start, meta);
                }
                output.members.push((extension, stored));
            }
            output.is_made = true;
        }
    }
}
