//! The one pass that all outputs of a sample come of.

use super::clips::{Clips, Done, Job};
use super::flows::Flows;
use super::images::Images;
use super::outputs::{Fields, Output};
use super::thin;
use super::watching::Watching;
use super::work::Work;
use crate::media::{Action, ClipSpec, DecodeOptions, Event, Media, PassOptions, Streams, VideoSpec, select};
use crate::mill::worker::Outlet;
use crate::sample::Failure;
use crate::subsample::Images as Kind;

/// Makes all members, and gives back what watched on the way.
pub fn run(
    work: &Work<'_>,
    media: &mut Media,
    outputs: &mut [Output],
    meta: &Fields,
    outlet: &Outlet<'_>,
) -> Result<Option<Watching>, Failure> {
    let start = media.start_seconds();
    let source = Streams::of(media);
    let jobs: Vec<Job> = outputs.iter().enumerate().map(|(n, output)| job(n, output, work, &source, start)).collect();
    let watches = work.passes.watches && !work.passes.watches_first;
    let options = options(work, &jobs, outputs, &source, watches);
    if options.frames.is_none() && options.packets.is_empty() {
        return Ok(None);
    }
    let mut images = Images::new(work, outputs, source.turn(), media.log().lines_so_far());
    let mut watching = if watches { Some(Watching::new(work.subsamplers, work.video.as_ref())?) } else { None };
    let mut flows = Flows::new(work, outputs);
    let sound = source.sound().map(|(index, unit)| (index, f64::from(unit)));
    let video = work.video.as_ref().map(|video| (video.stream, f64::from(video.time_base)));
    let jobs = jobs.into_iter().filter(|job| !job.files.is_empty()).collect();
    let mut clips = Clips::new(&source, video, sound, jobs);
    // Where frames are left out, there may be none in what nobody wants to see; but flow wants its first one.
    let needs_frames = options.frames.is_some() && (options.actions.is_none() || work.edit.flow.is_some());
    let mut pass = media.pass(options)?;
    let mut count: i64 = 0;
    while watching.is_some() || images.is_waiting() || flows.is_waiting() || !clips.is_over() {
        let Some(event) = pass.next_event()? else { break };
        match event {
            Event::Packet(packet) => clips.packet(packet)?,
            Event::Frame(mut frame) => {
                if let Some(watching) = &mut watching {
                    watching.frame(&mut frame)?;
                }
                // A frame that no clock knows comes right behind the last.
                let pts = frame.pts.unwrap_or(count);
                count = pts + 1;
                images.frame(&frame, pts)?;
                flows.frame(&frame, pts, outlet)?;
                clips.frame(&frame, pts)?;
            }
        }
        store(clips.take_done(), work, (start, meta), outputs, outlet)?;
    }
    if needs_frames && pass.report().frames == 0 {
        return Err(pass.no_frames().into());
    }
    drop(pass);
    store(clips.finish()?, work, (start, meta), outputs, outlet)?;
    images.store(outputs, outlet)?;
    flows.store(outputs, work.recipe.formats.optical_flow.as_deref(), outlet)?;
    Ok(watching)
}

fn job(index: usize, output: &Output, work: &Work<'_>, source: &Streams, start: f64) -> Job {
    Job { index, span: output.span(work, start), files: output.files(work, source, start) }
}

fn store(
    done: Vec<Done>,
    work: &Work<'_>,
    (start, meta): (f64, &Fields),
    outputs: &mut [Output],
    outlet: &Outlet<'_>,
) -> Result<(), Failure> {
    for Done { index, files } in done {
        let Some(output) = outputs.get_mut(index) else { continue };
        for (extension, file) in files {
            if let Some(video) = &file.video {
                output.note(video, work, start, meta);
            }
            output.members.push((extension, outlet.store(&file.bytes)?));
        }
    }
    Ok(())
}

/// What the pass has to meet: no frame is decoded that no output needs.
fn options(work: &Work<'_>, jobs: &[Job], outputs: &[Output], source: &Streams, watches: bool) -> PassOptions {
    let files: Vec<&ClipSpec> = jobs.iter().flat_map(|job| &job.files).collect();
    let encodes = files.iter().any(|file| matches!(file.video, VideoSpec::Encode { .. }));
    let copies = files.iter().any(|file| file.video == VideoSpec::Copy);
    let sounds = files.iter().any(|file| file.sound != crate::media::SoundSpec::None);
    let shows_images = work.edit.images.is_some() && outputs.iter().any(|output| output.is_wanted);
    let flows = work.edit.flow.is_some() && outputs.iter().any(|output| output.is_wanted);
    let decodes = watches || encodes || shows_images || flows;
    let video = work.video.as_ref().map(|video| video.stream).filter(|_| copies);
    let sound = source.sound().map(|(index, _)| index).filter(|_| sounds);
    let keyframes_only = work.edit.images == Some(Kind::Keyframes) && !watches && !encodes && !flows;
    PassOptions {
        frames: decodes.then(|| DecodeOptions { keyframes_only, ..DecodeOptions::default() }),
        actions: if decodes && !watches && !keyframes_only { actions(work, outputs, encodes) } else { None },
        packets: video.into_iter().chain(sound).collect(),
    }
}

fn actions(work: &Work<'_>, outputs: &[Output], encodes: bool) -> Option<Vec<Action>> {
    if !work.tells_times() {
        return None;
    }
    let wanted: Vec<&Output> = outputs.iter().filter(|output| output.is_wanted).collect();
    let stretches: Vec<_> = wanted.iter().map(|output| output.stretch().unwrap_or(thin::EVERYTHING)).collect();
    if let (false, Some(flow), None | Some(Kind::First)) = (encodes, work.edit.flow, work.edit.images) {
        // The first frame, of which a picture may be made, is one of them.
        let taken = thin::ticks(&work.frames, &stretches, flow.fps);
        let stretches = thin::by_keyframe(&work.frames, &taken);
        return select(&work.packets, &stretches, Some(&|time| taken.binary_search(&time).is_ok()));
    }
    let fps = work.edit.fps.filter(|_| work.edit.flow.is_none());
    match (encodes, fps, work.edit.images) {
        (true, Some(fps), None) => {
            let shown = thin::shown(&work.frames, &stretches, fps);
            select(&work.packets, &stretches, Some(&|time| shown.binary_search(&time).is_ok()))
        }
        (false, _, Some(Kind::First)) => {
            let firsts = thin::firsts(&work.frames, &stretches);
            select(&work.packets, &firsts, None)
        }
        _ => select(&work.packets, &stretches, None),
    }
}
