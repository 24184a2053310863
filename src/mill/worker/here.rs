//! A handler without a process of its own around it.

use std::fs::File;
use std::io;

use serde_json::{Map, Value};

use super::socket::Sender;
use super::{Handler, Log, Made, Outlet, Task};
use crate::mill::limits::Limits;
use crate::sample::Failure;

/// A handler in this process, unguarded: what the boundary around a worker costs is measured against it. Never for
/// media that somebody else made.
pub struct Here<H> {
    handler: H,
    log: Log,
    limits: Limits,
}

impl<H: Handler> Here<H> {
    /// # Errors
    /// No socket can be made.
    pub fn new(limits: Limits, make: impl FnOnce(&Limits, &Log) -> H) -> io::Result<Self> {
        let log = Log::new(Sender::nowhere()?);
        Ok(Self { handler: make(&limits, &log), log, limits })
    }

    /// Makes a sample's outputs, their bytes into `outputs`.
    ///
    /// # Errors
    /// The sample's failure.
    pub fn run(
        &mut self,
        media: &File,
        recipe: &Value,
        meta: &Map<String, Value>,
        outputs: &File,
    ) -> Result<Vec<Made>, Failure> {
        let outlet = Outlet::new(outputs, &self.limits);
        let media_bytes = media.metadata().map_or(0, |metadata| metadata.len());
        let Self { handler, log, limits } = self;
        handler.handle(Task { media, media_bytes, recipe, meta, limits, outlet: &outlet, log })
    }
}
