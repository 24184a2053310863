"""What PySceneDetect says of videos, run as video2dataset runs it.

Reads a JSON list of {path, detector, threshold, min_scene_len, framerates, ...} from stdin; prints a list of
{original_fps, cuts_original_fps, cuts_{fps}, scores} in the same order.
"""

import json
import sys

import scenedetect
from scenedetect import AdaptiveDetector, ContentDetector, SceneManager


def make_detector(job, scores):
    name = job.get("detector", "content")
    base = AdaptiveDetector if name == "adaptive" else ContentDetector

    class Recording(base):
        def _calculate_frame_score(self, *args, **kwargs):
            score = super()._calculate_frame_score(*args, **kwargs)
            scores.append(float(score))
            return score

    common = {"min_scene_len": job.get("min_scene_len", 15)}
    if name == "adaptive":
        keys = ("adaptive_threshold", "window_width", "min_content_val")
        return Recording(**common, **{key: job[key] for key in keys if key in job})
    return Recording(threshold=job.get("threshold", 27), **common)


def detect(video, job, skip, downscale):
    scores = []
    manager = SceneManager()
    manager.add_detector(make_detector(job, scores))
    if downscale:
        manager.auto_downscale = False
        # video2dataset passes 0 here for narrow videos, which PySceneDetect refuses.
        manager.downscale = max(video.frame_size[0] // 64, 1)
    manager.detect_scenes(video=video, frame_skip=skip)
    scenes = manager.get_scene_list(start_in_scene=True)
    return [[start.get_frames(), end.get_frames()] for start, end in scenes], scores


def describe(job):
    video = scenedetect.open_video(job["path"])
    fps = video.frame_rate
    scenes, scores = detect(video, job, 0, True)
    found = {"original_fps": fps, "cuts_original_fps": scenes, "scores": scores, "size": list(video.frame_size)}
    for target in job.get("framerates") or []:
        video.reset()
        skip = max(int(fps // target) - 1, 0)
        found[f"cuts_{target}"], _ = detect(video, job, skip, False)
    return found


json.dump([describe(job) for job in json.load(sys.stdin)], sys.stdout)
