"""Runs clipmill on a Spark cluster: one rank for each partition, no barrier between them.

  clipmill spark > clipmill_spark.py
  spark-submit [SPARK OPTIONS] clipmill_spark.py [--ranks N] [--program PATH] CONFIG [-o KEY=VALUE ...]

N is the number of ranks (default: Spark's default parallelism). CONFIG, input, output and program must have the same paths
on driver and executors. A rank that dies is a failed task, which Spark tries again: it goes on where it stopped. Tasks that
run twice (speculation) are slower, not wrong: leases see to it that no shard is done twice.

Exit codes are clipmill's: 0, 2, 3; 1 where a task failed too often.
"""
import argparse
import collections
import ctypes
import os
import signal
import subprocess
import sys

TAIL = 20  # lines of a rank's log that its error quotes


def end_with_parent():
    """A rank whose Python worker is gone drains, instead of working on for nobody."""
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGTERM, 0, 0, 0)


def run_rank(rank, job):
    """Runs one rank to its end; returns its exit code, or raises so that Spark tries again."""
    if not os.path.isdir(job["folder"]):
        raise RuntimeError(f"the executor on {os.uname().nodename} does not see the folder {job['folder']}")
    command = [job["program"], "run", *job["arguments"], "--rank", str(rank), "--world", str(job["world"])]
    environment = {**os.environ, "CLIPMILL_JOB_ID": job["id"]}
    process = subprocess.Popen(
        command, cwd=job["folder"], env=environment, text=True, errors="replace",
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        preexec_fn=end_with_parent,
    )
    last = collections.deque(maxlen=TAIL)
    for line in process.stderr:
        last.append(line)
        sys.stderr.write(line)
    code = process.wait()
    if code not in (0, 2, 3):
        raise RuntimeError(f"rank {rank} of {job['world']} ended with {code}:\n{''.join(last)}")
    return rank, code, "".join(last) if code == 2 else ""


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--ranks", type=int)
    parser.add_argument("--program", default="clipmill")
    parser.add_argument("config")
    parser.add_argument("-o", "--override", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args()
    if given.ranks is not None and given.ranks < 1:
        parser.error("--ranks must be at least 1")

    from pyspark import SparkConf, SparkContext

    context = SparkContext.getOrCreate(SparkConf().setAppName("clipmill"))
    world = given.ranks or context.defaultParallelism
    # Ranks on one node would each take all of its CPUs: a task has as many as Spark says.
    cpus = context.getConf().get("spark.task.cpus", "1")
    overrides = [f"distribution.processes_count={cpus}", *given.override]
    job = {
        "program": os.path.abspath(given.program) if os.sep in given.program else given.program,
        "arguments": [given.config, *(word for one in overrides for word in ("-o", one))],
        "folder": os.getcwd(),
        "world": world,
        "id": f"spark:{context.applicationId}",
    }
    try:
        ended = context.parallelize(range(world), world).map(lambda rank: run_rank(rank, job)).collect()
    except Exception as error:
        print(f"clipmill: a rank failed too often: {error}", file=sys.stderr)
        return 1
    finally:
        context.stop()
    refused = [last for _, code, last in ended if code == 2]
    if refused:
        print(refused[0], end="", file=sys.stderr)
        return 2
    return max(code for _, code, _ in ended)


if __name__ == "__main__":
    sys.exit(main())
