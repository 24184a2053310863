"""Prints what a folder of shards holds, as users' own tools see it: one row per shard, then the first sample.

Usage: show_shards.py FOLDER. Exit code 1 when tars, sidecars and stats do not agree.
"""

import collections
import json
import pathlib
import sys

import pyarrow.parquet
import webdataset


def read_shard(stats_path: pathlib.Path) -> tuple[dict, collections.Counter, int]:
    """Stats, samples by status as the sidecar has them, samples with media as webdataset finds them."""
    stats = json.loads(stats_path.read_text())
    stem = str(stats_path)[: -len("_stats.json")]
    statuses = collections.Counter(pyarrow.parquet.read_table(stem + ".parquet")["status"].to_pylist())
    with_media = sum("mp4" in sample for sample in webdataset.WebDataset(stem + ".tar", shardshuffle=False))
    return stats, statuses, with_media


def main(folder: pathlib.Path) -> int:
    agree = True
    totals: collections.Counter = collections.Counter()
    messages: collections.Counter = collections.Counter()
    print(f"{'shard':<12}{'rows':>6}{'success':>9}{'failed':>8}{'MB':>8}")
    paths = sorted(folder.glob("*_stats.json"))
    for path in paths:
        stats, statuses, with_media = read_shard(path)
        name = path.name.removesuffix("_stats.json") + ".tar"
        size = (folder / name).stat().st_size / 1e6
        failed = stats["failed_to_download"] + stats["failed_to_subsample"]
        print(f"{name:<12}{stats['count']:>6}{stats['successes']:>9}{failed:>8}{size:>8.1f}")
        agree &= statuses["success"] == stats["successes"] == with_media
        totals.update(rows=stats["count"], success=stats["successes"], failed=failed, mb=size)
        messages.update({text: n for text, n in stats["status_dict"].items() if text != "success"})
    print(f"{'total':<12}{totals['rows']:>6}{totals['success']:>9}{totals['failed']:>8}{totals['mb']:>8.1f}")
    for text, count in messages.most_common():
        print(f"{count:>6} x {text}")
    if not paths:
        print("no shards", file=sys.stderr)
        return 1
    first = next(iter(webdataset.WebDataset(str(paths[0])[: -len("_stats.json")] + ".tar", shardshuffle=False)))
    print(f"\nfirst sample, {first['__key__']}: " + ", ".join(f"{k} {len(v)} bytes" for k, v in first.items() if isinstance(v, bytes)))
    print(json.dumps(json.loads(first["json"]), indent=2))
    if not agree:
        print("tars, sidecars and stats do not agree", file=sys.stderr)
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
