//! Who starts the ranks: `distribution.distributor`, on a real Slurm cluster and on real Spark.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use common::cluster::{Cluster, root};
use common::job::{Ended, Job, assert_same, clipmill, stats, verify};
use common::site::Site;

fn job(site: &Site) -> Job {
    let urls: Vec<String> = (0..40).map(|n| site.url(&format!("media/{n}.mp4"))).collect();
    Job::new(&urls).option("storage.number_sample_per_shard=4")
}

const SLURM: &str = "{distributor: slurm, distributor_args: {cpus_per_task: 1, job_name: v2ds, partition: main, n_nodes: 2, \
                     tasks_per_node: 2, account: null, comment: a b, timeout: 3600, cache_path: .video2dataset_cache/}}";

/// `clipmill VERB …` on a node that can submit, in the job's folder.
fn on_login_node(cluster: &Cluster, job: &Job, verb: &str, more: &[&str]) -> Output {
    let mut command = cluster.command(env!("CARGO_BIN_EXE_clipmill"));
    command.arg(verb).args(job.arguments()).args(["-o", &format!("distribution={SLURM}")]).args(more);
    command.current_dir(job.folder.path()).env_remove("CLIPMILL").output().unwrap()
}

#[test]
fn slurm_gets_one_job_with_what_the_old_arguments_say() {
    let site = Site::start(40, 3000);
    let want = job(&site);
    want.run().expect(0);
    let cluster = Cluster::start();
    let job = job(&site);

    let dry = Ended::of(on_login_node(&cluster, &job, "submit", &["--dry-run"])).expect(0);
    assert!(
        dry.stdout.starts_with("sbatch --parsable --job-name=v2ds --partition=main '--comment=a b' --nodes=2 "),
        "{dry:?}"
    );
    assert!(!job.folder.path().join(".video2dataset_cache").exists());

    let ended = Ended::of(on_login_node(&cluster, &job, "run", &[])).expect(0);
    let id = ended.stdout.trim().to_owned();
    assert!(id.parse::<u32>().is_ok() && ended.stderr.contains("submitted job"), "{ended:?}");
    for (field, value) in
        [("JobName", "v2ds"), ("NumNodes", "2-2"), ("NumTasks", "4"), ("TimeLimit", "01:00:00"), ("Requeue", "1")]
    {
        assert_eq!(cluster.field(&id, field), value, "{field}");
    }
    assert_eq!(cluster.wait(&id, Duration::from_secs(120)), "COMPLETED 0:0");
    assert_same(&want.snapshot(), &job.snapshot());
    verify(&job.output());
    let writer = &stats(&job.output(), "00000")["clipmill"]["writer"];
    assert_eq!((&writer["world"], &writer["job"]), (&4.into(), &format!("slurm:{id}").into()));

    // The ranks ran here, and submitted nothing: the next job has the next number.
    let again = Ended::of(on_login_node(&cluster, &job, "submit", &[])).expect(0);
    assert_eq!(again.stdout.trim().parse::<u32>().unwrap(), id.parse::<u32>().unwrap() + 1);
    assert_eq!(cluster.wait(again.stdout.trim(), Duration::from_secs(120)), "COMPLETED 0:0");

    // Inside a job, `slurm` means the ranks that are there.
    let mut srun = cluster.command("srun");
    srun.args(["-n2", env!("CARGO_BIN_EXE_clipmill"), "run"]).args(job.arguments());
    srun.args(["-o", &format!("distribution={SLURM}"), "-o", "incremental_mode=overwrite"]);
    let ended = Ended::of(srun.output().unwrap()).expect(0);
    assert_eq!(ended.stderr.matches("nothing is submitted").count(), 1, "{}", ended.stderr);
    assert_eq!(stats(&job.output(), "00000")["clipmill"]["writer"]["world"], 2);

    let refused = job_into_nowhere(&cluster, &job);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
    assert!(refused.stderr.contains("sbatch refused the job") && refused.stderr.contains("partition"), "{refused:?}");
}

fn job_into_nowhere(cluster: &Cluster, job: &Job) -> Ended {
    Ended::of(on_login_node(cluster, job, "run", &["-o", "distribution.distributor_args={partition: nowhere}"]))
}

#[test]
fn slurm_jobs_are_checked_before_they_are_submitted() {
    let site = Site::start(1, 100);
    let submit = |args: &str| {
        let job = job(&site).option(&format!("distribution={{distributor: slurm, distributor_args: {args}}}"));
        // A folder without sbatch.
        let ended = Ended::of(job.command().env("PATH", job.folder.path()).output().unwrap());
        (ended, job)
    };
    for (args, said) in [
        ("{n_node: 2}", "did you mean `n_nodes`?"),
        ("{n_nodes: two}", "distributor_args"),
        ("{n_nodes: 0}", "must be at least 1"),
        ("{partition: ''}", "sbatch's --partition is empty"),
        ("{timeout: 0}", "must be more than 0"),
    ] {
        let (ended, job) = submit(args);
        let ended = ended.expect(2);
        assert!(ended.stderr.contains(said), "{args}: {}", ended.stderr);
        assert!(!job.output().exists());
    }
    let ended = submit("{n_nodes: 2}").0.expect(1);
    assert!(ended.stderr.contains("no sbatch on this machine"), "{}", ended.stderr);
}

const JAVA: &str = "-XX:TieredStopAtLevel=1";

/// `spark-submit` of a virtual environment of its own, which tests/rig/setup.sh makes.
fn spark_submit(job: &Job, master: &str, options: &[&str], arguments: &[String]) -> Ended {
    let rig = root().join("target/rig/spark/bin");
    let program = Ended::of(clipmill().arg("spark").output().unwrap()).expect(0).stdout;
    let file = job.folder.path().join("clipmill_spark.py");
    fs::write(&file, program).unwrap();
    let mut command = Command::new(rig.join("spark-submit"));
    command.args(["--master", master, "--conf", "spark.ui.enabled=false"]);
    // Java that lives for seconds: less compiling takes less of the machine.
    command.args(["--driver-java-options", JAVA, "--conf", &format!("spark.executor.extraJavaOptions={JAVA}")]);
    command.arg(file).args(options).args(arguments).current_dir(job.folder.path());
    command
        .env("PYSPARK_PYTHON", rig.join("python"))
        .env("PYSPARK_DRIVER_PYTHON", rig.join("python"))
        .env("SPARK_LOCAL_IP", "127.0.0.1")
        .env_remove("SPARK_HOME");
    for (name, _) in clipmill().get_envs() {
        command.env_remove(name);
    }
    Ended::of(command.output().expect("`bash tests/rig/setup.sh test` installs Spark"))
}

/// A program that dies the first time that a rank runs it, as a node that is lost.
fn dies_once(job: &Job) -> PathBuf {
    let (file, mark) = (job.folder.path().join("clipmill"), job.folder.path().join("died"));
    let script = format!(
        "#!/bin/sh\nmkdir {} 2>/dev/null && kill -9 $$\nexec {} \"$@\"\n",
        mark.display(),
        env!("CARGO_BIN_EXE_clipmill")
    );
    fs::write(&file, script).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    file
}

#[test]
fn spark_runs_a_rank_for_each_partition_and_again_where_one_dies() {
    let site = Site::start(40, 3000);
    let want = job(&site);
    want.run().expect(0);
    let job = job(&site).option("distribution.distributor=pyspark");
    let program = dies_once(&job);
    // Two executors, each a process of its own.
    let options = ["--ranks", "4", "--program", program.to_str().unwrap()];
    let ended = spark_submit(&job, "local-cluster[2,1,1024]", &options, &job.arguments()).expect(0);
    assert!(job.folder.path().join("died").exists(), "{ended:?}");
    assert_same(&want.snapshot(), &job.snapshot());
    verify(&job.output());
    let writer = &stats(&job.output(), "00000")["clipmill"]["writer"];
    assert_eq!(writer["world"], 4);
    assert!(writer["job"].as_str().unwrap().starts_with("spark:app-"), "{writer}");
}

#[test]
fn what_no_second_try_would_mend_is_not_tried_again() {
    let site = Site::start(1, 100);
    let job = job(&site).option("reading.retrys=1");
    let ended =
        spark_submit(&job, "local[2,4]", &["--program", env!("CARGO_BIN_EXE_clipmill")], &job.arguments()).expect(2);
    assert!(ended.stderr.contains("did you mean `retries`?"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("Lost task"), "{}", ended.stderr);
}

#[test]
fn a_rank_whose_spark_worker_is_gone_is_told_to_drain() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("clipmill_spark.py"), Ended::of(clipmill().arg("spark").output().unwrap()).expect(0).stdout).unwrap();
    // FAKE: a rank that works for a minute, and notes that it is to drain.
    let rank = "#!/bin/sh\ntrap 'touch drained; exit 75' TERM\ntouch begun\nfor n in $(seq 600); do sleep 0.1; done\n";
    fs::write(at("rank"), rank).unwrap();
    fs::set_permissions(at("rank"), fs::Permissions::from_mode(0o755)).unwrap();
    let worker = "import clipmill_spark, os\n\
                  job = dict(program='./rank', arguments=[], folder=os.getcwd(), world=1, id='')\n\
                  clipmill_spark.run_rank(0, job)";
    let mut python = Command::new(root().join(".venv/bin/python"));
    let mut python = python.args(["-c", worker]).current_dir(folder.path()).spawn().unwrap();
    let wait_for = |name: &str| {
        let begun = Instant::now();
        while !at(name).exists() {
            assert!(begun.elapsed() < Duration::from_secs(60), "not {name}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait_for("begun");
    python.kill().unwrap();
    python.wait().unwrap();
    wait_for("drained");
}

#[test]
fn without_spark_the_config_says_how_to_start_it() {
    let site = Site::start(1, 100);
    let job = job(&site).option("distribution.distributor=pyspark");
    let ended = job.run().expect(2);
    assert!(ended.stderr.contains("spark-submit clipmill_spark.py"), "{}", ended.stderr);
    assert!(!job.output().exists());
}
