//! The rank's workers.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::Semaphore;

use super::answer::{Answer, Request};
use super::error::MillError;
use super::exchange::{Begun, Parcel, Worker};
use super::limits::Limits;
use super::lines::{self, Lines};
use super::outputs;
use super::process::Process;
use super::seats::Seats;
use super::verdict::Verdict;
use super::wire::{self, Kind, Reply, Task};
use super::worker::sandbox::SandboxLevel;
use crate::gpu::{DeviceInfo, Missing, Wish};
use crate::sample::{Budget, Failure, FailureClass, SealedFile, Usage, memory_file};

/// Times that a worker which dies before its first word is started again. The launcher's signals reach a child also in
/// the instant before it ignores them.
const STARTS: u32 = 3;

/// How to set up a [`Pool`].
#[derive(Debug, Clone)]
pub struct PoolOptions {
    /// The worker program, see [`Pool::program`].
    pub program: PathBuf,
    /// Workers at work at the same time; at least one.
    pub workers: u32,
    pub limits: Limits,
    /// Node-local folder for outputs that the budget has no room for.
    pub scratch: Arc<PathBuf>,
    /// The rank's memory budget: outputs count against it while they live.
    pub budget: Budget,
}

/// The rank's workers. They start when there is work for them, and are killed when the pool is dropped; dropping a
/// [`Pool::run`] future kills the worker that it waits for.
#[derive(Debug)]
pub struct Pool {
    options: PoolOptions,
    slots: Semaphore,
    idle: Mutex<Vec<Worker>>,
    begun: Mutex<Vec<Begun>>,
    sandbox: OnceLock<SandboxLevel>,
    gpu: Option<Wish>,
    seats: Arc<Seats>,
    /// What the first worker said of its GPU.
    found: OnceLock<Result<DeviceInfo, Missing>>,
}

impl Pool {
    /// The worker beside this executable, or `CLIPMILL_WORKER`.
    pub fn program() -> PathBuf {
        const NAME: &str = "clipmill-worker";
        if let Some(path) = std::env::var_os("CLIPMILL_WORKER") {
            return path.into();
        }
        std::env::current_exe().map_or_else(|_| NAME.into(), |own| own.with_file_name(NAME))
    }

    /// Starts nothing yet; [`Pool::start_ahead`] does.
    ///
    /// # Errors
    /// [`MillError::Missing`]: there is no program at that path.
    pub fn new(options: PoolOptions) -> Result<Self, MillError> {
        if !options.program.is_file() {
            return Err(MillError::Missing { path: options.program });
        }
        let slots = Semaphore::new(options.workers.max(1) as usize);
        Ok(Self {
            options,
            slots,
            idle: Mutex::default(),
            begun: Mutex::default(),
            sandbox: OnceLock::new(),
            gpu: None,
            seats: Arc::default(),
            found: OnceLock::new(),
        })
    }

    /// Its workers open GPUs, by `wish`: its `seat` is that of the first worker.
    #[must_use]
    pub fn with_gpu(self, wish: Option<Wish>) -> Self {
        Self { gpu: wish, ..self }
    }

    /// The GPU of a worker, or why there is none: starts one where none has been started yet. None where the pool wants none.
    ///
    /// # Errors
    /// As [`Pool::run`].
    pub async fn gpu(&self) -> Result<Option<Result<DeviceInfo, Missing>>, MillError> {
        self.sandbox().await?;
        Ok(self.found.get().cloned())
    }

    /// What the workers so far have said of their GPU.
    pub fn found_gpu(&self) -> Option<&Result<DeviceInfo, Missing>> {
        self.found.get()
    }

    /// Starts up to `count` workers ahead of the first sample, each on a thread: to link FFmpeg's libraries takes them longer
    /// than a short video does, and the rank has other things to do meanwhile. What goes wrong is told by [`Pool::run`].
    pub fn start_ahead(&self, count: u32) {
        let start = |_| {
            let program = self.options.program.clone();
            std::thread::Builder::new().name("worker-start".into()).spawn(move || Process::start(&program)).ok()
        };
        let begun = (0..count.min(self.options.workers)).filter_map(start);
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).extend(begun);
    }

    /// What holds the workers in: starts one where none has been started yet.
    ///
    /// # Errors
    /// As [`Pool::run`].
    pub async fn sandbox(&self) -> Result<SandboxLevel, MillError> {
        if let Some(level) = self.sandbox.get() {
            return Ok(level.clone());
        }
        let _slot = self.slots.acquire().await;
        let worker = self.start(None).await?;
        let level = worker.sandbox.clone();
        self.put_back(worker);
        Ok(level)
    }

    /// Gives one sample to a worker, waiting for a free one.
    ///
    /// # Errors
    /// Only what is not the sample's fault: no worker can be started, or the media cannot be handed over. All else is in
    /// the answer's `failure`.
    pub async fn run(&self, job: Request) -> Result<Answer, MillError> {
        // Never closed, so always granted.
        let _slot = self.slots.acquire().await;
        let mut parcel = match self.pack(job).await {
            // Only the sample's own fields can make the message too large.
            Err(MillError::Handover { source, .. }) if source.kind() == io::ErrorKind::InvalidData => {
                let failure =
                    Failure::new(FailureClass::FieldTooLarge, "the sample's JSON is too large for a media worker");
                return Ok(Answer { failure: Some(failure), ..Answer::default() });
            }
            packed => packed?,
        };
        let mut usage = Usage::default();
        let mut lost_gpu = None;
        if let Some(used) = self.take_idle() {
            match self.attempt(used, &parcel).await? {
                Ok(answer) => return Ok(answer),
                Err((verdict, lines)) if !verdict.may_be_inherited => return Ok(failed(verdict, lines, usage)),
                // The worker may have been at fault, so the next one must be fresh.
                Err((verdict, _)) => lost_gpu = verdict.lost_gpu,
            }
            usage.gpus_lost += u64::from(lost_gpu.is_some());
            parcel.outputs = self.memory()?;
        }
        loop {
            let fresh = self.start(lost_gpu).await?;
            match self.attempt(fresh, &parcel).await? {
                Ok(mut answer) => {
                    answer.usage.add(&usage);
                    return Ok(answer);
                }
                // A GPU fails by itself: once more, on another where there is one.
                Err((verdict, _)) if verdict.lost_gpu.is_some() && lost_gpu.is_none() => {
                    lost_gpu = verdict.lost_gpu;
                    usage.gpus_lost += 1;
                    parcel.outputs = self.memory()?;
                }
                Err((verdict, lines)) => {
                    usage.gpus_lost += u64::from(verdict.lost_gpu.is_some());
                    return Ok(failed(verdict, lines, usage));
                }
            }
        }
    }

    /// Runs the sample; the worker is back in the pool afterwards, or dead.
    async fn attempt(&self, mut worker: Worker, parcel: &Parcel) -> Result<Attempt, MillError> {
        let mut lines = Lines::default();
        let checked = match worker.exchange(parcel, &self.options.limits, &mut lines).await {
            Ok(reply) => self.check(reply, parcel).await?,
            Err(verdict) => Err(verdict),
        };
        let (reply, len) = match checked {
            Ok(checked) => checked,
            Err(verdict) => return Ok(Err((verdict, lines))),
        };
        if let (Some(failure), Some(Ok(device))) = (&reply.failure, &worker.gpu)
            && failure.class == FailureClass::GpuLost
        {
            let failure = Failure::new(failure.class, lines::tidy(&failure.message));
            return Ok(Err((Verdict::lost_gpu(failure, device.index), lines)));
        }
        self.put_back(worker);
        let failure = reply.failure.map(|failure| Failure::new(failure.class, lines::tidy(&failure.message)));
        let usage = reply.usage;
        let file = parcel.outputs.try_clone().map_err(|source| self.handover(source))?;
        let (budget, scratch) = (self.options.budget.clone(), Arc::clone(&self.options.scratch));
        let (media, media_bytes) = (Arc::clone(&parcel.media), parcel.media_bytes);
        let adopt = move || outputs::adopt(reply.outputs, &media, media_bytes, (file, len), &budget, &scratch);
        let outputs = self.blocking(adopt).await?;
        Ok(Ok(Answer { outputs, failure, usage, log: lines.take_log() }))
    }

    /// The reply again, with the bytes of all its outputs, or what is wrong with it.
    async fn check(&self, reply: Reply, parcel: &Parcel) -> Result<Result<(Reply, u64), Verdict>, MillError> {
        let file = parcel.outputs.try_clone().map_err(|source| self.handover(source))?;
        let limit = self.options.limits.output_bytes;
        self.blocking(move || Ok(outputs::check(&reply, &file, limit).map(|len| (reply, len)))).await
    }

    async fn pack(&self, job: Request) -> Result<Parcel, MillError> {
        let outputs = self.memory()?;
        let scratch = Arc::clone(&self.options.scratch);
        self.blocking(move || {
            let media_bytes = job.media.len();
            let frame = wire::encode(Kind::Task, &Task { recipe: job.recipe, meta: job.meta, media_bytes })?;
            let (file, permit) = job.media.into_file(&scratch)?;
            Ok(Parcel { frame, media: Arc::new(SealedFile::new(file, permit)), media_bytes, outputs })
        })
        .await
    }

    /// A fresh worker; not on the GPU of this number, where it has a choice.
    async fn start(&self, lost: Option<u32>) -> Result<Worker, MillError> {
        let seat = self.seats.take();
        let gpu = self.wish(seat.number, lost);
        let mut starts = 1;
        let mut worker = loop {
            let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match Worker::start(&self.options.program, &self.options.limits, gpu, begun).await {
                Err(MillError::Died { .. }) if starts < STARTS => starts += 1,
                started => break started?,
            }
        };
        worker.seat = Some(seat);
        if let Some(found) = &worker.gpu {
            self.found.get_or_init(|| found.clone());
            if let (Err(missing), Some(Wish { required: true, .. })) = (found, gpu) {
                return Err(MillError::Gpu(missing.clone()));
            }
        }
        self.sandbox.get_or_init(|| {
            tracing::info!("media workers start, each in a sandbox: {}", worker.sandbox);
            worker.sandbox.clone()
        });
        Ok(worker)
    }

    fn wish(&self, seat: u32, lost: Option<u32>) -> Option<Wish> {
        let wish = self.gpu?;
        let own = wish.seat.wrapping_add(seat);
        let devices = match self.found.get() {
            Some(Ok(device)) => device.devices.max(1),
            _ => 1,
        };
        let seat = if lost == Some(own % devices) { own.wrapping_add(1) } else { own };
        Some(Wish { seat, ..wish })
    }

    fn take_idle(&self) -> Option<Worker> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn put_back(&self, worker: Worker) {
        if !worker.is_worn(&self.options.limits) {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
        }
    }

    fn memory(&self) -> Result<File, MillError> {
        memory_file(c"clipmill-outputs").map_err(|source| self.handover(source))
    }

    fn handover(&self, source: io::Error) -> MillError {
        MillError::Handover { scratch: self.options.scratch.to_path_buf(), source }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, MillError> {
        let done = tokio::task::spawn_blocking(work).await.map_err(io::Error::other);
        done.and_then(|result| result).map_err(|source| self.handover(source))
    }
}

/// An answer, or why the worker had to go.
type Attempt = Result<Answer, (Verdict, Lines)>;

fn failed(verdict: Verdict, mut lines: Lines, usage: Usage) -> Answer {
    let failure = Some(verdict.failure(&lines));
    Answer { outputs: Vec::new(), failure, usage, log: lines.take_log() }
}
