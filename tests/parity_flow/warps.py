"""Pictures moved in known ways, and OpenCV's DIS between them. Jobs come as JSON on stdin, one list: a picture's file
`picture`, `width`, `height`, and the folder `out`. For each movement and preset, one line of JSON is printed: the files
of the two frames and the movement, float32, and OpenCV's mean end-point error. What has left the picture does not count;
the movement is NaN there."""

import json
import math
import pathlib
import sys

import cv2
import numpy

PRESETS = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}


def movements(width, height):
    """dx and dy of each pixel, in pixels."""
    y, x = numpy.mgrid[0:height, 0:width].astype(numpy.float32)
    x, y, scale = x - width / 2, y - height / 2, width / 320
    turn = math.radians(3)
    cos, sin = math.cos(turn) - 1, math.sin(turn)
    yield "a little along", x * 0 + 1.3, y * 0 - 0.7
    yield "far along", x * 0 + 9.4 * scale, y * 0 - 6.2 * scale
    yield "rotation", x * cos - y * sin, x * sin + y * cos
    yield "zoom", x * 0.05, y * 0.05
    for number, (length, size) in enumerate(((width / 20, 2 * scale), (width / 10, 6 * scale))):
        random = numpy.random.default_rng(number)
        noise = random.standard_normal((2, height, width)).astype(numpy.float32)
        smooth = [cv2.GaussianBlur(plane, (0, 0), length) for plane in noise]
        yield f"smooth field {number}", *(plane / plane.std() * size for plane in smooth)


def main():
    cv2.setNumThreads(1)
    for number, job in enumerate(json.load(sys.stdin)):
        width, height = job["width"], job["height"]
        picture = numpy.fromfile(job["picture"], numpy.uint8).reshape(height, width)
        y, x = numpy.mgrid[0:height, 0:width].astype(numpy.float32)
        for name, dx, dy in movements(width, height):
            to_x, to_y = x + dx, y + dy
            first = cv2.remap(picture, to_x, to_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            stays = (to_x >= 0) & (to_x <= width - 1) & (to_y >= 0) & (to_y <= height - 1)
            movement = numpy.where(stays[..., None], numpy.dstack([dx, dy]), numpy.nan).astype(numpy.float32)
            base = pathlib.Path(job["out"]) / f"{number} {name}"
            frames, truth = base.with_suffix(".luma"), base.with_suffix(".flow")
            numpy.stack([first, picture]).tofile(frames)
            movement.tofile(truth)
            for preset, value in PRESETS.items():
                flow = cv2.DISOpticalFlow_create(value).calc(first, picture, None)
                error = float(numpy.nanmean(numpy.linalg.norm(flow - movement, axis=2)))
                what = {"job": number, "movement": name, "preset": preset, "opencv": error}
                print(json.dumps(what | {"frames": str(frames), "truth": str(truth)}))


main()
