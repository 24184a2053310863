//! Arrow files and streams: written here, and by pyarrow.

use std::process::Command;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Int32Array, Int64Array, LargeStringArray, ListArray, RecordBatch, StringArray,
};
use arrow_ipc::writer::{FileWriter, StreamWriter};
use clipmill::config::InputFormat::Arrow;
use clipmill::sample::ColumnKind;
use clipmill::sample::FailureClass::NoUrl;
use clipmill::source::{ReadOptions, SourceError, TableSpec, hash_file, kinds};
use serde_json::json;

use crate::{Kept, Table, collect, spec, text, with_caption};

fn batch(first: i64, rows: i64) -> RecordBatch {
    let urls: Vec<String> = (first..first + rows).map(|n| format!("http://host/{n}")).collect();
    let said = Arc::new(StringArray::from(vec!["said often"]));
    let keys = Int32Array::from_iter((0..rows).map(|n| (n % 3 != 0).then_some(0)));
    let captions = DictionaryArray::<Int32Type>::new(keys, said);
    let spans = (0..rows).map(|n| Some([Some(n as i32), Some(n as i32 + 1)]));
    RecordBatch::try_from_iter_with_nullable([
        ("unused", Arc::new(LargeStringArray::from(vec!["x".repeat(100); rows as usize])) as ArrayRef, true),
        ("caption", Arc::new(captions) as ArrayRef, true),
        ("clip", Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(spans)) as ArrayRef, true),
        ("n", Arc::new(Int64Array::from_iter_values(first..first + rows)) as ArrayRef, true),
        ("url", Arc::new(StringArray::from(urls)) as ArrayRef, true),
    ])
    .unwrap()
}

fn file() -> Vec<u8> {
    let mut writer = FileWriter::try_new(Vec::new(), &batch(0, 1).schema()).unwrap();
    [(0, 1000), (1000, 0), (1000, 3)].iter().for_each(|(first, rows)| writer.write(&batch(*first, *rows)).unwrap());
    writer.finish().unwrap();
    writer.into_inner().unwrap()
}

fn stream() -> Vec<u8> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch(0, 1).schema()).unwrap();
    [(0, 2), (2, 1001)].iter().for_each(|(first, rows)| writer.write(&batch(*first, *rows)).unwrap());
    writer.finish().unwrap();
    writer.into_inner().unwrap()
}

fn full() -> TableSpec {
    TableSpec { additional: vec!["n".into()], clip_col: Some("clip".into()), ..with_caption(Arrow) }
}

#[test]
fn files_and_streams_read_alike() {
    for bytes in [file(), stream()] {
        let table = Table::new(bytes);
        let kinds = kinds(&table.path, &full()).unwrap();
        let want = [ColumnKind::Integer, ColumnKind::Json, ColumnKind::String, ColumnKind::String];
        assert_eq!(kinds, want.map(Some));
        let (rows, stats) = collect(&table.path, &full(), ReadOptions::default()).unwrap();
        assert_eq!((rows.len(), stats.rows), (1003, 1003));
        assert_eq!(stats.sha256, Some(hash_file(&table.path).unwrap()));
        assert_eq!(
            rows[1].cells,
            [Kept::Json(json!(1)), Kept::Json(json!([1, 2])), text("said often"), text("http://host/1")]
        );
        assert_eq!(rows[0].cells[2], Kept::Null);
        assert_eq!(rows[1002].cells[3], text("http://host/1002"));
        let skip = ReadOptions { skip_rows: 1001, ..ReadOptions::default() };
        let (rest, stats) = collect(&table.path, &full(), skip).unwrap();
        assert_eq!((&rest[..], stats.rows), (&rows[1001..], 1003));
    }
}

#[test]
fn damage_and_other_formats_are_told() {
    let feather_1 = [b"FEA1".to_vec(), vec![0; 100]].concat();
    for (bytes, word) in [(feather_1, "Feather's first version"), (b"url\nu\n".to_vec(), "Arrow"), (vec![], "Arrow")] {
        let error = Table::new(bytes).error(&spec(Arrow));
        assert!(matches!(error, SourceError::Arrow { .. }) && error.to_string().contains(word), "{word}: {error}");
    }
    for whole in [file(), stream()] {
        for at in (0..whole.len()).step_by(whole.len() / 40) {
            let table = Table::new(&whole[..at]);
            // A stream that is cut between two batches, or behind the last, looks like one that ends there.
            if let Ok((rows, _)) = collect(&table.path, &full(), ReadOptions::default()) {
                assert!([0, 2, 1003].contains(&rows.len()), "{at}: {}", rows.len());
            }
            let mut spoiled = whole.clone();
            spoiled[at..].iter_mut().take(16).for_each(|byte| *byte ^= 0xA5);
            // Whatever it says: no panic, no endless loop.
            let _ = collect(&Table::new(spoiled).path, &full(), ReadOptions::default());
        }
    }
}

#[test]
fn what_pyarrow_writes_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let script = "
import sys, pyarrow as pa, pyarrow.feather as feather
table = pa.table({
    'url': pa.array(['http://a', None, 'http://c']),
    'caption': pa.array(['x', 'y', 'x']).dictionary_encode(),
    'clip': pa.array([[[0.0, 1.5]], None, [[1.0, 2.0], [3.0, 4.0]]]),
    'n': pa.array([1, 2, 3], pa.int16()),
})
for name in ['lz4', 'zstd', 'uncompressed']:
    feather.write_feather(table, f'{sys.argv[1]}/{name}', compression=name)
with pa.ipc.new_stream(f'{sys.argv[1]}/stream', table.schema) as out:
    out.write_table(table)
";
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = Command::new(root.join(".venv/bin/python")).args(["-c", script]).arg(folder.path()).status();
    assert!(python.expect("make test has made .venv").success());
    for name in ["lz4", "zstd", "uncompressed", "stream"] {
        let (rows, _) = collect(&folder.path().join(name), &full(), ReadOptions::default()).unwrap();
        assert_eq!(rows[0].cells, [Kept::Json(json!(1)), Kept::Json(json!([[0.0, 1.5]])), text("x"), text("http://a")]);
        assert_eq!(rows[1].class(), Some(NoUrl));
        assert_eq!(rows[2].cells[1], Kept::Json(json!([[1.0, 2.0], [3.0, 4.0]])));
    }
}
