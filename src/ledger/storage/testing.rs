//! Test doubles around a real storage: count its calls, fail the n-th, or decide who may make the next.
//!
//! Not for use in the product. Public, because the tests that drive the ledger live outside the crate.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use super::{Op, Result, Storage, StorageError, StorageFile};

/// What is to become of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Go,
    /// Fails, and nothing was done.
    Fail(Errno),
    /// Was done, and the answer got lost.
    FailAfter(Errno),
    /// A write of which only the first half was done; any other call as [`Act::Fail`].
    Torn(Errno),
}

/// Is asked before, and told after, every call.
pub trait Hook: Debug + Send + Sync {
    fn before(&self, op: Op, path: &str) -> Act;

    fn after(&self) {}
}

/// A storage, and its files, behind a hook. Syncs are shown to the hook and not passed on: a test's folder need not
/// survive the machine.
#[derive(Debug, Clone)]
pub struct Hooked {
    inner: Arc<dyn Storage>,
    hook: Arc<dyn Hook>,
}

impl Hooked {
    pub fn new(inner: Arc<dyn Storage>, hook: Arc<dyn Hook>) -> Self {
        Self { inner, hook }
    }

    fn call<T>(&self, op: Op, path: &str, call: impl FnOnce() -> Result<T>) -> Result<T> {
        let fail = |errno| Err(StorageError::new(op, path, errno));
        let result = match self.hook.before(op, path) {
            Act::Go => call(),
            Act::Fail(errno) | Act::Torn(errno) => fail(errno),
            Act::FailAfter(errno) => call().and_then(|_| fail(errno)),
        };
        self.hook.after();
        result
    }

    fn file(&self, path: &str, inner: Box<dyn StorageFile>) -> Box<dyn StorageFile> {
        Box::new(HookedFile { path: path.to_owned(), inner, hook: Arc::clone(&self.hook) })
    }
}

impl Storage for Hooked {
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        self.call(Op::Read, path, || self.inner.read(path))
    }

    fn open(&self, path: &str) -> Result<Box<dyn StorageFile>> {
        self.call(Op::Open, path, || self.inner.open(path)).map(|file| self.file(path, file))
    }

    fn create_new(&self, path: &str) -> Result<Box<dyn StorageFile>> {
        self.call(Op::Create, path, || self.inner.create_new(path)).map(|file| self.file(path, file))
    }

    fn open_write(&self, path: &str) -> Result<Box<dyn StorageFile>> {
        self.call(Op::Open, path, || self.inner.open_write(path)).map(|file| self.file(path, file))
    }

    fn link(&self, from: &str, to: &str) -> Result<()> {
        self.call(Op::Link, to, || self.inner.link(from, to))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.call(Op::Rename, from, || self.inner.rename(from, to))
    }

    fn remove(&self, path: &str) -> Result<()> {
        self.call(Op::Remove, path, || self.inner.remove(path))
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        self.call(Op::List, dir, || self.inner.list(dir))
    }

    fn size(&self, path: &str) -> Result<u64> {
        self.call(Op::Size, path, || self.inner.size(path))
    }

    fn create_dir(&self, dir: &str) -> Result<()> {
        self.call(Op::CreateDir, dir, || self.inner.create_dir(dir))
    }

    fn sync_dir(&self, dir: &str) -> Result<()> {
        self.call(Op::SyncDir, dir, || Ok(()))
    }

    fn refresh_dir(&self, dir: &str) -> Result<()> {
        self.call(Op::RefreshDir, dir, || self.inner.refresh_dir(dir))
    }
}

#[derive(Debug)]
struct HookedFile {
    path: String,
    inner: Box<dyn StorageFile>,
    hook: Arc<dyn Hook>,
}

impl HookedFile {
    fn call<T>(&mut self, op: Op, call: impl FnOnce(&mut dyn StorageFile) -> io::Result<T>) -> io::Result<T> {
        let result = match self.hook.before(op, &self.path) {
            Act::Go => call(&mut *self.inner),
            Act::Fail(errno) | Act::Torn(errno) => Err(errno.into()),
            Act::FailAfter(errno) => call(&mut *self.inner).and(Err(errno.into())),
        };
        self.hook.after();
        result
    }
}

impl Read for HookedFile {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.call(Op::Read, |file| file.read(buf))
    }
}

impl Write for HookedFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let result = match self.hook.before(Op::Write, &self.path) {
            Act::Go => self.inner.write(buf),
            Act::Fail(errno) => Err(errno.into()),
            Act::FailAfter(errno) => self.inner.write_all(buf).and(Err(errno.into())),
            Act::Torn(errno) => self.inner.write_all(&buf[..buf.len() / 2]).and(Err(errno.into())),
        };
        self.hook.after();
        result
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl Seek for HookedFile {
    fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
        self.inner.seek(pos)
    }
}

impl StorageFile for HookedFile {
    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.call(Op::Truncate, |file| file.set_len(len))
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.call(Op::Sync, |_| Ok(()))
    }
}

/// Counts calls by operation.
#[derive(Debug, Default)]
pub struct Counts(Mutex<BTreeMap<Op, u64>>);

impl Counts {
    /// The counts since the last call of this.
    pub fn take(&self) -> BTreeMap<Op, u64> {
        std::mem::take(&mut *lock(&self.0))
    }
}

impl Hook for Counts {
    fn before(&self, op: Op, _path: &str) -> Act {
        *lock(&self.0).entry(op).or_default() += 1;
        Act::Go
    }
}

/// Fails the n-th call.
#[derive(Debug)]
pub struct Fault {
    at: u64,
    act: Act,
    /// Every call from then on fails as well: the process is dead, or the file system gone.
    for_good: bool,
    calls: AtomicU64,
    struck: AtomicBool,
}

impl Fault {
    /// Fails call `at`, counted from 0, and those after it if `for_good`.
    pub fn new(at: u64, act: Act, for_good: bool) -> Arc<Self> {
        Arc::new(Self { at, act, for_good, calls: AtomicU64::new(0), struck: AtomicBool::new(false) })
    }

    /// Whether call `at` came.
    pub fn struck(&self) -> bool {
        self.struck.load(Ordering::SeqCst)
    }

    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Hook for Fault {
    fn before(&self, _op: Op, _path: &str) -> Act {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        if call == self.at {
            self.struck.store(true, Ordering::SeqCst);
            return self.act;
        }
        if call > self.at && self.for_good { Act::Fail(Errno::IO) } else { Act::Go }
    }
}

/// Lets one of several actors make calls at a time, and changes actors at given calls: explores interleavings.
#[derive(Debug)]
pub struct Stage {
    state: Mutex<StageState>,
    changed: Condvar,
}

#[derive(Debug)]
struct StageState {
    /// Before it is armed, everybody may call.
    armed: bool,
    turn: usize,
    calls: u64,
    /// Call numbers at which the turn goes to the next actor.
    switches: Vec<u64>,
    gone: Vec<bool>,
}

impl Stage {
    pub fn new(actors: usize) -> Arc<Self> {
        let gone = vec![false; actors];
        let state = StageState { armed: false, turn: 0, calls: 0, switches: Vec::new(), gone };
        Arc::new(Self { state: Mutex::new(state), changed: Condvar::new() })
    }

    /// From now on only `first` may call; after as many calls as each of `switches` says, the next actor goes on.
    pub fn arm(&self, first: usize, switches: Vec<u64>) {
        let mut state = lock(&self.state);
        (state.armed, state.turn, state.calls, state.switches) = (true, first, 0, switches);
    }

    /// Everybody may call again.
    pub fn disarm(&self) {
        lock(&self.state).armed = false;
        self.changed.notify_all();
    }

    /// The storage of one actor.
    pub fn storage(self: &Arc<Self>, actor: usize, inner: Arc<dyn Storage>) -> Arc<dyn Storage> {
        let hook = Arc::new(Actor { stage: Arc::clone(self), actor });
        Arc::new(Hooked::new(inner, hook))
    }

    /// The actor makes no more calls.
    pub fn leave(&self, actor: usize) {
        let mut state = lock(&self.state);
        if let Some(gone) = state.gone.get_mut(actor) {
            *gone = true;
        }
        if state.turn == actor {
            state.pass();
        }
        self.changed.notify_all();
    }

    /// Calls made by all.
    pub fn calls(&self) -> u64 {
        lock(&self.state).calls
    }
}

impl StageState {
    fn pass(&mut self) {
        let actors = self.gone.len();
        let next = (1..=actors).map(|step| (self.turn + step) % actors).find(|actor| !self.gone[*actor]);
        self.turn = next.unwrap_or(self.turn);
    }
}

#[derive(Debug)]
struct Actor {
    stage: Arc<Stage>,
    actor: usize,
}

impl Hook for Actor {
    fn before(&self, _op: Op, _path: &str) -> Act {
        let mut state = lock(&self.stage.state);
        while state.armed && state.turn != self.actor {
            state = self.stage.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Act::Go
    }

    fn after(&self) {
        let mut state = lock(&self.stage.state);
        state.calls += 1;
        if state.switches.contains(&state.calls) {
            state.pass();
            self.stage.changed.notify_all();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
