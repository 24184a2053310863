//! The worker's side: runs a recipe over one sample's media.

mod check;
mod clips;
mod flows;
mod held;
mod images;
mod once;
mod outputs;
mod pass;
mod said;
mod scenes;
mod smart;
mod spans;
pub mod thin;
mod watching;
mod work;

use serde_json::Value;

use super::{Processors, Recipe, Subsampler, registry};
use crate::gpu::{DeviceInfo, Missing, Wish};
use crate::media::{self, Media};
use crate::mill::Limits;
use crate::mill::worker::{Handler, Log, Made, Task};
use crate::sample::{Failure, FailureClass, Usage, sniff};

/// Bytes that sniffing looks at.
const HEAD: usize = 512;

/// Makes of samples what recipes ask for. Every sample of a job has the same recipe, so the last one is kept.
pub struct Maker {
    limits: media::Limits,
    last: Option<(Value, Prepared)>,
    processors: Processors,
}

/// A recipe with its subsamplers made.
struct Prepared {
    recipe: Recipe,
    subsamplers: Vec<Box<dyn Subsampler>>,
}

impl Maker {
    /// FFmpeg's messages go to `log` as they come, so that the last ones survive a crash.
    pub fn new(limits: &Limits, log: &Log) -> Self {
        let log = log.clone();
        media::LogCapture::forward(move |line| log.line(line));
        let limits = media::Limits {
            max_pixels: limits.max_pixels,
            max_duration: limits.max_seconds,
            max_frames: limits.max_frames,
            ..media::Limits::default()
        };
        Self { limits, last: None, processors: Processors::default() }
    }

    fn prepare(&mut self, recipe: &Value) -> Result<(), Failure> {
        if !matches!(&self.last, Some((last, _)) if last == recipe) {
            self.last = Some((recipe.clone(), Prepared::new(recipe)?));
        }
        Ok(())
    }
}

impl Prepared {
    fn new(recipe: &Value) -> Result<Self, Failure> {
        let recipe: Recipe = serde_json::from_value(recipe.clone()).map_err(|error| broken(&error.to_string()))?;
        let make = |step: &super::Step| {
            registry::make(&step.name, &step.args).map_err(|problems| {
                let problem = problems.first().map(|problem| format!("{}: {}", problem.key, problem.message));
                broken(&format!("{}: {}", step.name, problem.unwrap_or_default()))
            })
        };
        let subsamplers = recipe.steps.iter().map(make).collect::<Result<_, _>>()?;
        Ok(Self { recipe, subsamplers })
    }
}

impl Handler for Maker {
    fn handle(&mut self, task: Task<'_>) -> Result<Vec<Made>, Failure> {
        let limits = self.limits;
        if let Some(clip) = task.recipe.get("check") {
            return check::check(open(&task, limits)?, clip);
        }
        self.prepare(task.recipe)?;
        let Some((_, prepared)) = &self.last else { return Err(broken("no recipe")) };
        let tools = (task.outlet, &self.processors);
        let make = || work::run(&prepared.recipe, &prepared.subsamplers, open(&task, limits)?, task.meta, tools);
        let mut made = make();
        while made.as_ref().is_err_and(|failure| self.processors.falls_back(failure.class)) {
            task.outlet.restart();
            made = make();
        }
        if made.as_ref().is_err_and(|failure| failure.class == FailureClass::GpuLost) {
            self.processors.lose_gpu();
        }
        made
    }

    fn open_gpu(&mut self, wish: &Wish) -> Result<DeviceInfo, Missing> {
        self.processors.open_gpu(wish)
    }

    fn take_usage(&mut self) -> Usage {
        self.processors.take_usage()
    }

    fn is_spent(&self) -> bool {
        self.processors.has_lost_gpu()
    }
}

/// The container is judged anew from the bytes: nothing rests on what the rank has heard of them.
fn open(task: &Task<'_>, limits: media::Limits) -> Result<Media, Failure> {
    use std::os::unix::fs::FileExt;
    let unreadable = |error| Failure::from(media::MediaError::Input(error));
    let mut head = [0; HEAD];
    let mut len = 0;
    while len < HEAD {
        match task.media.read_at(&mut head[len..], len as u64).map_err(unreadable)? {
            0 => break,
            read => len += read,
        }
    }
    if len == 0 {
        return Err(media::MediaError::Empty.into());
    }
    let container =
        sniff(&head[..len]).map_err(|what| media::MediaError::NotMedia { detail: format!("it is {}", what.0) })?;
    let file = task.media.try_clone().map_err(unreadable)?;
    Ok(Media::open(file, container, limits)?)
}

/// What only a bug can do: the rank checked the recipe.
fn broken(what: &str) -> Failure {
    Failure::new(FailureClass::Internal, format!("a bug of clipmill: the recipe cannot be used ({what})"))
}
