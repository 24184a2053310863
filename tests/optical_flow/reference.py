"""What OpenCV and NumPy say. Jobs come as JSON on stdin, one list; answers go to stdout as one list.

Each job names a member (`npy`), the settings, and frames in a file: raw bytes, `channels` a pixel (1: grey, 3: RGB), or
`video`, which OpenCV decodes itself: then frames are picked by `picked` (numbers), made small and grey here, too. The answer:
shape and type as NumPy loads the member, and the mean and the 99th percentile of how far its vectors' ends lie from
OpenCV's."""

import json
import sys

import cv2
import numpy


def frames_of(job):
    height, width = job["height"], job["width"]
    if job["video"]:
        capture = cv2.VideoCapture(job["video"])
        read = [frame for _, frame in iter(capture.read, (False, None))]
        small = [cv2.resize(read[n], (width, height), interpolation=cv2.INTER_AREA) for n in job["picked"]]
        return [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in small]
    frames = numpy.fromfile(job["frames"], numpy.uint8).reshape(-1, height, width, job["channels"])
    # As video2dataset does: these are RGB.
    return [frame[..., 0] if job["channels"] == 1 else cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames]


cv2.setNumThreads(1)
answers = []
for job in json.load(sys.stdin):
    frames = frames_of(job)
    names = ("pyr_scale", "levels", "winsize", "iterations", "poly_n", "poly_sigma", "flags")
    numbers = [job[name] for name in names]
    pairs = zip(frames, frames[1:])
    flows = numpy.stack([cv2.calcOpticalFlowFarneback(*pair, None, *numbers) for pair in pairs])
    ours = numpy.load(job["npy"], allow_pickle=False)
    answer = {"shape": ours.shape, "dtype": str(ours.dtype), "theirs": flows.shape}
    if ours.shape == flows.shape:
        distances = numpy.linalg.norm(ours.astype(numpy.float32) - flows, axis=-1)
        answer |= {"mean": float(distances.mean()), "p99": float(numpy.percentile(distances, 99))}
        answer |= {"magnitude": float(numpy.linalg.norm(flows, axis=-1).mean())}
    answers.append(answer)
json.dump(answers, sys.stdout)
