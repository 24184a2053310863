//! The one pass that all outputs of a sample come of.

use super::clips::{Clips, Done, Job};
use super::flows::Flows;
use super::images::Images;
use super::outputs::{Fields, Output};
use super::thin;
use super::watching::Watching;
use super::work::Work;
use crate::gpu::Cost;
use crate::media::{Action, ClipSpec, DecodeOptions, Event, Media, PassOptions, Streams, Stretch, VideoSpec, select};
use crate::mill::worker::Outlet;
use crate::sample::Failure;
use crate::subsample::{Decode, Images as Kind};

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
    let mut options = options(work, &jobs, outputs, &source, watches);
    if options.frames.is_none() && options.packets.is_empty() {
        return Ok(None);
    }
    // Pictures are as large as the video would be.
    let shape = [source.turn(), work.edit.picture.clone()].into_iter().flatten();
    let shape = shape.reduce(|turn, picture| format!("{turn},{picture}"));
    let mut images = Images::new(work, outputs, shape, media.log().lines_so_far());
    let mut watching = if watches { Some(Watching::new(work.subsamplers, work.video.as_ref())?) } else { None };
    let mut flows = Flows::new(work, outputs);
    let is_only_flow = work.edit.flow.is_some() && !watches && work.edit.images.is_none() && !encodes(&jobs);
    let nvdec = choose_decoder(work, media, &options, flows.cost().filter(|_| is_only_flow));
    if let Some(frames) = &mut options.frames {
        frames.stays_on_device = nvdec && is_only_flow;
    }
    let sound = source.sound().map(|(index, unit)| (index, f64::from(unit)));
    let video = work.video.as_ref().map(|video| (video.stream, f64::from(video.time_base)));
    let jobs = jobs.into_iter().filter(|job| !job.files.is_empty()).collect();
    let mut clips = Clips::new(&source, video, sound, jobs);
    // Where frames are left out, there may be none in what nobody wants to see; but flow wants its first one.
    let needs_frames = options.frames.is_some() && (options.actions.is_none() || work.edit.flow.is_some());
    let mut pass = media.pass(options)?;
    let mut count: i64 = 0;
    let mut refused = Vec::new();
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
                images.frame(&frame, pts, outlet)?;
                flows.frame(&frame, pts, outlet, work)?;
                clips.frame(&frame, pts)?;
            }
        }
        refused.extend(store(clips.take_done(), work, (start, meta), outputs, outlet)?);
    }
    if needs_frames && pass.report().frames == 0 {
        return Err(pass.no_frames().into());
    }
    drop(pass);
    if nvdec {
        work.processors.decoded(media)?;
    }
    refused.extend(store(clips.finish()?, work, (start, meta), outputs, outlet)?);
    images.store(outputs);
    flows.store(outputs, work.recipe.formats.optical_flow.as_deref(), outlet)?;
    if !refused.is_empty() {
        encode(work, media, &source, (&refused, outputs), meta, outlet)?;
    }
    Ok(watching)
}

/// Makes clips whose parts did not fit together, in a pass of their own: they are encoded from end to end.
fn encode(
    work: &Work<'_>,
    media: &mut Media,
    source: &Streams,
    (refused, outputs): (&[usize], &mut [Output]),
    meta: &Fields,
    outlet: &Outlet<'_>,
) -> Result<(), Failure> {
    let start = media.start_seconds();
    let own = || refused.iter().filter_map(|index| Some((*index, outputs.get(*index)?)));
    let jobs = own().map(|(index, output)| job(index, output, work, source, start)).collect();
    let stretches: Vec<Stretch> = own().filter_map(|(_, output)| output.stretch()).collect();
    let sound = source.sound().map(|(index, unit)| (index, f64::from(unit)));
    let video = work.video.as_ref().map(|video| (video.stream, f64::from(video.time_base)));
    let mut clips = Clips::new(source, video, sound, jobs);
    let mut pass = media.pass(PassOptions {
        frames: Some(DecodeOptions::default()),
        actions: select(&work.packets, &stretches, None),
        packets: sound.map(|(index, _)| index).into_iter().collect(),
    })?;
    while !clips.is_over() {
        match pass.next_event()? {
            None => break,
            Some(Event::Packet(packet)) => clips.packet(packet)?,
            // Only streams whose packets all have times are cut into parts.
            Some(Event::Frame(frame)) => clips.frame(&frame, frame.pts.unwrap_or(0))?,
        }
    }
    drop(pass);
    store(clips.finish()?, work, (start, meta), outputs, outlet)?;
    Ok(())
}

fn job(index: usize, output: &Output, work: &Work<'_>, source: &Streams, start: f64) -> Job {
    Job { index, span: output.span(work, start), files: output.files(work, source, start) }
}

/// Keeps what was made. Gives back the outputs that are to be encoded from end to end after all.
fn store(
    done: Vec<Done>,
    work: &Work<'_>,
    (start, meta): (f64, &Fields),
    outputs: &mut [Output],
    outlet: &Outlet<'_>,
) -> Result<Vec<usize>, Failure> {
    let mut again = Vec::new();
    for Done { index, files, refused } in done {
        let Some(output) = outputs.get_mut(index) else { continue };
        if let Some(why) = refused {
            output.smart = Some(Err(why));
            again.push(index);
        }
        for (extension, file) in files {
            if let Some(video) = &file.video {
                output.note(video, work, start, meta);
            }
            output.members.push((extension, outlet.store_all(&file.bytes.pieces())?));
        }
    }
    Ok(again)
}

/// What the pass has to meet: no frame is decoded that no output needs.
fn options(work: &Work<'_>, jobs: &[Job], outputs: &[Output], source: &Streams, watches: bool) -> PassOptions {
    let files: Vec<&ClipSpec> = jobs.iter().flat_map(|job| &job.files).collect();
    let encodes = encodes(jobs);
    let copies = files.iter().any(|file| matches!(file.video, VideoSpec::Copy | VideoSpec::Smart(_)));
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

fn encodes(jobs: &[Job]) -> bool {
    jobs.iter().flat_map(|job| &job.files).any(|file| match &file.video {
        VideoSpec::Encode { .. } => true,
        VideoSpec::Smart(smart) => smart.seams.encoded() > 0,
        VideoSpec::Copy | VideoSpec::None => false,
    })
}

/// Has the GPU decode the video, where that is wanted and worth it.
fn choose_decoder(work: &Work<'_>, media: &mut Media, options: &PassOptions, only_flow: Option<Cost>) -> bool {
    if options.frames.is_none() || work.video.is_none() {
        return false;
    }
    let decoded =
        options.actions.as_ref().map(|actions| actions.iter().filter(|action| **action != Action::Skip).count());
    let frames = decoded.unwrap_or(work.packets.len()) as u64;
    let hardware = work.processors.for_decode(media, Decode { pixels: work.pixels(), frames, only_flow });
    let is_chosen = hardware.is_some();
    media.decode_on(hardware);
    is_chosen
}

fn actions(work: &Work<'_>, outputs: &[Output], encodes: bool) -> Option<Vec<Action>> {
    // Where times do not tell frames apart: decode all.
    if !work.has_clock() || work.edit.flow.is_some() && !work.tells_times() {
        return None;
    }
    let wanted: Vec<&Output> = outputs.iter().filter(|output| output.is_open()).collect();
    let stretches: Vec<_> = wanted.iter().flat_map(|output| to_decode(output, work)).collect();
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

/// The frames of an output that have to be decoded.
fn to_decode(output: &Output, work: &Work<'_>) -> Vec<Stretch> {
    match output.smart {
        // Pictures may be any of its frames, and flow goes over all of them.
        Some(Ok(seams)) if work.edit.images.is_none() && work.edit.flow.is_none() => seams.edges().collect(),
        _ => vec![output.stretch().unwrap_or(thin::EVERYTHING)],
    }
}
