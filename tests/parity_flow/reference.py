"""OpenCV's flows. Jobs come as JSON on stdin, one list; each result goes to the job's file `out`: float32, the flow from
the first frame to the second, and behind it the same for frames one grey level brighter, where the job asks for that."""

import json
import sys

import cv2
import numpy

GAUSSIAN, INITIAL = cv2.OPTFLOW_FARNEBACK_GAUSSIAN, cv2.OPTFLOW_USE_INITIAL_FLOW

cv2.setNumThreads(1)
for job in json.load(sys.stdin):
    frames = numpy.fromfile(job["frames"], numpy.uint8).reshape(2, job["height"], job["width"])
    flags = GAUSSIAN if job["gaussian"] else 0
    start = None
    if job["initial"]:
        start = numpy.fromfile(job["initial"], numpy.float32).reshape(job["height"], job["width"], 2)
        flags |= INITIAL
    names = ("pyr_scale", "levels", "winsize", "iterations", "poly_n", "poly_sigma")
    numbers = [job[name] for name in names]
    with open(job["out"], "wb") as out:
        for pair in (frames, frames + 1) if job["brighter"] else (frames,):
            initial = None if start is None else start.copy()
            cv2.calcOpticalFlowFarneback(*pair, initial, *numbers, flags).tofile(out)
