//! One sample's way through the passes.

use serde_json::{Map, Value};

use super::once::{self, Ready};
use super::outputs::{Fields, Output};
use super::pass;
use super::said;
use super::smart::{self, Wish};
use super::spans;
use super::watching::Watching;
use crate::media::{DecodeOptions, Event, Media, MediaError, PacketInfo, PassOptions, VideoInfo};
use crate::mill::worker::{Made, Outlet};
use crate::sample::Failure;
use crate::subsample::clips::Frames;
use crate::subsample::{ClipSource, Decode, Edit, Passes, Picture, Processors, Recipe, Subsampler};

/// A sample on its way.
pub struct Work<'a> {
    pub recipe: &'a Recipe,
    pub subsamplers: &'a [Box<dyn Subsampler>],
    pub passes: Passes,
    pub video: Option<VideoInfo>,
    /// Of the video, in the file's order; empty where nothing needs them.
    pub packets: Vec<PacketInfo>,
    /// What they tell of the frames.
    pub frames: Frames,
    pub edit: Edit,
    pub groups: Wish,
    pub processors: &'a Processors,
}

/// Makes the sample's outputs.
pub fn run(
    recipe: &Recipe,
    subsamplers: &[Box<dyn Subsampler>],
    mut media: Media,
    meta: &Map<String, Value>,
    (outlet, processors): (&Outlet<'_>, &Processors),
) -> Result<Vec<Made>, Failure> {
    let mut meta = meta.clone();
    for subsampler in subsamplers {
        subsampler.probe(&mut media, &mut meta)?;
    }
    let work = Work::new(recipe, subsamplers, &mut media, processors)?;
    let mut seen = None;
    let mut ready = Ready::default();
    if work.passes.watches_first {
        let (pixels, frames) = (work.pixels(), work.packets.len() as u64);
        let hardware = processors.for_decode(&media, Decode { pixels, frames, only_flow: None });
        let nvdec = hardware.is_some();
        media.decode_on(hardware);
        let watching = match work.passes.cuts_at_once {
            true => once::run(&work, &mut media, outlet, &mut ready)?,
            false => work.watch_alone(&mut media)?,
        };
        if nvdec {
            processors.decoded(&media)?;
        }
        meta.extend(seen.insert(watching).finish()?);
    }
    let mut outputs = work.outputs(&media, &meta, seen.as_ref())?;
    ready.hand_out(&mut outputs, &work, media.start_seconds(), &meta);
    // Nothing more is found out about what nobody wants.
    if outputs.iter().any(Output::is_open)
        && let Some(mut watching) = pass::run(&work, &mut media, &mut outputs, &meta, outlet)?
    {
        meta.extend(watching.finish()?);
        for output in &mut outputs {
            output.add_seen(&watching, &work);
        }
    }
    if recipe.clips == Some(ClipSource::SubtitleFrames) {
        said::settle(&mut outputs)?;
    }
    // What the rank gave is the rank's; sent back with every clip, it would be a multiple of all subtitles.
    let made = recipe.fields();
    meta.retain(|name, _| made.iter().any(|field| field.name == *name));
    Ok(outputs.into_iter().map(|output| output.into_made(&meta, &work)).collect())
}

impl<'a> Work<'a> {
    pub fn new(
        recipe: &'a Recipe,
        subsamplers: &'a [Box<dyn Subsampler>],
        media: &mut Media,
        processors: &'a Processors,
    ) -> Result<Self, Failure> {
        let passes = Passes::of(recipe);
        let video = media.video().ok();
        let shows = passes.watches || passes.images || passes.flow;
        let needs_video = recipe.formats.video.is_some() && !passes.keeps_media || shows;
        if needs_video && video.is_none() {
            return Err(MediaError::NoVideo.into());
        }
        if recipe.formats.video.is_none() && recipe.formats.audio.is_some() && !recipe.formats.sound_apart {
            media.audio()?;
        }
        let mut edit = Edit::default();
        let picture = video.as_ref().map_or(Picture { width: 0, height: 0 }, upright);
        for subsampler in subsamplers {
            subsampler.edit(picture, &mut edit)?;
        }
        let (packets, frames) = (Vec::new(), Frames::default());
        let mut work = Self { recipe, subsamplers, passes, video, packets, frames, edit, groups: None, processors };
        if work.wants_index() {
            work.index(media)?;
        }
        Ok(work)
    }

    /// Clips are cut by it, and frames that nobody will see need not be decoded.
    fn wants_index(&self) -> bool {
        let chooses = self.edit.images.is_some() || self.edit.fps.is_some();
        let shows_all = self.passes.watches && !self.passes.watches_first;
        self.passes.clips || self.passes.flow || (chooses && !shows_all)
    }

    /// Of a frame, as the container says.
    pub fn pixels(&self) -> u64 {
        self.video.as_ref().map_or(0, |video| u64::from(video.width) * u64::from(video.height))
    }

    /// Whether the packets' times tell frames apart: there are any, and the clock is not set back.
    pub fn has_clock(&self) -> bool {
        !self.packets.is_empty() && self.packets.iter().filter_map(|packet| packet.dts).is_sorted()
    }

    /// Whether, over that, each frame's time is known before it is decoded.
    pub fn tells_times(&self) -> bool {
        self.has_clock() && self.packets.iter().all(|packet| packet.pts.is_some())
    }

    fn index(&mut self, media: &mut Media) -> Result<(), Failure> {
        let Some(video) = &self.video else { return Ok(()) };
        (self.packets, self.groups) = smart::packets(self.recipe, media)?;
        let copies = self.passes.video == super::super::Work::Copy;
        if copies && self.packets.iter().any(|packet| packet.pts.is_none()) {
            return Err(MediaError::NoTimes.into());
        }
        let unit = f64::from(video.time_base);
        let usual = video.frame_rate.map_or(0.04, |rate| 1.0 / f64::from(rate));
        let shown = self.packets.iter().filter(|packet| !packet.is_discarded);
        let times = shown.filter_map(|packet| Some((packet.time()?, packet.is_key))).collect();
        let last = self.packets.iter().filter(|packet| !packet.is_discarded).max_by_key(|packet| packet.time());
        // The length of the last frame ends the video.
        let length = last.map(|last| last.duration).filter(|length| *length > 0);
        let length = length.unwrap_or((usual / unit).round() as i64);
        self.frames = Frames::new(times, unit, media.start_seconds(), length);
        Ok(())
    }

    /// A decode for what watches, where what to make depends on it.
    fn watch_alone(&self, media: &mut Media) -> Result<Watching, Failure> {
        let mut watching = Watching::new(self.subsamplers, self.video.as_ref())?;
        let options = PassOptions { frames: Some(DecodeOptions::default()), ..PassOptions::default() };
        let mut pass = media.pass(options)?;
        while let Some(event) = pass.next_event()? {
            if let Event::Frame(mut frame) = event {
                watching.frame(&mut frame)?;
            }
        }
        if pass.report().frames == 0 {
            return Err(pass.no_frames().into());
        }
        Ok(watching)
    }

    /// What is to be made, by what is known now.
    pub fn outputs(&self, media: &Media, meta: &Fields, seen: Option<&Watching>) -> Result<Vec<Output>, Failure> {
        let mut outputs = match self.recipe.clips {
            None => vec![Output::whole()],
            Some(source) => spans::clips(self, source, media, meta)?,
        };
        for output in &mut outputs {
            if let Some(watching) = seen {
                output.add_seen(watching, self);
            }
        }
        self.decide(&mut outputs, meta)?;
        Ok(outputs)
    }

    /// Marks the outputs that nobody wants.
    fn decide(&self, outputs: &mut [Output], meta: &Fields) -> Result<(), Failure> {
        // One copy for all: a sample's fields may hold all that is said in hours.
        let mut fields = meta.clone();
        for output in outputs {
            fields.extend(output.fields.clone());
            for subsampler in self.subsamplers {
                output.is_wanted &= subsampler.keeps(&fields)?;
            }
            for name in output.fields.keys() {
                match meta.get(name) {
                    Some(value) => fields.insert(name.clone(), value.clone()),
                    None => fields.remove(name),
                };
            }
        }
        Ok(())
    }
}

/// After the turn that the container asks for.
fn upright(video: &VideoInfo) -> Picture {
    match video.rotation {
        90 | 270 => Picture { width: video.height, height: video.width },
        _ => Picture { width: video.width, height: video.height },
    }
}
