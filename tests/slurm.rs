//! The main job on a real Slurm cluster: every launcher, every way to be cut off.

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use common::cluster::Cluster;
use common::job::{Ended, Job, assert_same, stats, verify};
use common::site::Site;

const LIMIT: Duration = Duration::from_secs(240);

fn urls(site: &Site, folder: &str, files: usize) -> Vec<String> {
    (0..files).map(|n| site.url(&format!("{folder}/{n}.mp4"))).collect()
}

fn read(path: &PathBuf) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// What the ranks said of themselves: `rank 3 of 4`, sorted.
fn ranks(log: &str) -> Vec<String> {
    let mut ranks: Vec<String> = log
        .lines()
        .filter(|line| line.contains(", scratch "))
        .filter_map(|line| {
            let from = line.rfind("rank ").filter(|_| line.contains(" of ")).and(line.find(" of "))?;
            let number = line[..from].rsplit(' ').next()?;
            let world = line[from + 4..].split(' ').next()?;
            Some(format!("{number} of {world}"))
        })
        .collect();
    ranks.sort();
    ranks
}

const FOUR: [&str; 4] = ["0 of 4", "1 of 4", "2 of 4", "3 of 4"];

#[test]
fn every_launcher_gives_four_ranks_and_the_same_bytes() {
    let site = Site::start(60, 3000);
    let job = || Job::new(&urls(&site, "media", 60)).option("storage.number_sample_per_shard=4");
    let want = job();
    want.run().expect(0);
    let cluster = Cluster::start();
    let program = env!("CARGO_BIN_EXE_clipmill");

    // The helper is built against Open MPI, which speaks pmix: pmi2 and none are the wrong types for it.
    for (mpi, warned) in [("pmix", false), ("pmi2", true), ("none", false)] {
        let job = job();
        let mut srun = cluster.command("srun");
        srun.args(["-N2", "--ntasks-per-node=2", "--kill-on-bad-exit=0", &format!("--mpi={mpi}"), program, "run"]);
        let ended = Ended::of(srun.args(job.arguments()).output().unwrap()).expect(0);
        assert_eq!(ranks(&ended.stderr), FOUR, "--mpi={mpi}: {}", ended.stderr);
        let warnings = ended.stderr.matches("--mpi=pmix").count();
        assert_eq!(warnings, usize::from(warned), "--mpi={mpi}: {}", ended.stderr);
        assert_same(&want.snapshot(), &job.snapshot());
        verify(&job.output());
    }

    let mpirun = job();
    let mut command = cluster.command("mpirun");
    command.args(["--allow-run-as-root", "--oversubscribe", "-n", "4", program, "run"]).args(mpirun.arguments());
    let ended = Ended::of(command.output().unwrap()).expect(0);
    assert_eq!(ranks(&ended.stderr), FOUR, "{}", ended.stderr);
    assert_same(&want.snapshot(), &mpirun.snapshot());

    let array = job();
    let log = array.folder.path().join("log-%a");
    let id = cluster.submit("download_array.sbatch", &["--array=0-3", "--ntasks-per-node=1"], &array.arguments(), &log);
    for task in 0..4 {
        assert_eq!(cluster.wait(&format!("{id}_{task}"), LIMIT), "COMPLETED 0:0");
    }
    let logs: String = (0..4).map(|task| read(&array.folder.path().join(format!("log-{task}")))).collect();
    assert_eq!(ranks(&logs), FOUR, "{logs}");
    assert_same(&want.snapshot(), &array.snapshot());
    verify(&array.output());
}

#[test]
fn killed_ranks_nodes_and_batch_scripts_lose_and_double_nothing() {
    let site = Site::start(80, 120_000);
    let want = Job::new(&urls(&site, "slow", 80)).option("storage.number_sample_per_shard=8");
    want.run().expect(0);
    let cluster = Cluster::start();
    let job = Job::new(&urls(&site, "slow", 80))
        .option("storage.number_sample_per_shard=8")
        .option("distribution.thread_count=2")
        .option("distribution.heartbeat=0.3")
        .option("distribution.lease_ttl=3");
    let log = job.folder.path().join("log");
    let shape = ["-N2", "--ntasks-per-node=2", "--cpus-per-task=1"];

    // A rank is killed: the others, or the ranks started again in the same job, finish its shards.
    let id = cluster.submit("download.sbatch", &shape, &job.arguments(), &log);
    wait_until("shards are open", || partial_files(&job) >= 4);
    assert!(kill_one(&format!("output_folder={}", job.output().display()), "clipmill run"), "no rank found");
    std::thread::sleep(Duration::from_millis(500));

    // The batch script is killed: the job fails, and its ranks end with it.
    wait_until("the job runs on", || partial_files(&job) >= 1);
    assert!(kill_one(&format!("output_folder={}", job.output().display()), "slurm_script"), "no batch script found");
    let ended = cluster.wait(&id, LIMIT);
    assert!(ended.starts_with("FAILED"), "{ended}: {}", read(&log));
    nothing_half_visible(&job, &want);

    // A node is lost as in a power failure: Slurm requeues the job, which finishes on the others.
    let id = cluster.submit("download.sbatch", &shape, &job.arguments(), &log);
    wait_until("shards are open again", || partial_files(&job) >= 2);
    cluster.node("kill-node", "n2");
    cluster.command("scontrol").args(["update", "NodeName=n2", "State=DOWN", "Reason=test"]).status().unwrap();
    assert_eq!(cluster.wait(&id, LIMIT), "COMPLETED 0:0", "{}", read(&log));
    assert_same(&want.snapshot(), &job.snapshot());
    verify(&job.output());
    assert_eq!(partial_files(&job), 0, "no debris");
}

/// What each rank says of its place: node, and the GPUs that it sees; sorted.
#[cfg(feature = "media")]
fn bindings(log: &str) -> Vec<(String, String)> {
    let between = |line: &str, from: &str, to: &str| {
        let (_, rest) = line.split_once(from)?;
        Some(rest.split_once(to)?.0.to_owned())
    };
    let lines = log.lines().filter(|line| line.contains(", scratch "));
    let gpus = |line: &str| between(line, " gpu (", ")").or_else(|| between(line, " gpus (", ")")).unwrap_or_default();
    let mut found: Vec<_> = lines.filter_map(|line| Some((between(line, ", node ", ",")?, gpus(line)))).collect();
    found.sort();
    found
}

/// The GPUs are none: each rank is bound to its own, and makes its flows on CPUs.
#[cfg(feature = "media")]
#[test]
fn flow_runs_a_rank_on_each_gpu_or_node_and_keeps_the_keys() {
    let footage = common::cluster::root().join("target/rig/footage-src");
    let videos: Vec<String> =
        (0..8).map(|n| footage.join(["carphone_pristine.mp4", "bikes.mp4"][n % 2]).display().to_string()).collect();
    let input = Job::new(&videos).option("reading.allow_local_paths=true").option("storage.number_sample_per_shard=2");
    input.run().expect(0);
    let folder = input.folder.path();
    let arguments = |output: &str| {
        let config = common::cluster::root().join("configs/optical_flow.yaml").display().to_string();
        let (tars, output) = (input.output(), folder.join(output));
        let options = [format!("url_list={}", tars.display()), format!("output_folder={}", output.display())];
        std::iter::once(config).chain(options.into_iter().flat_map(|o| ["-o".to_owned(), o])).collect::<Vec<_>>()
    };
    let cluster = Cluster::start();
    let run = |output: &str, sbatch: &[&str]| {
        let log = folder.join(format!("{output}.log"));
        let id = cluster.submit("optical_flow.sbatch", sbatch, &arguments(output), &log);
        assert_eq!(cluster.wait(&id, LIMIT), "COMPLETED 0:0", "{}", read(&log));
        verify(&folder.join(output));
        // The GPUs of this cluster are names alone: a rank that works says that it goes on without.
        let log = read(&log);
        assert!(log.contains("NO GPU"), "{log}");
        bindings(&log)
    };
    let bound = |node: &str, gpus: &str| (node.to_owned(), gpus.to_owned());
    let on_gpus = run("gpus", &["--nodes=2", "--gpus-per-node=2", "--cpus-per-task=2"]);
    assert_eq!(on_gpus, [bound("n1", "0"), bound("n1", "1"), bound("n2", "0"), bound("n2", "1")]);
    let on_cpus = run("cpus", &["--nodes=2", "--cpus-per-task=2"]);
    assert_eq!(on_cpus, [bound("n1", ""), bound("n2", "")]);
    assert_same(&common::job::snapshot(&folder.join("gpus")), &common::job::snapshot(&folder.join("cpus")));
    for shard in 0..4 {
        let names = |folder: PathBuf, extension: &str| -> Vec<String> {
            let members = common::job::members(&folder.join(format!("{shard:05}.tar")));
            let names = members.into_iter().filter_map(|(name, _)| Some(name.strip_suffix(extension)?.to_owned()));
            names.collect()
        };
        let keys = names(input.output(), ".mp4");
        assert_eq!((keys.len(), names(folder.join("gpus"), ".npy")), (2, keys));
    }
}

#[test]
fn a_job_with_a_one_minute_limit_drains_requeues_itself_and_finishes() {
    // 2 ranks × 1 transfer at 200 kB/s: 36 MB take about 90 s.
    let site = Site::start(90, 400_000);
    let cluster = Cluster::start();
    let job = Job::new(&urls(&site, "slow", 90))
        .option("storage.number_sample_per_shard=45")
        .option("distribution.thread_count=1");
    let log = job.folder.path().join("log");
    let shape = ["-N1", "--ntasks-per-node=2", "--cpus-per-task=1", "--time=1", "--signal=B:USR1@30"];
    let id = cluster.submit("download.sbatch", &shape, &job.arguments(), &log);
    assert_eq!(cluster.wait(&id, Duration::from_secs(420)), "COMPLETED 0:0", "{}", read(&log));
    let text = read(&log);
    let restarts: u32 = cluster.field(&id, "Restarts").parse().unwrap();
    assert!(restarts >= 1, "it went through at least two starts: {text}");
    assert!(text.contains("work is left: requeueing"), "{text}");
    let resumed: u64 =
        (0..2).map(|n| stats(&job.output(), &format!("{n:05}"))["clipmill"]["resumed_rows"].as_u64().unwrap()).sum();
    assert!(resumed > 0, "later starts went on inside the shards: {text}");
    verify(&job.output());
    let want = Job::new(&urls(&site, "media", 90)).option("storage.number_sample_per_shard=45");
    want.run().expect(0);
    same_media(&want, &job);
}

#[test]
fn a_straggler_loses_its_unstarted_shards_to_the_others() {
    let site = Site::start(96, 2000);
    let cluster = Cluster::start();
    let job = Job::new(&urls(&site, "media", 96))
        .option("storage.number_sample_per_shard=4")
        .option("distribution.thread_count=2");
    // Rank 0 asks for one file per second, 20 times slower than the rest; its share is a quarter of the job.
    let wrapper = job.folder.path().join("straggler.sh");
    let script = "#!/bin/bash\nrate=80\n[ \"$SLURM_PROCID\" != 0 ] || rate=4\n\
                  exec \"$CLIPMILL\" run \"$@\" -o reading.requests_per_second_per_host=$rate\n";
    fs::write(&wrapper, script).unwrap();
    let begun = Instant::now();
    let mut srun = cluster.command("srun");
    srun.args(["-N2", "--ntasks-per-node=2", "--mpi=none", "bash", wrapper.to_str().unwrap()]);
    Ended::of(srun.args(job.arguments()).output().unwrap()).expect(0);
    let helped = begun.elapsed();
    verify(&job.output());
    let by_rank_0 = (0..24).filter(|n| writer(&job, *n) == 0).count();
    assert!((1..6).contains(&by_rank_0), "rank 0 wrote {by_rank_0} of its 6 shards");

    // Static assignment: rank 0's share alone, at its own pace.
    let share: Vec<String> = (0..24)
        .filter(|shard| shard % 4 == 0)
        .flat_map(|shard| (0..4).map(move |row| shard * 4 + row))
        .map(|n| site.url(&format!("media/{n}.mp4")))
        .collect();
    let alone =
        Job::new(&share).option("storage.number_sample_per_shard=4").option("reading.requests_per_second_per_host=1");
    let begun = Instant::now();
    alone.run().expect(0);
    println!("straggler: {helped:.1?} with helping ranks, {:.1?} with a static assignment", begun.elapsed());
}

fn writer(job: &Job, shard: usize) -> u64 {
    stats(&job.output(), &format!("{shard:05}"))["clipmill"]["writer"]["rank"].as_u64().unwrap()
}

fn partial_files(job: &Job) -> usize {
    fs::read_dir(job.output().join("_clipmill/partial")).map_or(0, Iterator::count)
}

fn wait_until(what: &str, mut ready: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !ready() {
        assert!(begun.elapsed() < Duration::from_secs(90), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// SIGKILLs one process whose command line has both words.
fn kill_one(word: &str, program: &str) -> bool {
    for entry in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let is_launcher = ["srun", "sbatch", "slurmstepd"].iter().any(|name| line.starts_with(name));
        if line.contains(word) && line.contains(program) && !is_launcher {
            return Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success();
        }
    }
    false
}

fn nothing_half_visible(job: &Job, want: &Job) {
    let want = want.snapshot();
    for (name, bytes) in job.snapshot() {
        assert!(bytes == want[&name], "{name} stands under its final name and is not whole");
    }
}

/// The same media under the same keys: the tables differ in their URLs only.
fn same_media(want: &Job, got: &Job) {
    for shard in ["00000.tar", "00001.tar"] {
        let media = |job: &Job| -> Vec<_> {
            let members = common::job::members(&job.output().join(shard));
            members.into_iter().filter(|(name, _)| name.ends_with(".mp4")).collect()
        };
        assert!(media(want) == media(got), "{shard}");
    }
}
