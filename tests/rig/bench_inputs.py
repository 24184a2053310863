"""Makes the inputs of bench_download.sh, once: web folders of files cut from real clips, and tables of many rows.

Usage: bench_inputs.py FOOTAGE WORK ROWS
"""

import pathlib
import sys

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

# Folder: names that a job asks for, bytes of each, different contents behind them (the rest are links).
JOBS = {"small": (400, 500_000, 27), "many": (5000, 200_000, 27), "large": (20, 200_000_000, 4)}


def fill(path: pathlib.Path, clips: list[bytes], first: int, size: int) -> None:
    """Whole clips one after the other, cut at `size`: real bytes of any length that begin as an MP4 does."""
    with path.open("wb") as out:
        index = first
        while (left := size - out.tell()) > 0:
            out.write(clips[index % len(clips)][:left])
            index += 1


def make_folder(folder: pathlib.Path, clips: list[bytes], count: int, size: int, different: int) -> None:
    if (folder / f"{count - 1:05}.mp4").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(different):
        fill(folder / f"source{index}", clips, index, size)
    for index in range(count):
        link = folder / f"{index:05}.mp4"
        link.unlink(missing_ok=True)
        link.symlink_to(f"source{index % different}")


def make_tables(work: pathlib.Path, rows: int) -> None:
    """The same rows as CSV and as Parquet, written in batches."""
    done = work / f"rows-{rows}"
    if not rows or done.exists():
        return
    step = 500_000
    schema = pa.schema([("url", pa.string()), ("caption", pa.string()), ("id", pa.int64())])
    with pa.csv.CSVWriter(work / "rows.csv", schema) as as_csv, pa.parquet.ParquetWriter(work / "rows.parquet", schema) as as_parquet:
        for start in range(0, rows, step):
            ids = range(start, min(start + step, rows))
            batch = pa.table(
                {
                    "url": [f"https://videos.example.org/{i % 1000:03}/{i:08}.mp4" for i in ids],
                    "caption": [f"A caption of the usual length, number {i}" for i in ids],
                    "id": list(ids),
                },
                schema=schema,
            )
            as_csv.write_table(batch)
            as_parquet.write_table(batch)
    done.touch()


def main() -> None:
    footage, work, rows = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
    clips = [path.read_bytes() for path in sorted(footage.glob("*.mp4"))]
    for name, (count, size, different) in JOBS.items():
        make_folder(work / "www" / name, clips, count, size, different)
    make_tables(work, rows)


if __name__ == "__main__":
    main()
