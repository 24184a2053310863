//! The worker's side: one sample after the other from the rank's socket, each through a [`Handler`].

mod confine;
mod here;
mod log;
pub(crate) mod sandbox;
mod socket;
mod write;

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Map, Value};

pub(super) use confine::GPU_MEMORY_BYTES;
#[doc(hidden)]
pub use here::Here;
pub use log::Log;
pub use write::{Made, Outlet, Room, Stored};

use super::limits::Limits;
use super::wire::{self, Hello, Kind, Reply, Setup};
use crate::gpu::{DeviceInfo, Missing, Wish};
use crate::sample::{Failure, FailureClass, Usage};
use sandbox::Profile;
use socket::Socket;

/// The descriptor of the socket in a worker: the first free one after the standard streams. The tests' hostile worker
/// writes to it behind [`serve`]'s back.
#[doc(hidden)]
pub const SOCKET_FD: i32 = 3;

/// One sample, as a handler sees it.
#[derive(Debug)]
pub struct Task<'a> {
    /// The media: can be read, sought and mapped, not written.
    pub media: &'a File,
    pub media_bytes: u64,
    /// What to make of it.
    pub recipe: &'a Value,
    /// The sample's JSON fields so far.
    pub meta: &'a Map<String, Value>,
    pub limits: &'a Limits,
    /// Takes the members' bytes.
    pub outlet: &'a Outlet<'a>,
    /// For the lines that libraries log: the last ones stand in the failure's message if this process dies.
    pub log: &'a Log,
}

/// What a worker does with a sample.
pub trait Handler {
    /// Makes the sample's outputs.
    ///
    /// # Errors
    /// The sample's failure. A panic is one too, of class `decoder_crash`; the handler is used again afterwards.
    fn handle(&mut self, task: Task<'_>) -> Result<Vec<Made>, Failure>;

    /// Opens the GPU that is wished for. Called once, before the sandbox.
    ///
    /// # Errors
    /// Why there is none.
    fn open_gpu(&mut self, _: &Wish) -> Result<DeviceInfo, Missing> {
        Err(Missing::NotBuilt)
    }

    /// On which processors the last sample was made.
    fn take_usage(&mut self) -> Usage {
        Usage::default()
    }

    /// Whether this process is of no use any more: it ends behind the answer to the last sample.
    fn is_spent(&self) -> bool {
        false
    }
}

/// Why a worker cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("this program is started by clipmill, with a socket as its stdin; it does nothing on its own: {0}")]
    NoSocket(io::Error),
    #[error("the rank's message cannot be understood: {0}")]
    Protocol(String),
    #[error("the limits cannot be set: {0}")]
    Limits(io::Error),
    #[error("the socket to the rank: {0}")]
    Socket(#[from] io::Error),
}

impl ServeError {
    pub fn class(&self) -> crate::error::Class {
        crate::error::Class::Job
    }
}

/// Serves the rank until it hangs up. `make` makes the handler: it runs with all limits set but before the sandbox, so
/// that it can load what it needs.
///
/// Call it first in `main`: it closes every descriptor that was inherited.
///
/// # Errors
/// [`ServeError`]: not started by a rank, or by one of another version.
pub fn serve<H: Handler>(make: impl FnOnce(&Limits, &Log) -> H) -> Result<(), ServeError> {
    confine::close_inherited();
    confine::ignore_signals();
    let mut socket = Socket::from_stdin().map_err(ServeError::NoSocket)?;
    let Some((body, _)) = socket.receive(Kind::Setup)? else { return Ok(()) };
    let Setup { limits, gpu: wish } = understood(&body)?;
    confine::limit(&limits, wish.is_some()).map_err(ServeError::Limits)?;
    let log = Log::new(socket.sender());
    log::quiet_panics(&log);
    let mut handler = make(&limits, &log);
    let gpu = wish.map(|wish| handler.open_gpu(&wish));
    let profile = if matches!(gpu, Some(Ok(_))) { Profile::Gpu } else { Profile::Cpu };
    let sandbox = sandbox::enter(profile);
    confine::end_with(socket.watch()?)?;
    socket.sender().send(Kind::Hello, &Hello { program: env!("CARGO_PKG_VERSION").into(), sandbox, gpu })?;
    while let Some((body, fds)) = socket.receive(Kind::Task)? {
        let task: wire::Task = understood(&body)?;
        let Ok([media, outputs]) = <[File; 2]>::try_from(fds) else {
            return Err(ServeError::Protocol("a sample without its two descriptors".into()));
        };
        log.start_sample();
        let outlet = Outlet::new(&outputs, &limits);
        let task = Task {
            media: &media,
            media_bytes: task.media_bytes,
            recipe: &task.recipe,
            meta: &task.meta,
            limits: &limits,
            outlet: &outlet,
            log: &log,
        };
        let made = handle(&mut handler, task);
        let usage = handler.take_usage();
        let reply = match made {
            Ok(made) => Reply { outputs: made.into_iter().map(Made::into_region).collect(), failure: None, usage },
            Err(failure) => Reply { outputs: Vec::new(), failure: Some(failure), usage },
        };
        drop((media, outputs));
        socket.sender().send(Kind::Reply, &reply)?;
        if handler.is_spent() {
            break;
        }
    }
    Ok(())
}

fn understood<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, ServeError> {
    wire::body(body).map_err(|error| ServeError::Protocol(error.to_string()))
}

fn handle(handler: &mut dyn Handler, task: Task<'_>) -> Result<Vec<Made>, Failure> {
    let log = task.log;
    // What a panic leaves half done is the handler's own state, and all of a sample's state is made anew for each.
    catch_unwind(AssertUnwindSafe(|| handler.handle(task))).unwrap_or_else(|_| {
        let what = log.take_panic().unwrap_or_else(|| "no message".into());
        Err(Failure::new(FailureClass::DecoderCrash, format!("the worker panicked: {what}")))
    })
}
