//! Things that one process does for all: planning, and pinning a retry.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Owner;
use super::error::Result;
use super::lease_file::{self, Failures, LeaseFile, Phase, State, Verdict, Watch};
use super::names::{self, AttemptId, Entry};
use super::plan::Plan;
use super::storage::{Storage, found};

const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1);

/// Whose turn it is to plan.
#[derive(Debug)]
pub enum Planner {
    /// This process's; it stays so while the turn lives.
    Me(Turn),
    /// Nobody's: the plan is there.
    Published(Box<Plan>),
    /// `stop` said so.
    Stopped,
}

/// Waits until there is a plan that `ready` accepts, or until it is this process's turn to make one. A planner that died
/// is replaced after `ttl`.
pub fn planner(
    storage: &Arc<dyn Storage>,
    owner: &Owner,
    ttl: Duration,
    ready: &dyn Fn(&Plan) -> bool,
    stop: &dyn Fn() -> bool,
) -> Result<Planner> {
    let published = || -> Result<Option<Plan>> { Ok(Plan::load(&**storage)?.filter(|plan| ready(plan))) };
    Ok(match wait(storage, owner, names::PLAN_TURN, ttl, &published, stop)? {
        Waited::Turn(turn) => Planner::Me(turn),
        Waited::Ready(plan) => Planner::Published(Box::new(plan)),
        Waited::Stopped => Planner::Stopped,
    })
}

pub(super) enum Waited<T> {
    Turn(Turn),
    Ready(T),
    Stopped,
}

/// Waits for `ready` to give something, or for the turn.
pub(super) fn wait<T>(
    storage: &Arc<dyn Storage>,
    owner: &Owner,
    name: &str,
    ttl: Duration,
    ready: &dyn Fn() -> Result<Option<T>>,
    stop: &dyn Fn() -> bool,
) -> Result<Waited<T>> {
    let mut watch = Watch::default();
    let mut pause = SHORTEST;
    loop {
        if let Some(ready) = ready()? {
            return Ok(Waited::Ready(ready));
        }
        if stop() {
            return Ok(Waited::Stopped);
        }
        if let Some(turn) = Turn::try_take(storage, owner, name, ttl, &mut watch)? {
            // Whoever had the turn before may have finished in between.
            return Ok(match ready()? {
                Some(ready) => Waited::Ready(ready),
                None => Waited::Turn(turn),
            });
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST);
    }
}

/// A turn; kept alive by a thread, given back on drop.
#[derive(Debug)]
pub struct Turn {
    storage: Arc<dyn Storage>,
    path: String,
    heart: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Turn {
    fn try_take(
        storage: &Arc<dyn Storage>,
        owner: &Owner,
        name: &str,
        ttl: Duration,
        watch: &mut Watch,
    ) -> Result<Option<Self>> {
        storage.create_dir(names::LEASES_DIR)?;
        let files = storage.list(names::LEASES_DIR)?;
        let leases = files.iter().filter_map(|file| match Entry::parse(file) {
            Some(Entry::Lease { name: of, id }) if of == name => Some(id),
            _ => None,
        });
        let mut id = AttemptId { generation: 0, attempt: 1 };
        if let Some(latest) = leases.max() {
            let Some(seen) = lease_file::read(&**storage, &names::lease(name, latest))? else { return Ok(None) };
            if let Verdict::Held(_) = watch.judge(name, latest, &seen, owner, ttl) {
                return Ok(None);
            }
            id = latest.next();
        }
        let state = State { owner: owner.clone(), phase: Phase::Held, checkpoint: None, failures: Failures::default() };
        let path = names::lease(name, id);
        let Some(file) = LeaseFile::create(&**storage, path.clone(), &state)? else { return Ok(None) };
        for older in (1..id.attempt).map(|attempt| AttemptId { attempt, ..id }) {
            found(storage.remove(&names::lease(name, older)))?;
        }
        let heart = beat(file, state, ttl / 4);
        Ok(Some(Self { storage: Arc::clone(storage), path, heart }))
    }
}

/// Removes the leases of turns whose process ended before it could give them back.
pub(super) fn clean_up(storage: &dyn Storage, owner: &Owner, ttl: Duration, watch: &mut Watch) -> Result<()> {
    for file in storage.list(names::LEASES_DIR)? {
        let Some(Entry::Lease { name, id }) = Entry::parse(&file) else { continue };
        if name != names::PLAN_TURN && name != names::RETRY_TURN {
            continue;
        }
        let path = names::lease(name, id);
        let Some(seen) = lease_file::read(storage, &path)? else { continue };
        if let Verdict::Free(_) = watch.judge(name, id, &seen, owner, ttl) {
            found(storage.remove(&path))?;
        }
    }
    Ok(())
}

/// Beats until the other end is dropped. Without a thread the turn may be taken over, which costs time, not data.
fn beat(mut file: LeaseFile, state: State, every: Duration) -> Option<(Sender<()>, JoinHandle<()>)> {
    let (stop, stopped) = channel();
    let beat = move || {
        while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
            if let Err(error) = file.write(&state) {
                tracing::warn!(%error, "heartbeat failed");
            }
        }
    };
    let thread = std::thread::Builder::new().name("turn".into()).spawn(beat).ok()?;
    Some((stop, thread))
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.heart.take() {
            drop(stop);
            let _ = thread.join();
        }
        if let Err(error) = found(self.storage.remove(&self.path)) {
            tracing::warn!(%error, "the turn's lease stays behind");
        }
    }
}
