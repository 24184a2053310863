"""Runs the programs in turn and prints markdown. Called by bench_mill.sh, which makes the corpus.

Wall: from the start of the process to its end. CPU: user + system of the process and of all that it waited for, workers
included, also those that the rank does not wait for (this runner adopts them). Ratios are medians of each side's rounds; above 1 clipmill is the better one.
"""

import ctypes
import dataclasses
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import time

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
ROWS = os.environ.get("BENCH_ROWS", "cuts scenedetect encode full probe workers boundary copy exact").split()
COPIES = 2  # of each distinct video
CLIP = 4.0  # seconds of a clip
PROBES = 400  # samples of the row "probe"


@dataclasses.dataclass
class Run:
    wall: float
    cpu: float
    rss: int
    steady: float = 0.0


class Failed(Exception):
    """A program that did not do its job; the message says which and why."""


PR_SET_CHILD_SUBREAPER = 36


def adopt() -> None:
    """From now on what a program leaves running becomes a child of this process, so that its CPU time can be had: a rank
    may end before its workers have, and then nobody else counts them."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def orphans() -> list:
    """Waits for all that the last program left behind."""
    usages = []
    while True:
        try:
            usages.append(os.wait4(-1, 0)[2])
        except ChildProcessError:
            return usages


SCENES = """
import resource, sys, cv2, scenedetect
from scenedetect import ContentDetector, SceneManager, open_video
cpu = lambda: sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
begin = cpu()
for path in sys.argv[1:]:
    video = open_video(path)
    manager = SceneManager()
    manager.add_detector(ContentDetector(threshold=27, min_scene_len=15))
    manager.auto_downscale = False
    manager.downscale = video.frame_size[0] // 64
    manager.detect_scenes(video)
print(cpu() - begin)
"""

# Three subsamplers of the release fail on every sample of a download (an attribute of another name, and a dictionary that
# changes while it is walked through): mended here, or there would be nothing to measure.
V2D = """
import json, sys
import pandas
from video2dataset import video2dataset
from video2dataset.subsamplers import AudioRateSubsampler, FrameSubsampler, ResolutionSubsampler

def mend(cls, formats):
    inner = cls.__call__
    def call(self, streams, metadata=None):
        made, metadata, error = inner(self, dict(streams), metadata)
        if error is not None:
            return made, metadata, error
        streams.update(made)
        return streams, metadata, error
    cls.__call__, cls.encode_formats = call, formats

mend(AudioRateSubsampler, {"audio": "mp3"})
mend(FrameSubsampler, {"video": "mp4"})
mend(ResolutionSubsampler, {"video": "mp4"})
if __name__ == "__main__":
    table, out, config, formats, clips = sys.argv[1:]
    rows = pandas.read_csv(table)
    if clips:  # of a CSV it takes no lists
        rows["clips"] = rows["clips"].map(json.loads)
    rows.to_parquet(table + ".parquet")
    more = {"clip_col": "clips"} if clips else {}
    video2dataset(url_list=table + ".parquet", output_folder=out, config=config, input_format="parquet", output_format="webdataset",
                  url_col="url", encode_formats=eval(formats), **more)
"""


class Bench:
    def __init__(self, repo: pathlib.Path, work: pathlib.Path, corpus: pathlib.Path | None = None):
        self.work, self.out, self.log = work, work / "out", work / "log"
        self.clipmill = os.environ["CLIPMILL"]
        self.scenes = repo / "target/rig/scenedetect/bin/python"
        self.v2d = repo / "target/rig/v2d/bin/python"
        distinct = sorted((corpus or work / "corpus").glob("[0-9]*.mp4"))
        self.files = [path for _ in range(COPIES) for path in distinct]
        shown = {path: self.probe(path) for path in distinct}
        self.frames = sum(shown[path][0] for path in self.files)
        self.seconds = sum(shown[path][1] for path in self.files)
        # As many clips as fit, a second apart.
        self.spans = {
            path: [[at, at + CLIP] for at in (0.5 + n * (CLIP + 1) for n in range(9)) if at + CLIP < shown[path][1]] for path in distinct
        }

    @staticmethod
    def probe(path: pathlib.Path) -> tuple[int, float]:
        command = ["ffprobe", "-v", "error", "-of", "json", "-select_streams", "v:0", "-show_entries", "stream=nb_frames,duration", str(path)]
        stream = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["streams"][0]
        return int(stream["nb_frames"]), float(stream["duration"])

    def run(self, command: list[str]) -> Run:
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir(parents=True)
        # What the last program left to be written is not this one's to wait for.
        os.sync()
        with self.log.open("wb") as out:
            begin = time.monotonic()
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
            _, status, usage = os.wait4(child.pid, 0)
            wall = time.monotonic() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
        usages = [usage, *orphans()]
        if child.returncode != 0:
            tail = self.log.read_text(errors="replace").strip().splitlines()[-3:]
            raise Failed(f"{command[0]} ended with {child.returncode}: {' '.join(tail)}")
        return Run(wall, sum(one.ru_utime + one.ru_stime for one in usages), max(one.ru_maxrss for one in usages) * 1024)

    def table(self, files: list[pathlib.Path], spans: dict | None = None) -> pathlib.Path:
        path = self.work / "table.csv"
        rows = (f'{file},"{json.dumps(spans[file])}"\n' if spans else f"{file}\n" for file in files)
        path.write_text(("url,clips\n" if spans else "url\n") + "".join(rows))
        return path

    def config(self, subsampling: dict, workers: int) -> pathlib.Path:
        path = self.work / "config.yaml"
        shared = {"storage": {"number_sample_per_shard": 100}, "distribution": {"processes_count": workers}}
        path.write_text(json.dumps({"subsampling": subsampling, **shared}))  # YAML holds all JSON
        return path

    def mill(self, subsampling: dict, formats: dict, *, spans: dict | None = None, files: list | None = None, workers: int = 2, expect: int = 0) -> Run:
        table = self.table(files or self.files, spans)
        options = ["reading.allow_local_paths=true", "distribution.mpi=off", f"url_list={table}", f"output_folder={self.out / 'mill'}"]
        options += [f"encode_formats={json.dumps(formats)}"] + (["clip_col=clips"] if spans else [])
        command = [self.clipmill, "run", str(self.config(subsampling, workers)), *(word for o in options for word in ("-o", o))]
        ran = self.run(command)
        stats = [json.loads(path.read_text()) for path in (self.out / "mill").glob("*_stats.json")]
        wanted = len(files or self.files)
        if sum(one["successes"] for one in stats) != wanted:
            raise Failed(f"clipmill: not all of {wanted} samples are good; see {self.log}")
        if expect and sum(one["outputs"] for one in stats) != expect:
            raise Failed(f"clipmill made {sum(one['outputs'] for one in stats)} samples, not {expect}")
        return dataclasses.replace(ran, steady=steady(stats))

    def shell(self, lines: list[str], jobs: int) -> Run:
        """The lines, `jobs` at a time."""
        script = self.work / "lines"
        script.write_text("\n".join(lines) + "\n")
        return self.run(["bash", "-c", f"cd {self.out} && xargs -P {jobs} -d '\\n' -n 1 bash -c <{script}"])

    def scenedetect(self) -> Run:
        ran = self.run([str(self.scenes), "-c", SCENES, *map(str, self.files)])
        # Without its imports: that is what every other way of calling it shares.
        return dataclasses.replace(ran, cpu=float(self.log.read_text().split()[-1]))

    def video2dataset(self, subsampling: dict, formats: dict, spans: dict | None = None, files: list | None = None) -> Run:
        """`steady` is without its start (by the clock of its stats), as it would be in a job of hours."""
        script = self.work / "v2d_run.py"  # a file, not -c: its worker processes import the main module again
        script.write_text(V2D)
        config = self.config(subsampling, 2)
        whole = json.loads(config.read_text())
        whole["reading"] = {"yt_args": {"download_size": 360, "download_audio_rate": 44100, "yt_metadata_args": None}, "timeout": 60, "sampler": None}
        whole["storage"] |= {"number_sample_per_shard": 8, "oom_shard_count": 5, "captions_are_subtitles": False}
        whole["distribution"] |= {"thread_count": 2, "subjob_size": 1000, "distributor": "multiprocessing"}
        config.write_text(json.dumps(whole))
        table = self.table(files or self.files, spans)
        ran = self.run([str(self.v2d), str(script), str(table), str(self.out / "v2d"), str(config), repr(formats), "clips" if spans else ""])
        stats = [json.loads(path.read_text()) for path in (self.out / "v2d").glob("*_stats.json")]
        if not stats or not sum(one["successes"] for one in stats):
            raise Failed(f"video2dataset made nothing; see {self.log}")
        return dataclasses.replace(ran, steady=steady(stats))


def steady(stats: list) -> float:
    """Seconds from the first shard's start to the last one's end, by the program's own clock."""
    return max(one["end_time"] for one in stats) - min(one["start_time"] for one in stats)


def turns(*programs) -> list[list[Run]]:
    runs: list[list[Run]] = [[] for _ in programs]
    for _ in range(ROUNDS):
        for each, program in zip(runs, programs):
            each.append(program())
    return runs


def median(runs: list[Run], field: str) -> float:
    return statistics.median(getattr(one, field) for one in runs)


CUTS = {"CutDetectionSubsampler": {"args": {"cut_detection_mode": "all", "threshold": 27, "min_scene_len": 15}}}
SMALL = {"ResolutionSubsampler": {"args": {"height": 224, "resize_mode": "scale"}}, "FrameSubsampler": {"args": {"frame_rate": 5}}}
X264 = "-c:v libx264 -preset medium -crf 23 -threads 1"
MISSED = []


def row(job: str, against: str, unit: str, ours: float, theirs: float, target: float) -> None:
    """Both as a rate: the more, the better."""
    ratio = ours / theirs
    if ratio < target:
        MISSED.append(job)
    verdict = "" if ratio >= target else " MISSED"
    print(f"| {job} | {against} | {ours:.4g} {unit} | {theirs:.4g} {unit} | {ratio:.2f}× | ≥ {target:g}×{verdict} |", flush=True)


def cuts(b: Bench) -> None:
    null = [f"ffmpeg -nostdin -v error -threads 1 -i {f} -map 0:v:0 -f null -" for f in b.files]
    ours, theirs = turns(lambda: b.mill(CUTS, {}, workers=1), lambda: b.shell(null, 1))
    row("decode + content cuts", "ffmpeg, decode only", "frames/CPU s", b.frames / median(ours, "cpu"), b.frames / median(theirs, "cpu"), 0.85)


def scenedetect(b: Bench) -> None:
    ours, theirs = turns(lambda: b.mill(CUTS, {}, workers=1), b.scenedetect)
    row("decode + content cuts", "PySceneDetect 0.6.2, steady", "frames/CPU s", b.frames / median(ours, "cpu"), b.frames / median(theirs, "cpu"), 1.6)


def encode(b: Bench) -> None:
    lines = [f"ffmpeg -nostdin -v error -threads 1 -i {f} -vf fps=5,scale=-2:224 {X264} -an {n}.mp4" for n, f in enumerate(b.files)]
    ours, theirs = turns(lambda: b.mill(SMALL, {"video": "mp4"}), lambda: b.shell([l.replace("-an", "-c:a copy") for l in lines], 2))
    row("224 + 5 fps + x264", "ffmpeg, one a core", "frames/s", b.frames / median(ours, "wall"), b.frames / median(theirs, "wall"), 0.97)
    row("224 + 5 fps + x264", "ffmpeg, CPU", "frames/CPU s", b.frames / median(ours, "cpu"), b.frames / median(theirs, "cpu"), 0.97)


def full(b: Bench) -> None:
    steps = CUTS | SMALL | {"ClippingSubsampler": {"args": {"precision": "exact"}}, "FFProbeSubsampler": {"args": {}}}
    steps |= {"AudioRateSubsampler": {"args": {"sample_rate": 16000}}}
    count = sum(len(b.spans[f]) for f in b.files)
    lines = []
    for n, f in enumerate(b.files):
        one = [f"ffprobe -v error -of json -show_format -show_streams {f} >{n}.json", f"ffmpeg -nostdin -v error -threads 1 -i {f} -vf scale=64:-2 -an -f null -"]
        for m, (start, end) in enumerate(b.spans[f]):
            video = f"-map 0:v:0 -vf fps=5,scale=-2:224 {X264} {n}_{m}.mp4"
            one.append(f"ffmpeg -nostdin -v error -threads 1 -ss {start} -t {end - start} -i {f} {video} -map 0:a:0 -ar 16000 {n}_{m}.mp3")
        lines.append(" && ".join(one))
    formats = {"video": "mp4", "audio": "mp3"}
    ours, theirs = turns(lambda: b.mill(steps, formats, spans=b.spans, expect=count), lambda: b.shell(lines, 2))
    row("full", "plain tools, two at a time", "clips/s", count / median(ours, "wall"), count / median(theirs, "wall"), 1.05)
    row("full", "plain tools, CPU", "clips/CPU s", count / median(ours, "cpu"), count / median(theirs, "cpu"), 1.05)
    if b.v2d.exists():
        theirs = {name: step for name, step in steps.items() if name != "AudioRateSubsampler"}
        theirs |= {"AudioRateSubsampler": {"args": {"sample_rate": 16000, "encode_format": "mp3"}}}
        theirs["ClippingSubsampler"] = {"args": {"min_length": 0.0, "max_length": 999999.0, "max_length_strategy": "all", "precision": "low"}}
        theirs["ResolutionSubsampler"] = {"args": {"video_size": 224, "resize_mode": "scale"}}
        peer = [b.video2dataset(theirs, formats, b.spans)]
        row("full", "video2dataset, mended, its clips copied at keyframes; whole, once", "clips/s", count / median(ours, "wall"), count / median(peer, "wall"), 3)
        row("full", "the same, steady", "clips/s", count / median(ours, "wall"), count / median(peer, "steady"), 2.2)


def probe(b: Bench) -> None:
    files = [b.files[n % len(b.files)] for n in range(PROBES)]
    lines = [f"ffprobe -v error -of json -show_format -show_streams {f} >{n}.json" for n, f in enumerate(files)]
    steps = {"FFProbeSubsampler": {"args": {}}}
    ours, theirs = turns(lambda: b.mill(steps, {}, files=files), lambda: b.shell(lines, 2))
    row("ffprobe metadata", "ffprobe, two at a time", "samples/s", PROBES / median(ours, "wall"), PROBES / median(theirs, "wall"), 1)
    if b.v2d.exists():
        peer = [b.video2dataset(steps, {"video": "mp4"}, files=files)]
        row("ffprobe metadata", "video2dataset, steady, once", "samples/s", PROBES / median(ours, "wall"), PROBES / median(peer, "steady"), 50)


def workers(b: Bench) -> None:
    # The last video keeps one worker while the other has nothing left: of few videos that is much.
    formats, files = {"video": "mp4"}, b.files * 3
    two, one = turns(lambda: b.mill(SMALL, formats, files=files), lambda: b.mill(SMALL, formats, files=files, workers=1))
    row("two workers", "one worker", "frames/s", b.frames * 3 / median(two, "wall"), b.frames * 3 / median(one, "wall"), 1.9)
    print(f"| peak RSS of the largest process, rank or worker | | {max(r.rss for r in two) / 1e6:.0f} MB | | | |")


def boundary(b: Bench) -> None:
    program = os.environ["BOUNDARY"]
    def side(name: str) -> Run:
        return b.run([program, name, json.dumps(SMALL), "mp4", *map(str, b.files)])
    apart, within = turns(lambda: side("apart"), lambda: side("within"))
    row("224 + 5 fps + x264 in a worker", "the same in one process", "frames/CPU s", b.frames / median(apart, "cpu"), b.frames / median(within, "cpu"), 0.98)


def clip_row(b: Bench, job: str, precision: str, spans: dict, target: float, times: int = 1) -> None:
    """Both without their start: of so short a job it would be most."""
    if not b.v2d.exists():
        return
    files = b.files * times
    steps = {"ClippingSubsampler": {"args": {"min_length": 0.0, "max_length": 999999.0, "max_length_strategy": "all", "precision": precision}}}
    formats = {"video": "mp4"}
    ours, theirs = turns(lambda: b.mill(steps, formats, spans=spans, files=files), lambda: b.video2dataset(steps, formats, spans, files))
    row(job, f"video2dataset `{precision}`, both steady", "videos/s", len(files) / median(ours, "steady"), len(files) / median(theirs, "steady"), target)


def copy(b: Bench) -> None:
    clip_row(b, "keyframe clips (copy)", "low", b.spans, 20, times=8)


def exact(b: Bench) -> None:
    clip_row(b, "exact clips of a tenth", "exact", {f: [[5.0, 6.9]] for f in b.spans}, 5)


def main() -> int:
    adopt()
    bench = Bench(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
    model = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    ffmpeg = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True).stdout.split()[2]
    print(f"{len(os.sched_getaffinity(0))} CPUs ({model}), ffmpeg {ffmpeg}; load at the start {os.getloadavg()[0]:.1f}")
    print(f"{len(bench.files)} videos, {bench.frames} frames, {bench.seconds:.0f} s; medians of {ROUNDS}, in turn\n")
    print("| job | against | clipmill | the other | ratio | target |\n|---|---|---|---|---|---|", flush=True)
    failed = 0
    rows = {"cuts": cuts, "scenedetect": scenedetect, "encode": encode, "full": full, "probe": probe, "workers": workers, "boundary": boundary, "copy": copy, "exact": exact}
    for name in ROWS:
        try:
            rows[name](bench)
        except Failed as reason:
            failed += 1
            print(f"\nNOT MEASURED, {name}: {reason}\n", flush=True)
    shutil.rmtree(bench.out, ignore_errors=True)
    if not bench.v2d.exists():
        print("\nvideo2dataset was not measured: BENCH_V2D=1 installs it")
    if MISSED:
        print(f"\nmissed: {', '.join(MISSED)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
