"""Whole flow jobs: tars of videos in, tars of flows out. Called by bench_flow_jobs.sh, which makes the corpus.

Against two processes of OpenCV 5 (decode with one thread each, as that is its fastest way to use both CPUs, unwanted frames
grabbed only, area resize, Farneback), which read plain files and drop the flows: less than the job. And against
video2dataset 1.3.0, mended, over the same tars. Measuring and its rules are bench_mill.py's.
"""

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys

import bench_mill
from bench_mill import Bench, Failed, median, row, steady, turns

JOBS = {"2 fps, side 16": (2, 16, 1.3), "8 fps, side 256": (8, 256, 2.0)}

PEER = """
import multiprocessing, sys
import cv2

FPS, SIDE = int(sys.argv[1]), int(sys.argv[2])

def flow(path):
    cv2.setNumThreads(1)
    video = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    rate, before, wanted, n, count = video.get(cv2.CAP_PROP_FPS), None, 0.0, 0, 0
    while video.grab():
        if n / rate + 1e-3 >= wanted:
            frame = video.retrieve()[1]
            height, width = frame.shape[:2]
            by = SIDE / min(height, width)
            small = cv2.resize(frame, (round(width * by), round(height * by)), interpolation=cv2.INTER_AREA)
            gray = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
            if before is not None:
                cv2.calcOpticalFlowFarneback(before, gray, None, 0.5, 3, 15, 3, 5, 1.2, 0)
                count += 1
            before = gray
            wanted += 1 / FPS
        n += 1
    return count

if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool:
        print(sum(pool.imap_unordered(flow, sys.argv[3:])))
        pool.close()
        pool.join()
"""

# The release stops at each shard where torch has no process group, with an error that it means to catch.
V2D = """
import sys
import torch.distributed

def rank(group=None):
    raise RuntimeError("no process group")

torch.distributed.get_rank = rank
from video2dataset import video2dataset

if __name__ == "__main__":
    tars, out, config = sys.argv[1:]
    video2dataset(url_list=tars, output_folder=out, config=config, input_format="webdataset", output_format="webdataset",
                  stage="optical_flow", encode_formats={"optical_flow": "npy"})
"""


class Flows(Bench):
    def __init__(self, repo: pathlib.Path, work: pathlib.Path, corpus: pathlib.Path):
        super().__init__(repo, work, corpus)
        self.opencv = repo / "target/rig/opencv/bin/python"
        self.tars = work / "tars"
        if not (self.tars / "complete").exists():
            self.make_tars()

    def make_tars(self) -> None:
        """Two, of equal work."""
        shutil.rmtree(self.tars, ignore_errors=True)
        options = ["reading.allow_local_paths=true", "distribution.mpi=off", f"url_list={self.table(self.files)}", f"output_folder={self.tars}"]
        options += [f"storage.number_sample_per_shard={len(self.files) // 2}", 'encode_formats={"video": "mp4"}']
        self.run([self.clipmill, "run", str(self.config({}, 2)), *(word for o in options for word in ("-o", o))])
        (self.tars / "complete").touch()

    def job(self, fps: float, side: int) -> bench_mill.Run:
        steps = {"OpticalFlowSubsampler": {"args": {"fps": fps, "resize_size": side, "dtype": "fp16"}}}
        out = self.out / "mill"
        options = ["input_format=webdataset", "distribution.mpi=off", f"url_list={self.tars}", f"output_folder={out}"]
        options += ['encode_formats={"optical_flow": "npy"}']
        ran = self.run([self.clipmill, "run", str(self.config(steps, 2)), *(word for o in options for word in ("-o", o))])
        stats = [json.loads(path.read_text()) for path in out.glob("*_stats.json")]
        if sum(one["successes"] for one in stats) != len(self.files):
            raise Failed(f"clipmill: not all of {len(self.files)} samples are good; see {self.log}")
        return dataclasses.replace(ran, steady=steady(stats))

    def peer(self, fps: float, side: int) -> bench_mill.Run:
        script = self.work / "peer.py"
        script.write_text(PEER)
        return self.run([str(self.opencv), str(script), str(fps), str(side), *map(str, self.files)])

    def old(self, fps: float, side: int) -> bench_mill.Run:
        script, config = self.work / "v2d_flow.py", self.work / "v2d_flow.yaml"
        script.write_text(V2D)
        decoder = {"n_frames": None, "fps": fps, "num_threads": 1, "return_bytes": True}
        whole = {"subsampling": {"OpticalFlowSubsampler": {"args": {"detector": "cv2", "detector_args": None, "dtype": "fp16"}}}}
        whole["reading"] = {"dataloader_args": {"resize_size": side, "decoder_kwargs": decoder}, "timeout": 60, "sampler": None}
        whole["storage"] = {"number_sample_per_shard": 1000, "oom_shard_count": 5, "captions_are_subtitles": False}
        whole["distribution"] = {"processes_count": 2, "thread_count": 2, "subjob_size": 1000, "distributor": "multiprocessing"}
        config.write_text(json.dumps(whole))
        out = self.out / "v2d"
        tars = str(self.tars / "{00000..00001}.tar")
        ran = self.run([str(self.v2d), str(script), tars, str(out), str(config)])
        stats = [json.loads(path.read_text()) for path in out.glob("*_stats.json")]
        if sum(one["successes"] for one in stats) != len(self.files):
            raise Failed(f"video2dataset did not make all flows; see {self.log}")
        return dataclasses.replace(ran, steady=steady(stats))


def measure(b: Flows, name: str) -> None:
    fps, side, target = JOBS[name]
    ours, theirs = turns(lambda: b.job(fps, side), lambda: b.peer(fps, side))
    for field, unit in (("wall", "frames/s"), ("cpu", "frames/CPU s")):
        against = f"cv2 5.0, 2 processes, results dropped; {field}"
        row(name, against, unit, b.frames / median(ours, field), b.frames / median(theirs, field), target)
    if b.v2d.exists():
        old = [b.old(fps, side)]
        for against, field in (("whole", "wall"), ("CPU, whole", "cpu")):
            row(name, f"video2dataset, mended; {against}, once", "frames/s", b.frames / median(ours, field), b.frames / median(old, field), 5)
        rate = b.frames / median(ours, "steady")
        row(name, "the same, both steady", "frames/s", rate, b.frames / median(old, "steady"), 1)
        print(f"| {name}: peak RSS of the largest process | video2dataset | {peak(ours)} MB | {peak(old)} MB | | |")
    print(f"| {name}: peak RSS of the largest process | cv2 | {peak(ours)} MB | {peak(theirs)} MB | | |", flush=True)


def peak(runs: list) -> int:
    return round(max(one.rss for one in runs) / 1e6)


def main() -> int:
    bench_mill.adopt()
    repo, work, corpus = map(pathlib.Path, sys.argv[1:])
    b = Flows(repo, work, corpus)
    print(f"{len(b.files)} videos, {b.frames} frames, {b.seconds:.0f} s; medians of {bench_mill.ROUNDS}, in turn; load at the start {os.getloadavg()[0]:.1f}\n")
    print("| flow job | against | clipmill | the other | ratio | target |\n|---|---|---|---|---|---|", flush=True)
    failed = 0
    for name in JOBS:
        try:
            measure(b, name)
        except Failed as reason:
            failed += 1
            print(f"\nNOT MEASURED, {name}: {reason}\n", flush=True)
    shutil.rmtree(b.out, ignore_errors=True)
    if not b.v2d.exists():
        print("\nvideo2dataset was not measured: BENCH_V2D=1 make bench-mill installs it")
    if bench_mill.MISSED:
        print(f"\nmissed: {', '.join(dict.fromkeys(bench_mill.MISSED))}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
