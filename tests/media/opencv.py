"""What OpenCV decodes of clips that were cut out of a source.

Reads a JSON list of {clip, source, first, parts: [encoded, copied, encoded]} from stdin; prints a list of
{frames, unlike, poor, sought}: how many frames the clip has, which of the copied ones differ from the source's, which of
the encoded ones are below 36 dB (as RGB, where small errors of colour count most), and whether frames that are sought are those that were read in turn.
"""

import json
import sys

import cv2


def frames(path):
    video = cv2.VideoCapture(path)
    found = []
    while True:
        more, frame = video.read()
        if not more:
            return found
        found.append(frame)


def sought(path, read):
    video = cv2.VideoCapture(path)
    for at in (len(read) - 1, 0, len(read) // 2, len(read) // 4, len(read) - 2):
        video.set(cv2.CAP_PROP_POS_FRAMES, at)
        more, frame = video.read()
        if not more or (frame != read[at]).any():
            return False
    return True


def look(job, sources):
    source = sources.setdefault(job["source"], frames(job["source"]) if job["source"] not in sources else None)
    clip = frames(job["clip"])
    lead, copied, _ = job["parts"]
    unlike, poor = [], []
    for n, frame in enumerate(clip):
        want = source[job["first"] + n]
        if lead <= n < lead + copied:
            if (frame != want).any():
                unlike.append(n)
        elif cv2.PSNR(frame, want) < 36:
            poor.append(n)
    return {"frames": len(clip), "unlike": unlike, "poor": poor, "sought": sought(job["clip"], clip)}


cache = {}
json.dump([look(job, cache) for job in json.load(sys.stdin)], sys.stdout)
