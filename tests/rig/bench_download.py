"""Runs the programs in turn and prints markdown. Called by bench_download.sh, which makes the inputs and the servers.

Wall: from the start of the process to its end. CPU: user + system of the process and of all that it waited for. RSS: the
peak of the largest of them (this runner's own 15 MB is a floor, since a new process begins as a copy).
"""

import dataclasses
import os
import pathlib
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import time

from bench_inputs import JOBS

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
ROWS = int(os.environ.get("BENCH_ROWS", "10000000"))
# Rows per shard; transfers in flight. The same for all.
SHARD = {"small": 100, "many": 1000, "large": 5}
IN_FLIGHT = 16


@dataclasses.dataclass
class Run:
    wall: float
    cpu: float
    rss: int
    started: float


class Failed(Exception):
    """A program that did not do its job; the message says which and why."""


def run(command: list[str], log: pathlib.Path, **extra_env: str) -> Run:
    with log.open("wb") as out:
        started = time.time()
        begin = time.monotonic()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **extra_env})
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        tail = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise Failed(f"`{shlex.join(command)[:120]}…` ended with {child.returncode}: {' '.join(tail)}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, started)


class Bench:
    def __init__(self, repo: pathlib.Path, work: pathlib.Path):
        self.repo, self.work = repo, work
        self.out = work / "out"
        self.log = work / "log"
        self.clipmill = os.environ["CLIPMILL"]
        self.v2d = repo / "target/rig/v2d/bin/python"

    def table(self, name: str, base: str, count: int) -> pathlib.Path:
        path = self.work / f"{name}.csv"
        path.write_text("url\n" + "".join(f"{base}/{name}/{index:05}.mp4\n" for index in range(count)))
        return path

    def clipmill_command(self, table: pathlib.Path, shard: int, *more: str) -> list[str]:
        options = [
            f"url_list={table}",
            f"output_folder={self.out}",
            f"storage.number_sample_per_shard={shard}",
            f"distribution.thread_count={IN_FLIGHT}",
            "distribution.mpi=off",
            "reading.allow_private_networks=true",
            *more,
        ]
        return [self.clipmill, "run", str(self.repo / "configs/download.yaml"), *(word for o in options for word in ("-o", o))]

    def curl_command(self, name: str) -> list[str]:
        # A range rather than a list of URLs: curl takes a millisecond per entry of a list of thousands.
        count, _, _ = JOBS[name]
        url = f"{os.environ['BENCH_URL']}/{name}/[00000-{count - 1:05}].mp4"
        script = 'mkdir -p "$1/files" && curl -sf --parallel --parallel-max "$3" "$2" -o "$1/files/#1.mp4" && tar -cf "$1/all.tar" -C "$1/files" .'
        return ["bash", "-c", script, "curl", str(self.out), url, str(IN_FLIGHT)]

    def v2d_command(self, table: pathlib.Path, shard: int) -> list[str]:
        config = self.work / "v2d.yaml"
        config.write_text(
            "subsampling: {}\n"
            "reading: {yt_args: {download_size: 360, download_audio_rate: 44100, yt_metadata_args: null}, timeout: 60, sampler: null}\n"
            f"storage: {{number_sample_per_shard: {shard}, oom_shard_count: 5, captions_are_subtitles: false}}\n"
            f"distribution: {{processes_count: 2, thread_count: {IN_FLIGHT}, subjob_size: 1000, distributor: multiprocessing}}\n"
        )
        call = (
            "import sys; from video2dataset import video2dataset\n"
            "if __name__ == '__main__': video2dataset(url_list=sys.argv[1], output_folder=sys.argv[2], config=sys.argv[3],"
            " input_format='csv', output_format='webdataset', url_col='url', encode_formats={'video': 'mp4'})\n"
        )
        # A file, not -c: its worker processes import the main module again.
        script = self.work / "v2d_run.py"
        script.write_text(call)
        return [str(self.v2d), str(script), str(table), str(self.out), str(config)]

    def fresh(self) -> None:
        shutil.rmtree(self.out, ignore_errors=True)
        # What the last program left to be written is not this one's to wait for.
        os.sync()

    def check(self, expected: int) -> None:
        made = sum(path.stat().st_size for path in self.out.rglob("*.tar"))
        if made < expected:
            raise Failed(f"{self.out} holds {made} bytes of tar, less than the {expected} bytes served; see {self.log}")

    def job(self, name: str) -> dict[str, list[Run]]:
        count, size, _ = JOBS[name]
        table = self.table(name, os.environ["BENCH_URL"], count)
        programs = {
            "clipmill": self.clipmill_command(table, SHARD[name]),
            "clipmill, fsync off": self.clipmill_command(table, SHARD[name], "distribution.fsync=false"),
            "curl + tar": self.curl_command(name),
        }
        if self.v2d.exists():
            programs["video2dataset"] = self.v2d_command(table, SHARD[name])
        runs: dict[str, list[Run]] = {program: [] for program in programs}
        for _ in range(ROUNDS):
            for program, command in programs.items():
                self.fresh()
                runs[program].append(run(command, self.log))
                self.check(count * size)
        return runs

    def first_request(self) -> list[float]:
        """Seconds from exec to the first request's arrival, as nginx saw it (both clocks have milliseconds)."""
        table = self.table("small", os.environ["BENCH_LOGGED_URL"], 1)
        access = self.work / "logged/access.log"
        delays = []
        for _ in range(10):
            self.fresh()
            seen = access.stat().st_size
            this = run(self.clipmill_command(table, 1), self.log)
            end, took, _ = access.read_text()[seen:].split("\n")[0].split(" ", 2)
            delays.append(float(end) - float(took) - this.started)
        return delays

    def table_options(self, suffix: str) -> list[str]:
        table = self.work / f"rows.{suffix}"
        options = (f"url_list={table}", f"input_format={suffix}", f"output_folder={self.out}", "caption_col=caption", "save_additional_columns=[id]")
        return [word for option in options for word in ("-o", option)]

    def read(self, suffix: str) -> dict[str, list[Run]]:
        """Reading all rows: `clipmill plan`, and pyarrow in batches, in turn."""
        path = self.work / f"rows.{suffix}"
        code = {
            "csv": "import pyarrow.csv as c; print(sum(b.num_rows for b in c.open_csv(sys.argv[1])))",
            "parquet": "import pyarrow.parquet as p; print(sum(b.num_rows for b in p.ParquetFile(sys.argv[1]).iter_batches()))",
        }[suffix]
        config = str(self.repo / "configs/download.yaml")
        commands = {
            "clipmill": [self.clipmill, "plan", config, *self.table_options(suffix)],
            "pyarrow": [sys.executable, "-c", "import sys; " + code, str(path)],
        }
        runs: dict[str, list[Run]] = {program: [] for program in commands}
        for _ in range(ROUNDS):
            for program, command in commands.items():
                runs[program].append(run(command, self.log))
        return runs

    def make_plan(self, suffix: str) -> Run:
        """A run up to the moment when its plan stands on disk; it is killed there, before it fetches."""
        self.fresh()
        command = [self.clipmill, "run", str(self.repo / "configs/download.yaml"), *self.table_options(suffix)]
        begin = time.monotonic()
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as child:
            planned = any(" rows in " in line for line in child.stderr)
            wall = time.monotonic() - begin
            status = pathlib.Path(f"/proc/{child.pid}/status").read_text() if planned else ""
            child.kill()
        peak = next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")), 0)
        if not planned:
            raise Failed("no plan was made")
        return Run(wall, 0.0, peak, 0.0)


def median(runs: list[Run], field: str) -> float:
    return statistics.median(getattr(one, field) for one in runs)


def print_job(name: str, runs: dict[str, list[Run]]) -> None:
    count, size, _ = JOBS[name]
    gigabytes = count * size / 1e9
    print(f"\n### {count:,} files of {size / 1e6:g} MB ({gigabytes:.2f} GB), median of {ROUNDS}\n")
    print("| program | wall s (min–max) | MB/s | files/s | CPU s | CPU s per GB | peak RSS MB | wall, CPU against curl + tar |")
    print("|---|---|---|---|---|---|---|---|")
    floor_wall, floor_cpu = median(runs["curl + tar"], "wall"), median(runs["curl + tar"], "cpu")
    for program, each in runs.items():
        wall, cpu = median(each, "wall"), median(each, "cpu")
        spread = f"{min(r.wall for r in each):.2f}–{max(r.wall for r in each):.2f}"
        print(
            f"| {program} | {wall:.2f} ({spread}) | {gigabytes * 1e3 / wall:.0f} | {count / wall:.0f} | {cpu:.2f} "
            f"| {cpu / gigabytes:.2f} | {median(each, 'rss') / 1e6:.0f} | {wall / floor_wall:.2f}, {cpu / floor_cpu:.2f} |"
        )


def print_machine() -> None:
    model = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    curl = subprocess.run(["curl", "--version"], capture_output=True, text=True).stdout.split()[1]
    print(f"{len(os.sched_getaffinity(0))} CPUs ({model}), Linux {platform.release()}, curl {curl}; load at the start {load}")


def main() -> int:
    bench = Bench(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
    failed = 0

    def attempt(what: str, action) -> None:
        nonlocal failed
        try:
            action()
        except Failed as reason:
            failed += 1
            print(f"\nNOT MEASURED, {what}: {reason}")
        sys.stdout.flush()

    def start_up() -> None:
        delays = bench.first_request()
        print(f"\nStart to first request: median {statistics.median(delays) * 1e3:.0f} ms, worst of 10 {max(delays) * 1e3:.0f} ms")

    def plan(suffix: str) -> None:
        def line(what: str, runs: list[Run]) -> None:
            print(f"| {what} | {ROWS / median(runs, 'wall') / 1e6:.2f} | {max(r.rss for r in runs) / 1e6:.0f} |")

        read = bench.read(suffix)
        made = [bench.make_plan(suffix) for _ in range(ROUNDS)]
        print(f"\n### {ROWS:,} rows of {suffix}, median of {ROUNDS}\n\n| | M rows/s | peak RSS MB |\n|---|---|---|")
        line("clipmill: reading (`clipmill plan`)", read["clipmill"])
        line("clipmill: reading, hashing and writing the plan (start of `clipmill run`)", made)
        line("pyarrow: reading", read["pyarrow"])

    print_machine()
    for name in os.environ.get("BENCH_JOBS", "small many large").split():
        attempt(f"job {name}", lambda: print_job(name, bench.job(name)))
    attempt("start", start_up)
    for suffix in ("csv", "parquet") if ROWS else ():
        attempt(f"plan {suffix}", lambda: plan(suffix))
    if not bench.v2d.exists():
        print("\nvideo2dataset was not measured: BENCH_V2D=1 installs it")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
