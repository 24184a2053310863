//! The MPI helper of one rank: does what the rank asks for over stdin, answers on stdout. See `src/cluster/mpi/`.
//!
//! Exit codes: 0 finalized, 1 not; `MPI_Init` may end the process with codes or signals of its own.

#[path = "../cluster/mpi/wire.rs"]
mod wire;

mod crash {
    //! A crash inside MPI must not end the process: Slurm's PMIx plugin would see a connected rank die, and cancel the
    //! whole step. The handler tells the rank, and stops the process, connections and all.

    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd;
    use std::sync::atomic::{AtomicI32, Ordering};

    use crate::wire;

    static OUTPUT: AtomicI32 = AtomicI32::new(-1);

    /// Installs the handler for the signals of a crash. `output` must stay open.
    pub fn report_to(output: &File) -> io::Result<()> {
        OUTPUT.store(output.as_raw_fd(), Ordering::Release);
        for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGABRT] {
            // SAFETY: an all-zero sigaction is a valid one, and the handler calls only async-signal-safe functions.
            let failed = unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = on_crash as *const () as libc::sighandler_t;
                // The alternate stack, where there is one: an overflow leaves no room on the thread's own.
                action.sa_flags = libc::SA_ONSTACK;
                libc::sigaction(signal, &action, std::ptr::null_mut()) != 0
            };
            if failed {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }

    extern "C" fn on_crash(signal: libc::c_int) {
        let frame = wire::crashed(signal as u8);
        // SAFETY: write, raise and _exit are async-signal-safe; the frame is this function's own. The result of write
        // does not matter: without a reader there is no rank left to care.
        unsafe {
            libc::write(OUTPUT.load(Ordering::Acquire), frame.as_ptr().cast(), frame.len());
            libc::raise(libc::SIGSTOP);
            // Continued by someone: there is nothing to go back to.
            libc::_exit(128 + signal)
        }
    }
}

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, channel};
use std::thread::sleep;
use std::time::Duration;

use mpi::Threading;
use mpi::datatype::PartitionMut;
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;
use rustix::process::{Signal, getpid, kill_process};

use wire::Kind;

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    ignore_signals()?;
    let (input, mut output) = own_stdio()?;
    crash::report_to(&output)?;
    wire::write(&mut output, Kind::Library, library().as_bytes())?;
    let requests = listen(input);
    // Only this thread calls MPI; the other one reads the pipe.
    let Some((universe, _)) = mpi::initialize_with_threading(Threading::Funneled) else {
        return Err(io::Error::other("MPI was initialized before main"));
    };
    let world = universe.world();
    wire::write(&mut output, Kind::Hello, &hello(&world))?;
    answer_all(universe, &world, &requests, &mut output)
}

fn answer_all(
    universe: Universe,
    world: &SimpleCommunicator,
    requests: &Receiver<(Kind, Vec<u8>)>,
    output: &mut File,
) -> io::Result<()> {
    while let Ok((kind, payload)) = requests.recv() {
        all_arrive(world);
        let answer = match kind {
            Kind::Broadcast => broadcast(world, payload),
            Kind::Gather => gather(world, &payload),
            Kind::Barrier => Ok(Vec::new()),
            Kind::Finalize => {
                drop(universe);
                return wire::write(output, kind, &[]);
            }
            Kind::Library | Kind::Hello | Kind::Failed | Kind::Crashed => Err(format!("{kind:?} is not a request")),
        };
        match answer {
            Ok(answer) => wire::write(output, kind, &answer)?,
            Err(why) => wire::write(output, Kind::Failed, why.as_bytes())?,
        }
    }
    Ok(())
}

/// Waits for all ranks without burning a CPU: they may come minutes apart, and MPI's own waiting spins. The operation
/// proper then takes no time.
fn all_arrive(world: &SimpleCommunicator) {
    let mut request = world.immediate_barrier();
    let mut nap = Duration::from_micros(50);
    while let Err(pending) = request.test() {
        request = pending;
        sleep(nap);
        nap = (nap * 2).min(Duration::from_millis(10));
    }
}

fn broadcast(world: &SimpleCommunicator, mut bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    let root = world.process_at_rank(0);
    let mut length = bytes.len() as u64;
    root.broadcast_into(&mut length);
    // The pipe's limit holds for rank 0's bytes, so this fits.
    bytes.resize(usize::try_from(length).map_err(|error| error.to_string())?, 0);
    root.broadcast_into(&mut bytes[..]);
    Ok(bytes)
}

/// At rank 0: each rank's length (u32, little endian) and bytes, one after the other. Every rank sees all lengths, so
/// that all refuse alike what is too large.
fn gather(world: &SimpleCommunicator, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut lengths = vec![0i32; usize::try_from(world.size()).unwrap_or(0)];
    let own = i32::try_from(bytes.len()).map_err(|error| error.to_string())?;
    world.all_gather_into(&own, &mut lengths[..]);
    let (total, starts) = offsets(&lengths);
    if total + 4 * lengths.len() > wire::MAX_PAYLOAD {
        return Err(format!("{total} bytes in all are too many to gather"));
    }
    let root = world.process_at_rank(0);
    if world.rank() != 0 {
        root.gather_varcount_into(bytes);
        return Ok(Vec::new());
    }
    let mut all = vec![0u8; total];
    root.gather_varcount_into_root(bytes, &mut PartitionMut::new(&mut all[..], &lengths[..], &starts[..]));
    let mut packed = Vec::with_capacity(total + 4 * lengths.len());
    let mut rest = &all[..];
    for length in lengths {
        let (part, after) = rest.split_at(length as usize);
        packed.extend_from_slice(&length.to_le_bytes());
        packed.extend_from_slice(part);
        rest = after;
    }
    Ok(packed)
}

/// The sum of the lengths, and where each part starts. Starts beyond `i32` are never used: the sum is too large then.
fn offsets(lengths: &[i32]) -> (usize, Vec<i32>) {
    let mut total = 0;
    let starts = lengths.iter().map(|length| {
        let start = i32::try_from(total).unwrap_or(i32::MAX);
        total += usize::try_from(*length).unwrap_or(0);
        start
    });
    let starts = starts.collect();
    (total, starts)
}

fn hello(world: &SimpleCommunicator) -> Vec<u8> {
    let number = |n: i32| u32::try_from(n).unwrap_or(0).to_le_bytes();
    [number(world.rank()), number(world.size())].concat()
}

/// `Open MPI v4.1.4`, `MPICH 4.0.2`: the first words of what the library says of itself.
fn library() -> String {
    let text = mpi::environment::library_version().unwrap_or_default();
    let line = text.split(['\n', ',']).next().unwrap_or_default().trim_end_matches('\0');
    line.split_whitespace().filter(|word| *word != "Version:").collect::<Vec<_>>().join(" ")
}

/// Takes stdin and stdout for the protocol, so that whatever MPI or its plugins print or read meets stderr and nothing.
fn own_stdio() -> io::Result<(File, File)> {
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    io::stdout().flush()?;
    Ok((input, output))
}

/// Signals that Slurm or a terminal sends to every process of a job are the rank's to answer.
fn ignore_signals() -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
    for signal in [SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    Ok(())
}

/// Reads requests on a thread of its own, which also sees the rank go while MPI is busy or stuck.
fn listen(mut input: File) -> Receiver<(Kind, Vec<u8>)> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        while let Ok(Some(request)) = wire::read(&mut input) {
            if sender.send(request).is_err() {
                return;
            }
        }
        // The rank is gone. SIGKILL, as exit handlers of MPI would wait for the other ranks.
        let _ = kill_process(getpid(), Signal::KILL);
    });
    receiver
}
