"""Runs OpenCV and clipmill in turn and prints markdown. Called by bench_flow.sh, which makes the frames.

"pair": two frames in, a flow out, as OpenCV's call. "video": frame after frame, so that each frame is expanded once; this
is what a job does, and OpenCV has no such call. Times are milliseconds per pair; one thread: CPU time, medians of rounds;
two threads: wall time, the best of the rounds. Differences are between the end points of the flows, pixels.
"""

import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

import cv2
import numpy

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
PROGRAM = os.environ["FLOW_BENCH"]
SIZES = ((320, 240), (640, 360), (1280, 720))
DEFAULTS = {
    "pyr_scale": 0.5,
    "levels": 3,
    "winsize": 15,
    "iterations": 3,
    "poly_n": 5,
    "poly_sigma": 1.2,
    "gaussian": False,
}
PRESETS = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}
VARIANTS = (
    {},
    {"gaussian": True},
    {"winsize": 5},
    {"winsize": 16},
    {"winsize": 33},
    {"winsize": 33, "gaussian": True},
    {"levels": 1},
    {"levels": 5},
    {"pyr_scale": 0.8, "levels": 5},
    {"poly_n": 7, "poly_sigma": 1.5},
    {"iterations": 10},
)


def opencv(frames, parameters):
    values = DEFAULTS | parameters
    flags = cv2.OPTFLOW_FARNEBACK_GAUSSIAN if values.pop("gaussian") else 0
    pairs = zip(frames, frames[1:])
    return [cv2.calcOpticalFlowFarneback(a, b, None, *values.values(), flags) for a, b in pairs]


def opencv_dis(frames, preset):
    dis = cv2.DISOpticalFlow_create(PRESETS[preset])
    return [dis.calc(a, b, None) for a, b in zip(frames, frames[1:])]


def clipmill(path, size, parameters, **more):
    """Runs the program; per round the CPU and the wall time of a pair, milliseconds."""
    settings = [f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in (parameters | more).items()]
    command = [PROGRAM, str(path), *map(str, size), *settings]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return [[float(value) * 1e3 for value in line.split()] for line in lines]


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def load(path, size):
    return numpy.fromfile(path, numpy.uint8).reshape(-1, size[1], size[0])


def speed(work, size, parameters):
    path = work / f"bigbuckbunny-{size[0]}x{size[1]}.luma"
    frames = load(path, size)
    opencv(frames[:2], parameters)
    times = {"opencv": [], "pair": [], "video": [], "one": [], "two": []}
    for _ in range(ROUNDS):
        before = cpu()
        opencv(frames, parameters)
        times["opencv"].append((cpu() - before) / (len(frames) - 1) * 1e3)
        rounds = clipmill(path, size, parameters, rounds=3)
        times["pair"].append(statistics.median(cpu for cpu, _ in rounds))
        times["one"].append(min(wall for _, wall in rounds))
        rounds = clipmill(path, size, parameters, rounds=3, mode="push")
        times["video"].append(statistics.median(cpu for cpu, _ in rounds))
        rounds = clipmill(path, size, parameters, rounds=3, threads=2)
        times["two"].append(min(wall for _, wall in rounds))
    medians = {name: statistics.median(values) for name, values in times.items()}
    medians["threads"] = min(times["one"]) / min(times["two"])
    return medians


def dis_speed(work, size, preset):
    path = work / f"bigbuckbunny-{size[0]}x{size[1]}.luma"
    frames = load(path, size)
    pairs = len(frames) - 1
    opencv_dis(frames[:2], preset)
    times = {name: [] for name in ("opencv", "pair", "video", "opencv wall", "opencv two", "one", "two")}
    for _ in range(ROUNDS):
        for threads, name in ((1, "opencv wall"), (2, "opencv two")):
            cv2.setNumThreads(threads)
            for _ in range(3):
                before, start = cpu(), time.perf_counter()
                opencv_dis(frames, preset)
                times[name].append((time.perf_counter() - start) / pairs * 1e3)
                if threads == 1:
                    times["opencv"].append((cpu() - before) / pairs * 1e3)
        rounds = clipmill(path, size, {"preset": preset}, rounds=3)
        times["pair"] += [cpu for cpu, _ in rounds]
        times["one"] += [wall for _, wall in rounds]
        times["video"] += [cpu for cpu, _ in clipmill(path, size, {"preset": preset}, rounds=3, mode="push")]
        times["two"] += [wall for _, wall in clipmill(path, size, {"preset": preset}, rounds=3, threads=2)]
    cv2.setNumThreads(1)
    medians = {name: statistics.median(times[name]) for name in ("opencv", "pair", "video")}
    return medians | {name: min(times[name]) for name in ("opencv two", "one", "two")}


def difference(work, name, size, parameters):
    path = work / f"{name}-{size[0]}x{size[1]}.luma"
    two = work / "two.luma"
    load(path, size)[:2].tofile(two)
    frames = numpy.minimum(load(two, size), 254)
    frames.tofile(two)
    want = opencv(frames, parameters)[0]
    brighter = opencv(frames + 1, parameters)[0]
    clipmill(two, size, parameters, out=work / "flow.f32")
    got = numpy.fromfile(work / "flow.f32", numpy.float32).reshape(want.shape)

    def numbers(one, other):
        distances = numpy.linalg.norm(one - other, axis=2)
        return distances.mean(), numpy.quantile(distances, 0.999)

    return numbers(want, got) + numbers(want, brighter)


def title(parameters):
    return ", ".join(f"{key} {value}" for key, value in parameters.items()) or "defaults"


def main():
    work = pathlib.Path(sys.argv[1])
    cv2.setNumThreads(1)
    print(f"OpenCV {cv2.__version__}, {len(os.sched_getaffinity(0))} processors, load {os.getloadavg()[0]:.1f}\n")
    print("| Farneback | size | OpenCV ms | pair ms | video ms | pair ×, to be ≥ 2 | video × | 2 threads ×, to be ≥ 1.8 |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for parameters in ({}, {"gaussian": True}):
        for size in SIZES:
            t = speed(work, size, parameters)
            cells = [f"{t[name]:.1f}" for name in ("opencv", "pair", "video")]
            cells += [f"{t['opencv'] / t[name]:.2f}" for name in ("pair", "video")] + [f"{t['threads']:.2f}"]
            print("|", " | ".join([title(parameters), f"{size[0]}×{size[1]}", *cells]), "|", flush=True)
    print("\n| DIS | size | OpenCV ms | pair ms | video ms | pair ×, to be ≥ 1 | video × | 2 threads: OpenCV ms | pair ms | ×, to be ≥ 1 |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for preset in PRESETS:
        for size in SIZES:
            t = dis_speed(work, size, preset)
            cells = [f"{t[name]:.2f}" for name in ("opencv", "pair", "video")]
            cells += [f"{t['opencv'] / t[name]:.2f}" for name in ("pair", "video")]
            cells += [f"{t['opencv two']:.2f}", f"{t['two']:.2f}", f"{t['opencv two'] / t['two']:.2f}"]
            print("|", " | ".join([preset, f"{size[0]}×{size[1]}", *cells]), "|", flush=True)
    if os.environ.get("BENCH_ONLY") == "speed":
        return
    print("\n| footage | size | parameters | mean, ≤ 0.01 | 99.9 %, ≤ 0.1 | OpenCV, one grey level brighter: mean | 99.9 % |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in ("bigbuckbunny", "bikes"):
        for size in SIZES:
            for parameters in VARIANTS:
                cells = [f"{value:.5f}" for value in difference(work, name, size, parameters)]
                print("|", " | ".join([name, f"{size[0]}×{size[1]}", title(parameters), *cells]), "|", flush=True)


main()
