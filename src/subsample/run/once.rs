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
    let source = Streams::of(media);
    let scenes = Scenes::new(work, &source, media.start_seconds())?;
    watch(work, media, outlet, ready, scenes)
}

fn watch(
    work: &Work<'_>,
    media: &mut Media,
    outlet: &Outlet<'_>,
    ready: &mut Ready,
    mut scenes: Option<Scenes<'_>>,
) -> Result<Watching, Failure> {
    let mut watching = Watching::new(work.subsamplers, work.video.as_ref())?;
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
                Ok((extension, file.video, outlet.store_all(&file.bytes.pieces())?))
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

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    use serde_json::json;

    use super::*;
    use crate::media::Limits;
    use crate::sample::Container;
    use crate::subsample::Processors;
    use crate::subsample::run::Prepared;
    use crate::subsample::{ClipSource, Formats, Recipe, Step};

    /// Scenes of 3, 0.4 and 4 s with keyframes every second, and a tone.
    fn media(folder: &tempfile::TempDir) -> Media {
        let path = folder.path().join("a.mp4");
        let scenes = "testsrc2=d=3:s=96x64:r=25[a];smptebars=d=0.4:s=96x64:r=25[b];mandelbrot=s=96x64:r=25,trim=0:4[c];\
                      [a][b][c]concat=n=3";
        let mut ffmpeg = std::process::Command::new("ffmpeg");
        ffmpeg.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", scenes, "-f", "lavfi", "-i", "sine=d=7.4"]);
        ffmpeg.args(["-pix_fmt", "yuv420p", "-g", "25", "-preset", "ultrafast", "-c:a", "aac"]).arg(&path);
        assert!(ffmpeg.status().expect("ffmpeg is installed").success());
        Media::open(File::open(path).unwrap(), Container::Mp4, Limits::default()).unwrap()
    }

    fn recipe(precision: &str) -> Prepared {
        let step = |name: &str, args| Step { name: name.into(), args };
        let recipe = Recipe {
            formats: Formats { video: Some("mp4".into()), audio: Some("m4a".into()), ..Formats::default() },
            steps: vec![
                step("CutDetectionSubsampler", json!({"min_scene_len": 5})),
                step("ClippingSubsampler", json!({"min_length": 0.7, "max_length": 2, "precision": precision})),
                step("ResolutionSubsampler", json!({"video_size": 48, "resize_mode": "scale"})),
                step("FrameSubsampler", json!({"frame_rate": 10})),
            ],
            clips: Some(ClipSource::Cuts),
            ..Recipe::default()
        };
        Prepared::new(&serde_json::to_value(recipe).unwrap()).unwrap()
    }

    /// The clips that one decode made, of all that are wanted: their stretch, and the bytes of their files.
    /// Of each clip: where it lies, and the bytes of its files.
    type Clips = (Vec<Option<(i64, i64)>>, Vec<Vec<Vec<u8>>>);

    fn made(precision: &str, max_waiting: Option<u64>) -> Clips {
        let folder = tempfile::tempdir().unwrap();
        let (mut media, prepared) = (media(&folder), recipe(precision));
        let processors = Processors::default();
        let work = Work::new(&prepared.recipe, &prepared.subsamplers, &mut media, &processors).unwrap();
        assert!(work.passes.cuts_at_once);
        let file = tempfile::tempfile().unwrap();
        let outlet = Outlet::new(&file, &crate::mill::Limits::default());
        let (source, start, mut ready) = (Streams::of(&media), media.start_seconds(), Ready::default());
        let scenes = Scenes::new(&work, &source, start).unwrap();
        let scenes = scenes.map(|scenes| match max_waiting {
            Some(bytes) => scenes.with_max_waiting(bytes),
            None => scenes,
        });
        let mut watching = watch(&work, &mut media, &outlet, &mut ready, scenes).unwrap();
        let meta = watching.finish().unwrap();
        let mut outputs = work.outputs(&media, &meta, Some(&watching)).unwrap();
        ready.hand_out(&mut outputs, &work, start, &meta);
        assert!(ready.0.is_empty(), "a clip that nobody wants");
        let bytes = |output: &Output| {
            let read = |(_, stored): &(String, Stored)| {
                let mut bytes = vec![0; stored.len() as usize];
                file.read_exact_at(&mut bytes, stored.offset()).unwrap();
                bytes
            };
            output.members.iter().map(read).collect::<Vec<_>>()
        };
        let stretch = |output: &Output| output.planned.map(|p| (p.start, p.end)).filter(|_| output.is_made);
        (outputs.iter().map(stretch).collect(), outputs.iter().map(bytes).collect())
    }

    #[test]
    fn every_clip_is_made_in_the_decode_that_finds_the_cuts() {
        for precision in ["exact", "keyframe_adjusted"] {
            let (stretches, files) = made(precision, None);
            assert_eq!(stretches.len(), 4, "{precision}: {stretches:?}");
            assert!(stretches.iter().all(Option::is_some), "{precision}: {stretches:?}");
            assert!(files.iter().all(|files| files.len() == 2), "{precision}");
        }
    }

    #[test]
    fn what_waits_is_limited() {
        // The sound of a clip can wait, its first pictures cannot: clips of known frames are begun at once, and are the same.
        let (_, files) = made("exact", None);
        let few = made("exact", Some(30_000));
        assert!(few.0.iter().all(Option::is_some) && few.1 == files, "{:?}", few.0);
        // Clips whose end lies before the frames that come are left to a second decode.
        let (stretches, _) = made("keyframe_adjusted", Some(30_000));
        assert!(stretches.contains(&None), "{stretches:?}");
        // And all of them, where their sound cannot wait.
        let (stretches, _) = made("exact", Some(100));
        assert!(stretches.iter().all(Option::is_none), "{stretches:?}");
    }
}
