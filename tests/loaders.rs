//! The loaders that people use read what a job leaves behind.

mod common;

use std::process::Command;

use common::cluster::root;
use common::job::{Ended, Job, clipmill, verify};
use common::site::Site;

/// Python of the virtual environment that tests/rig/setup.sh makes.
fn python(script: &str, arguments: &[&str]) -> Ended {
    let python = root().join(".venv/bin/python");
    let mut command = Command::new(&python);
    command.args(["-c", script]).args(arguments);
    let output = command.output();
    Ended::of(
        output.unwrap_or_else(|error| {
            panic!("{}: {error}; `bash tests/rig/setup.sh test` installs it", python.display())
        }),
    )
}

#[test]
fn webdataset_and_pyarrow_read_keys_members_and_fields() {
    let site = Site::start(25, 3000);
    let mut urls: Vec<String> = (0..25).map(|n| site.url(&format!("media/{n}.mp4"))).collect();
    urls[7] = site.url("nothing.mp4");
    let job = Job::new(&urls);
    job.run().expect(0);
    let script = r#"
import glob, json, sys
import pyarrow.parquet as pq
import webdataset as wds

out = sys.argv[1]
shards = sorted(glob.glob(out + "/*.tar"))
samples = list(wds.WebDataset(shards, shardshuffle=False))
assert [s["__key__"] for s in samples] == [f"{shard:05}{row}" for shard in range(3) for row in range(10)][:25]
for n, sample in enumerate(samples):
    meta = json.loads(sample["json"])
    assert list(meta) == ["id", "caption", "url", "key", "status", "error_message", "error_class", "yt_meta_dict"]
    assert meta["key"] == sample["__key__"] and meta["id"] == n
    assert sample["txt"].decode() == meta["caption"] == f"clip {n}, with a comma"
    if n == 7:
        assert meta["status"] == "failed_to_download" and "mp4" not in sample
        assert meta["error_class"] == "http_404" and "404" in meta["error_message"]
    else:
        assert meta["status"] == "success" and meta["error_message"] is None
        assert len(sample["mp4"]) == 3000 + 7 * n and sample["mp4"][4:8] == b"ftyp"
    assert sample["json"].startswith(b'{\n    "id"'), "indent 4, as json.dumps writes it"

decoded = list(wds.WebDataset(shards, shardshuffle=False).decode().to_tuple("json", "txt"))
assert decoded[3][0]["id"] == 3

table = pq.read_table(out + "/00000.parquet")
assert table.column_names == ["id", "caption", "url", "key", "status", "error_message", "error_class", "yt_meta_dict"]
assert str(table.schema.field("id").type) == "int64" and table.num_rows == 10
assert table["status"].to_pylist().count("success") == 9
print("ok")
"#;
    let ended = python(script, &[job.output().to_str().unwrap()]).expect(0);
    assert_eq!(ended.stdout.trim(), "ok");
}

/// A job of 25 rows, the eighth of which is not there.
fn job(site: &Site, format: &str) -> Job {
    let mut urls: Vec<String> = (0..25).map(|n| site.url(&format!("media/{n}.mp4"))).collect();
    urls[7] = site.url("nothing.mp4");
    Job::new(&urls).option(&format!("output_format={format}"))
}

#[test]
fn h5py_reads_groups_of_members() {
    let site = Site::start(25, 3000);
    let job = job(&site, "hdf5");
    job.run().expect(0);
    verify(&job.output());
    let script = r#"
import glob, json, sys
import h5py, numpy as np

keys = []
for shard in sorted(glob.glob(sys.argv[1] + "/*.h5")):
    with h5py.File(shard) as file:
        for key, sample in file.items():
            meta, n = json.loads(sample["json"][()]), len(keys)
            assert meta["key"] == key and meta["id"] == n
            assert sample["txt"].asstr()[()] == meta["caption"] == f"clip {n}, with a comma"
            if n == 7:
                assert meta["error_class"] == "http_404" and "mp4" not in sample
            else:
                mp4 = sample["mp4"]
                assert mp4.dtype == np.uint8 and mp4.shape == (3000 + 7 * n,) and mp4[4:8].tobytes() == b"ftyp"
            keys.append(key)
assert keys == [f"{shard:05}{row}" for shard in range(3) for row in range(10)][:25]
print("ok")
"#;
    let ended = python(script, &[job.output().to_str().unwrap()]).expect(0);
    assert_eq!(ended.stdout.trim(), "ok");
    let shown = clipmill().arg("inspect").arg(job.output().join("00000.h5")).output().unwrap();
    assert!(Ended::of(shown).expect(0).stdout.contains("mp4 2.94 KiB, txt 20 B"));
}

/// Sums are checked by a CRC of others, messages parsed by protobuf's own reader.
#[test]
fn tfrecord_reads_examples_whose_sums_are_right() {
    let site = Site::start(25, 3000);
    let job = job(&site, "tfrecord");
    job.run().expect(0);
    verify(&job.output());
    let script = r#"
import glob, json, struct, sys
import crc32c
from tfrecord import example_pb2
from tfrecord.reader import tfrecord_iterator

def masked(data):
    sum = crc32c.crc32c(data)
    return ((sum >> 15 | sum << 17) + 0xa282ead8) & 0xffffffff

n = 0
for shard in sorted(glob.glob(sys.argv[1] + "/*.tfrecord")):
    data, at = open(shard, "rb").read(), 0
    for record in tfrecord_iterator(shard):
        length, = struct.unpack_from("<Q", data, at)
        assert struct.unpack_from("<I", data, at + 8) == (masked(data[at:at + 8]),)
        assert data[at + 12:at + 12 + length] == bytes(record)
        assert struct.unpack_from("<I", data, at + 12 + length) == (masked(bytes(record)),)
        at += 16 + length
        example = example_pb2.Example.FromString(bytes(record))
        sample = {name: value.bytes_list.value[0] for name, value in example.features.feature.items()}
        meta = json.loads(sample["json"])
        assert meta["id"] == n and meta["key"] == sample["key"].decode()
        assert sample["txt"].decode() == f"clip {n}, with a comma"
        assert ("mp4" not in sample) if n == 7 else len(sample["mp4"]) == 3000 + 7 * n and sample["mp4"][4:8] == b"ftyp"
        n += 1
    assert at == len(data)
assert n == 25
print("ok")
"#;
    let ended = python(script, &[job.output().to_str().unwrap()]).expect(0);
    assert_eq!(ended.stdout.trim(), "ok");
    let shown = clipmill().arg("inspect").arg(job.output().join("00000.tfrecord")).output().unwrap();
    assert!(Ended::of(shown).expect(0).stdout.contains("mp4 2.94 KiB, txt 20 B"));
}
