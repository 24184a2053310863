//! MPI never takes a rank down, and gives what it can: real `mpirun`s of two libraries, and helpers that fail in every
//! way that was seen. Needs the programs `mpirun` (Open MPI, which `clipmill-mpi` is linked with here) and
//! `mpirun.mpich`.
#![cfg(feature = "mpi")]

mod example;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use example::example;
use serde_json::Value;

const HELPER: &str = env!("CARGO_BIN_EXE_clipmill-mpi");

/// A command without this test's own launcher, if it has one.
fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    for name in clipmill::cluster::clean_env() {
        command.env_remove(name);
    }
    command.env("CLIPMILL_MPI_HELPER", HELPER);
    command
}

fn mpirun(program: &str, ranks: u32) -> Command {
    let mut mpirun = command(program);
    if program == "mpirun" {
        mpirun.args(["--allow-run-as-root", "--oversubscribe"]).env("OMPI_MCA_btl_tcp_if_include", "lo");
    }
    mpirun.args(["-n", &ranks.to_string()]);
    mpirun
}

struct Ran {
    code: Option<i32>,
    placements: Vec<Value>,
    stdout: String,
    stderr: String,
}

fn run(command: &mut Command) -> Ran {
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|error| panic!("{:?} does not start: {error}", command.get_program()));
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    let mut placements: Vec<Value> = stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    placements.sort_by_key(|placement| placement["rank"].as_u64());
    Ran { code: status.code(), placements, stdout, stderr }
}

impl Ran {
    fn ranks(&self) -> Vec<(u64, u64)> {
        self.placements.iter().map(|p| (p["rank"].as_u64().unwrap(), p["world"].as_u64().unwrap())).collect()
    }

    fn warnings(&self) -> Vec<&str> {
        self.stderr.lines().filter(|line| line.starts_with("warning:")).collect()
    }
}

const FOUR: [(u64, u64); 4] = [(0, 4), (1, 4), (2, 4), (3, 4)];

#[test]
fn four_ranks_of_open_mpi_talk() {
    let ran = run(mpirun("mpirun", 4).arg(example("placement")));
    assert_eq!((ran.code, ran.ranks()), (Some(0), FOUR.to_vec()), "{}", ran.stderr);
    for placement in &ran.placements {
        assert!(placement["mpi"].as_str().unwrap().starts_with("Open MPI"), "{placement}");
    }
    assert!(
        ran.stdout.contains("rank 0: broadcast 3145728 bytes, equal true, gathered [0, 6, 12, 18]"),
        "{}",
        ran.stdout
    );
    for rank in 1..4 {
        let line = format!("rank {rank}: broadcast 3145728 bytes, equal true, gathered []");
        assert!(ran.stdout.contains(&line), "{}", ran.stdout);
    }
    assert!(ran.warnings().is_empty(), "{}", ran.stderr);
}

#[test]
fn one_exit_code_for_all() {
    // The shell tells each rank's code and ends with 0: mpirun kills the others once one ends with another code.
    let script =
        r#""$0" --code $((OMPI_COMM_WORLD_RANK == 1 ? 75 : OMPI_COMM_WORLD_RANK == 2 ? 3 : 0)); echo "ends with $?""#;
    let ran = run(mpirun("mpirun", 3).args(["sh", "-c", script]).arg(example("placement")));
    assert_eq!(ran.stdout.matches("ends with 75").count(), 3, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn a_rank_that_does_not_come_costs_the_others_only_their_patience() {
    let script = r#"if [ $OMPI_COMM_WORLD_RANK = 1 ]; then "$0" --hold 6; else "$0" --patience 2; fi"#;
    let ran = run(mpirun("mpirun", 2).args(["sh", "-c", script]).arg(example("placement")));
    assert!(ran.stdout.contains("rank 0: agreed on 0"), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn the_mpirun_of_another_library_gives_ranks_and_one_warning() {
    let ran = run(mpirun("mpirun.mpich", 4).arg(example("placement")));
    assert_eq!((ran.code, ran.ranks()), (Some(0), FOUR.to_vec()), "{}", ran.stderr);
    let warnings = ran.warnings();
    assert_eq!(warnings.len(), 1, "{}", ran.stderr);
    for part in ["sees itself alone", "launcher started 4 processes", "use the mpirun of Open MPI"] {
        assert!(warnings[0].contains(part), "{}", warnings[0]);
    }
}

#[test]
fn required_mpi_is_required() {
    let ran = run(mpirun("mpirun.mpich", 2).arg(example("placement")).args(["--mpi", "required"]));
    assert!(ran.placements.is_empty());
    assert!(ran.stderr.contains("distribution.mpi is `required`, and"), "{}", ran.stderr);
    let ran = run(command(example("placement")).args(["--mpi", "required"]));
    assert!(ran.stderr.contains("the launcher offers none"), "{}", ran.stderr);
    assert_eq!(ran.code, Some(1));
}

#[test]
fn without_a_libmpi_ranks_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("ldd").arg(HELPER).output().unwrap();
    let linked = String::from_utf8(output.stdout).unwrap();
    let name = linked.split_whitespace().find(|word| word.starts_with("libmpi")).expect("the helper links libmpi");
    // The loader takes this broken file for the library: the same failure as a node without it.
    fs::write(folder.path().join(name), "").unwrap();
    let mut placement = command(example("placement"));
    placement.envs([("OMPI_COMM_WORLD_RANK", "1"), ("OMPI_COMM_WORLD_SIZE", "2")]);
    let ran = run(placement.env("LD_LIBRARY_PATH", folder.path()));
    assert_eq!((ran.code, ran.ranks()), (Some(0), vec![(1, 2)]), "{}", ran.stderr);
    assert!(ran.warnings()[0].contains("no MPI library on this node"), "{}", ran.stderr);
    for program in [env!("CARGO_BIN_EXE_clipmill").into(), example("placement")] {
        let output = Command::new("ldd").arg(&program).output().unwrap();
        assert!(!String::from_utf8(output.stdout).unwrap().contains("libmpi"), "{} links MPI", program.display());
    }
}

/// A fake helper: a shell script.
fn fake(folder: &Path, script: &str) -> PathBuf {
    let path = folder.join("fake-helper");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// The example as rank 0 of 2 under an environment like that of mpirun, with a fake helper.
fn with_fake(script: &str) -> Command {
    let folder = tempfile::tempdir().unwrap().keep();
    let mut placement = command(example("placement"));
    placement.envs([("OMPI_COMM_WORLD_RANK", "0"), ("OMPI_COMM_WORLD_SIZE", "2")]);
    placement.env("CLIPMILL_MPI_HELPER", fake(&folder, script)).env("CLIPMILL_MPI_TIMEOUT", "2");
    placement
}

#[test]
fn fake_helpers_that_fail_cost_a_warning() {
    let cases = [
        (
            "echo 'no libmpi' >&2; exit 127",
            "exit code 127: no MPI library on this node, or not the one it was built with; it said: no libmpi",
        ),
        ("kill -ABRT $$", "killed by SIGABRT"),
        ("kill -SEGV $$", "killed by SIGSEGV"),
        ("exit 0", "exit code 0"),
        ("exec sleep 60", "did not answer its start within 2 s"),
        (r"printf 'CLMP\000\007\000\000\000FakeMPI'; exec sleep 60", "(FakeMPI) did not answer MPI_Init within 2 s"),
        ("echo Hello from a banner", "not a message of the MPI helper: \"Hello fro\""),
        ("printf CLMP", "not a message of the MPI helper"),
        (r"printf 'CLMP\001\000\000\000\000'", "Hello instead of Library"),
        (r"printf 'CLMP\000\377\377\377\377'", "not a message of the MPI helper"),
    ];
    for (script, want) in cases {
        let ran = run(&mut with_fake(script));
        assert_eq!((ran.code, ran.ranks()), (Some(0), vec![(0, 2)]), "{script}: {}", ran.stderr);
        let warnings = ran.warnings();
        assert!(warnings.len() == 1 && warnings[0].contains(want), "{script}: {warnings:?}");
        let required = run(with_fake(script).args(["--mpi", "required"]));
        assert!(required.code == Some(1) && required.stderr.contains(want), "{script}: {}", required.stderr);
    }
    let missing = run(with_fake("").env("CLIPMILL_MPI_HELPER", "/nonexistent/clipmill-mpi"));
    assert_eq!(missing.ranks(), [(0, 2)]);
    assert!(missing.warnings()[0].contains("/nonexistent/clipmill-mpi cannot be started"), "{}", missing.stderr);
}

#[test]
fn a_fake_helper_that_dies_later_costs_the_session() {
    // Library "F"; Hello rank 0 of 2; then the end.
    let script = r"printf 'CLMP\000\001\000\000\000FCLMP\001\010\000\000\000\000\000\000\000\002\000\000\000'; exit 9";
    let ran = run(with_fake(script).args(["--code", "75"]));
    assert!(ran.stderr.contains("mpi: MPI (F) did not get through a broadcast: exit code 9"), "{}", ran.stderr);
    assert_eq!(ran.code, Some(75), "the rank keeps its own exit code");
}

#[test]
fn a_helper_is_only_started_where_it_can_work() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("started");
    let helper = fake(folder.path(), &format!("touch {}", mark.display()));
    let started = |environment: &[(&str, &str)], args: &[&str]| {
        let mut placement = command(example("placement"));
        let ran = run(placement.args(args).envs(environment.iter().copied()).env("CLIPMILL_MPI_HELPER", &helper));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        fs::remove_file(&mark).is_ok()
    };
    let ompi = [("OMPI_COMM_WORLD_RANK", "0"), ("OMPI_COMM_WORLD_SIZE", "2")];
    let step = [("SLURM_JOB_ID", "1"), ("SLURM_PROCID", "0"), ("SLURM_STEP_NUM_TASKS", "2"), ("SLURM_STEP_ID", "0")];
    let pmix = |namespace| [&step[..], &[("PMIX_RANK", "0"), ("PMIX_NAMESPACE", namespace)]].concat();
    assert!(started(&ompi, &[]));
    assert!(started(&pmix("slurm.pmix.1.0"), &[]));
    assert!(!started(&[], &[]), "no launcher");
    assert!(!started(&ompi, &["--mpi", "off"]), "switched off");
    assert!(!started(&ompi, &["--rank", "0", "--world", "2"]), "flags");
    assert!(!started(&step, &[]), "srun --mpi=none");
    assert!(!started(&pmix("slurm.pmix.1.7"), &[]), "PMIx of another step");
    assert!(!started(&[ompi[0], ("OMPI_COMM_WORLD_SIZE", "1")], &[]), "nobody to talk to");
}

#[test]
fn a_fake_helper_that_hangs_under_pmix_is_stopped_not_killed() {
    let folder = tempfile::tempdir().unwrap();
    let pid_file = folder.path().join("pid");
    let mut placement = with_fake(&format!("echo $$ > {}; exec sleep 60", pid_file.display()));
    placement.envs([("PMIX_RANK", "0"), ("PMIX_NAMESPACE", "any")]);
    let ran = run(&mut placement);
    assert_eq!(ran.ranks(), [(0, 2)], "{}", ran.stderr);
    let pid = fs::read_to_string(pid_file).unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap();
    assert!(Command::new("kill").args(["-KILL", pid.trim()]).status().unwrap().success());
    assert!(stat.contains(") T "), "{stat}");
}

/// The real helper, driven by hand as a world of its own.
struct Bare {
    child: Child,
    stdout: ChildStdout,
}

impl Bare {
    fn start() -> Self {
        let mut helper = command(HELPER);
        helper.env("OMPI_MCA_ess_singleton_isolated", "1").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = helper.stderr(Stdio::null()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let mut bare = Self { child, stdout };
        assert_eq!(bare.frame().0, 0, "library");
        assert_eq!(bare.frame(), (1, vec![0, 0, 0, 0, 1, 0, 0, 0]), "hello, rank 0 of 1");
        bare
    }

    fn frame(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 9];
        self.stdout.read_exact(&mut head).unwrap();
        assert_eq!(head[..4], *b"CLMP");
        let mut payload = vec![0; u32::from_le_bytes(head[5..9].try_into().unwrap()) as usize];
        self.stdout.read_exact(&mut payload).unwrap();
        (head[4], payload)
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_helper_ends_with_its_rank() {
    let mut bare = Bare::start();
    drop(bare.child.stdin.take());
    assert!(!bare.child.wait().unwrap().success());
}

#[test]
fn the_helper_leaves_signals_to_its_rank() {
    let mut bare = Bare::start();
    for name in ["-TERM", "-INT", "-USR1", "-USR2", "-HUP"] {
        bare.signal(name);
    }
    let mut stdin = bare.child.stdin.take().unwrap();
    stdin.write_all(b"CLMP\x04\0\0\0\0CLMP\x05\0\0\0\0").unwrap();
    assert_eq!((bare.frame(), bare.frame()), ((4, vec![]), (5, vec![])), "barrier, finalize");
    assert!(bare.child.wait().unwrap().success());
}

#[test]
fn a_helper_that_crashes_tells_and_stops() {
    let mut bare = Bare::start();
    bare.signal("-SEGV");
    assert_eq!(bare.frame(), (7, vec![11]));
    let state = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", bare.child.id())).unwrap();
        stat.rsplit(')').next().unwrap().trim_start().chars().next().unwrap()
    };
    while state() != 'T' {
        assert!(!"ZX".contains(state()), "it must not die");
        std::thread::yield_now();
    }
}
