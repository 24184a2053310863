//! One sample's way through the passes.

use serde_json::{Map, Value};

use super::outputs::{Fields, Output};
use super::pass;
use super::spans;
use super::watching::Watching;
use crate::media::{DecodeOptions, Event, Media, MediaError, PacketInfo, PassOptions, VideoInfo};
use crate::mill::worker::{Made, Outlet};
use crate::sample::Failure;
use crate::subsample::clips::Frames;
use crate::subsample::{Edit, Passes, Picture, Recipe, Subsampler};

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
}

/// Makes the sample's outputs.
pub fn run(
    recipe: &Recipe,
    subsamplers: &[Box<dyn Subsampler>],
    mut media: Media,
    meta: &Map<String, Value>,
    outlet: &Outlet<'_>,
) -> Result<Vec<Made>, Failure> {
    let mut meta = meta.clone();
    for subsampler in subsamplers {
        subsampler.probe(&mut media, &mut meta)?;
    }
    let work = Work::new(recipe, subsamplers, &mut media)?;
    let mut seen = None;
    if work.passes.watches_first {
        let watching = seen.insert(work.watch_alone(&mut media)?);
        meta.extend(watching.finish()?);
    }
    let mut outputs = work.outputs(&media, &meta, seen.as_ref())?;
    // Nothing more is found out about what nobody wants.
    if outputs.iter().any(|output| output.is_wanted)
        && let Some(mut watching) = pass::run(&work, &mut media, &mut outputs, &meta, outlet)?
    {
        meta.extend(watching.finish()?);
        for output in &mut outputs {
            output.add_seen(&watching, &work);
        }
    }
    Ok(outputs.into_iter().map(|output| output.into_made(&meta, &work)).collect())
}

impl<'a> Work<'a> {
    fn new(recipe: &'a Recipe, subsamplers: &'a [Box<dyn Subsampler>], media: &mut Media) -> Result<Self, Failure> {
        let passes = Passes::of(recipe);
        let video = media.video().ok();
        let shows = passes.watches || passes.images || passes.flow;
        let needs_video = recipe.formats.video.is_some() && !passes.keeps_media || shows;
        if needs_video && video.is_none() {
            return Err(MediaError::NoVideo.into());
        }
        if recipe.formats.video.is_none() && recipe.formats.audio.is_some() {
            media.audio()?;
        }
        let mut edit = Edit::default();
        let picture = video.as_ref().map_or(Picture { width: 0, height: 0 }, upright);
        for subsampler in subsamplers {
            subsampler.edit(picture, &mut edit)?;
        }
        let mut work =
            Self { recipe, subsamplers, passes, video, packets: Vec::new(), frames: Frames::default(), edit };
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

    /// Whether each frame's time is known before it is decoded. Where the clock is set back, times do not tell frames apart.
    pub fn tells_times(&self) -> bool {
        let decoded = self.packets.iter().filter_map(|packet| packet.dts);
        !self.packets.is_empty() && decoded.is_sorted() && self.packets.iter().all(|packet| packet.pts.is_some())
    }

    fn index(&mut self, media: &mut Media) -> Result<(), Failure> {
        let Some(video) = &self.video else { return Ok(()) };
        self.packets = media.shown_packets()?;
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
    fn outputs(&self, media: &Media, meta: &Fields, seen: Option<&Watching>) -> Result<Vec<Output>, Failure> {
        let mut outputs = match self.recipe.clips {
            None => vec![Output::whole()],
            Some(source) => spans::clips(self, source, media, meta)?,
        };
        for output in &mut outputs {
            if let Some(watching) = seen {
                output.add_seen(watching, self);
            }
            let mut fields = meta.clone();
            fields.extend(output.fields.clone());
            for subsampler in self.subsamplers {
                output.is_wanted &= subsampler.keeps(&fields)?;
            }
        }
        Ok(outputs)
    }
}

/// After the turn that the container asks for.
fn upright(video: &VideoInfo) -> Picture {
    match video.rotation {
        90 | 270 => Picture { width: video.height, height: video.width },
        _ => Picture { width: video.width, height: video.height },
    }
}
