//! Parquet files, written by the parquet crate itself, in many types.

use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, FixedSizeBinaryBuilder, Float64Builder, Int64Builder, ListBuilder, MapBuilder, StringBuilder,
};
use arrow_array::types::{Int32Type, UInt8Type};
use arrow_array::*;
use arrow_schema::{DataType, Field};
use clipmill::config::InputFormat::Parquet;
use clipmill::sample::ColumnKind::{self, Boolean, Float, Integer, Json, String as Str};
use clipmill::sample::FailureClass::{BadRow, FieldTooLarge, InvalidUtf8, NoUrl};
use clipmill::source::{MAX_CELL_BYTES, ReadOptions, SourceError, TableSpec, common_kinds, hash_file, kinds};
use parquet::arrow::ArrowWriter;
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde_json::{Value, json};

use crate::{Kept, KeptRow, Table, collect, spec, text, with_caption};

fn write(columns: Vec<(&str, ArrayRef)>, properties: WriterProperties) -> Table {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)));
    let batch = batch.unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    Table::new(writer.into_inner().unwrap())
}

fn table(columns: Vec<(&str, ArrayRef)>) -> Table {
    write(columns, WriterProperties::default())
}

fn strings<const N: usize>(values: [Option<&str>; N]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// Two rows with the column `x`: its kind, and its cells.
fn extra(values: ArrayRef) -> (Option<ColumnKind>, [Kept; 2]) {
    let table = table(vec![("x", values), ("url", strings([Some("u1"), Some("u2")]))]);
    let spec = TableSpec { additional: vec!["x".into()], ..spec(Parquet) };
    let kind = kinds(&table.path, &spec).unwrap()[0];
    let mut rows = table.rows(&spec);
    assert!(rows.iter().all(|row| row.problem.is_none()), "{rows:?}");
    (kind, [rows[0].cells.swap_remove(0), rows[1].cells.swap_remove(0)])
}

fn check(values: impl Array + 'static, kind: ColumnKind, first: Value, second: Value) {
    let kept = |value: Value| match value {
        Value::Null => Kept::Null,
        Value::String(text) if kind == Str => {
            // Text columns are handed on without a copy, other types that become text are not.
            Kept::Text(text)
        }
        other => Kept::Json(other),
    };
    let shown = values.data_type().to_string();
    let (found, cells) = extra(Arc::new(values));
    let as_text = |cell: Kept| match cell {
        Kept::Json(Value::String(text)) if kind == Str => Kept::Text(text),
        other => other,
    };
    assert_eq!(found, Some(kind), "{shown}");
    assert_eq!(cells.map(as_text), [kept(first), kept(second)], "{shown}");
}

#[test]
fn numbers_keep_their_types() {
    check(Int8Array::from(vec![Some(-7), None]), Integer, json!(-7), Value::Null);
    check(Int64Array::from(vec![i64::MIN, i64::MAX]), Integer, json!(i64::MIN), json!(i64::MAX));
    check(UInt16Array::from(vec![1, 65535]), Integer, json!(1), json!(65535));
    check(UInt64Array::from(vec![0, u64::MAX]), Integer, json!(0), json!(u64::MAX));
    check(Float32Array::from(vec![0.5, f32::NAN]), Float, json!(0.5), Value::Null);
    check(Float64Array::from(vec![0.1, f64::INFINITY]), Float, json!(0.1), Value::Null);
    check(BooleanArray::from(vec![Some(true), Some(false)]), Boolean, json!(true), json!(false));
}

#[test]
fn decimals_are_numbers_where_nothing_is_lost() {
    let decimal = |values: Vec<i128>, p, s| Decimal128Array::from(values).with_precision_and_scale(p, s).unwrap();
    check(decimal(vec![125, -1], 5, 2), Float, json!(1.25), json!(-0.01));
    check(decimal(vec![7, -7], 18, 0), Integer, json!(7), json!(-7));
    let digits = 12_345_678_901_234_567_890_i128;
    check(decimal(vec![digits, 1], 30, 10), Str, json!("1234567890.1234567890"), json!("0.0000000001"));
}

#[test]
fn texts_of_every_encoding() {
    let (a, b) = (json!("a,é"), Value::Null);
    check(StringArray::from(vec![Some("a,é"), None]), Str, a.clone(), b.clone());
    check(LargeStringArray::from(vec![Some("a,é"), None]), Str, a.clone(), b.clone());
    check(StringViewArray::from(vec![Some("a,é"), None]), Str, a.clone(), b.clone());
    check(DictionaryArray::<Int32Type>::from_iter([Some("a,é"), None]), Str, a.clone(), b.clone());
    check(DictionaryArray::<UInt8Type>::from_iter([Some("a,é"), None]), Str, a.clone(), b.clone());
    check(BinaryArray::from_opt_vec(vec![Some("a,é".as_bytes()), None]), Str, a, b);
    let mut uuid = FixedSizeBinaryBuilder::new(4);
    uuid.append_value([0xDE, 0xAD, 0, 1]).unwrap();
    uuid.append_null();
    check(uuid.finish(), Str, json!("dead0001"), Value::Null);
}

#[test]
fn dates_and_times_are_iso_8601() {
    check(Date32Array::from(vec![Some(19_753), None]), Str, json!("2024-01-31"), Value::Null);
    let moment = 1_706_702_400_123_456_i64;
    let utc = TimestampMicrosecondArray::from(vec![moment, 0]).with_timezone("Europe/Berlin");
    check(utc, Str, json!("2024-01-31T12:00:00.123456Z"), json!("1970-01-01T00:00:00Z"));
    let wall = TimestampMillisecondArray::from(vec![1_706_702_400_000, -1]);
    check(wall, Str, json!("2024-01-31T12:00:00"), json!("1969-12-31T23:59:59.999"));
    check(
        TimestampNanosecondArray::from(vec![1, 0]),
        Str,
        json!("1970-01-01T00:00:00.000000001"),
        json!("1970-01-01T00:00:00"),
    );
    check(Time32MillisecondArray::from(vec![1500, 0]), Str, json!("00:00:01.500"), json!("00:00:00"));
}

#[test]
fn lists_structs_and_maps_are_json() {
    let mut list = ListBuilder::new(ListBuilder::new(Int64Builder::new()));
    list.values().append_value([Some(1), None]);
    list.values().append_value([]);
    list.append(true);
    list.append(false);
    check(list.finish(), Json, json!([[1, null], []]), Value::Null);
    let point = StructArray::from(vec![
        (
            Arc::new(Field::new("x", DataType::Float64, true)),
            Arc::new(Float64Array::from(vec![Some(1.5), None])) as ArrayRef,
        ),
        (Arc::new(Field::new("name", DataType::Utf8, true)), strings([Some("a"), None])),
    ]);
    check(point, Json, json!({"x": 1.5, "name": "a"}), json!({"x": null, "name": null}));
    let mut map = MapBuilder::new(None, StringBuilder::new(), Float64Builder::new());
    map.keys().append_value("k");
    map.values().append_value(2.0);
    map.append(true).unwrap();
    map.append(true).unwrap();
    check(map.finish(), Json, json!({"k": 2.0}), json!({}));
    let fixed = FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1), Some(2)]), None], 2);
    check(fixed, Json, json!([1, 2]), Value::Null);
}

#[test]
fn a_column_of_nulls_says_nothing_about_its_kind() {
    let (kind, cells) = extra(Arc::new(NullArray::new(2)));
    assert_eq!((kind, cells), (None, [Kept::Null, Kept::Null]));
}

fn clips_table(clips: ArrayRef) -> (Option<ColumnKind>, Vec<KeptRow>) {
    let urls: ArrayRef = Arc::new(StringArray::from(vec!["u"; clips.len()]));
    let table = table(vec![("url", urls), ("times", clips)]);
    let spec = TableSpec { clip_col: Some("times".into()), ..spec(Parquet) };
    (kinds(&table.path, &spec).unwrap()[0], table.rows(&spec))
}

#[test]
fn clips_of_numbers_of_texts_and_as_json_text() {
    let mut seconds = ListBuilder::new(ListBuilder::new(Float64Builder::new()));
    seconds.values().append_value([Some(0.0), Some(1.5)]);
    seconds.append(true);
    seconds.append(false);
    seconds.values().append_value([Some(0.0), Some(f64::NAN)]);
    seconds.append(true);
    let (kind, rows) = clips_table(Arc::new(seconds.finish()));
    assert_eq!(kind, Some(Json));
    assert_eq!(rows[0].cells[0], Kept::Json(json!([[0.0, 1.5]])));
    assert_eq!((&rows[1].cells[0], rows[1].class()), (&Kept::Null, None));
    assert_eq!(rows[2].class(), Some(BadRow), "NaN is no time");

    let mut stamps = ListBuilder::new(ListBuilder::new(StringBuilder::new()));
    stamps.values().append_value([Some("00:00:01.0"), Some("00:00:02.5")]);
    stamps.append(true);
    assert_eq!(clips_table(Arc::new(stamps.finish())).1[0].cells[0], Kept::Json(json!([["00:00:01.0", "00:00:02.5"]])));
    let (kind, rows) = clips_table(strings([Some("[[1,2]]"), Some("[1,2,3]")]));
    assert_eq!((kind, &rows[0].cells[0]), (Some(Json), &Kept::Json(json!([[1, 2]]))));
    assert_eq!(rows[1].class(), Some(BadRow));
}

#[test]
fn rows_without_a_url_or_with_cells_that_cannot_be_kept() {
    let mut captions = BinaryBuilder::new();
    let long = "é".repeat(MAX_CELL_BYTES);
    for value in [b"c".as_slice(), b"c", b"\xFFc", long.as_bytes()] {
        captions.append_value(value);
    }
    let urls = strings([None, Some("  "), Some("u"), Some("u")]);
    let rows = table(vec![("url", urls), ("caption", Arc::new(captions.finish()))]).rows(&with_caption(Parquet));
    let classes: Vec<_> = rows.iter().map(|row| row.class()).collect();
    assert_eq!(classes, [Some(NoUrl), Some(NoUrl), Some(InvalidUtf8), Some(FieldTooLarge)]);
    assert_eq!(rows[0].message(), "row 1: column `url`: no URL");
    assert_eq!(rows[2].cells[0], text("\u{FFFD}c"));
    assert_eq!(rows[3].cells[0], text(&long[..MAX_CELL_BYTES]));
}

#[test]
fn a_nested_value_over_the_limit_is_dropped() {
    let mut list = ListBuilder::new(Int64Builder::new());
    list.append_value((0..MAX_CELL_BYTES as i64).map(Some));
    list.append_value([Some(1)]);
    let table = table(vec![("x", Arc::new(list.finish())), ("url", strings([Some("u"), Some("u")]))]);
    let rows = table.rows(&TableSpec { additional: vec!["x".into()], ..spec(Parquet) });
    assert_eq!((rows[0].class(), &rows[0].cells[0]), (Some(FieldTooLarge), &Kept::Null));
    assert_eq!((rows[1].class(), &rows[1].cells[0]), (None, &Kept::Json(json!([1]))));
}

fn numbered(rows: usize, group: usize, compression: Compression) -> Table {
    let url = |row: usize| format!("http://host/{row}");
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_max_row_group_row_count(Some(group))
        .set_dictionary_enabled(rows.is_multiple_of(2))
        .build();
    let urls: ArrayRef = Arc::new((0..rows).map(|row| Some(url(row))).collect::<StringArray>());
    let heavy: ArrayRef = Arc::new((0..rows).map(|row| Some(vec![row as u8; 50])).collect::<BinaryArray>());
    write(vec![("heavy", heavy), ("url", urls)], properties)
}

#[test]
fn every_compression_and_many_row_groups() {
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
    ] {
        for rows in [2000, 2001] {
            let table = numbered(rows, 300, compression);
            let (read, stats) = collect(&table.path, &spec(Parquet), ReadOptions::default()).unwrap();
            assert_eq!((read.len(), stats.rows), (rows, rows as u64), "{compression}");
            for (row, kept) in read.iter().enumerate() {
                assert_eq!(kept.cells, [text(&format!("http://host/{row}"))], "{compression}");
            }
            assert_eq!(stats.sha256, Some(hash_file(&table.path).unwrap()));
        }
    }
}

#[test]
fn skipping_begins_within_a_row_group() {
    let table = numbered(1000, 300, Compression::SNAPPY);
    for skip in [0, 299, 300, 301, 950, 1000, 5000] {
        let options = ReadOptions { skip_rows: skip, hash: false };
        let (rows, stats) = collect(&table.path, &spec(Parquet), options).unwrap();
        assert_eq!((rows.len() as u64, stats.rows), (1000_u64.saturating_sub(skip), 1000), "skip {skip}");
        assert_eq!(stats.sha256, None);
        if let Some(first) = rows.first() {
            assert_eq!(first.cells, [text(&format!("http://host/{skip}"))]);
        }
    }
}

#[test]
fn one_column_for_two_purposes() {
    let table = table(vec![("b", strings([Some("u")])), ("a", strings([Some("x")]))]);
    let spec = TableSpec {
        url_col: "b".into(),
        caption_col: Some("a".into()),
        additional: vec!["b".into(), "a".into()],
        ..spec(Parquet)
    };
    assert_eq!(table.rows(&spec)[0].cells, [text("u"), text("x"), text("x"), text("u")]);
}

#[test]
fn columns_of_the_wrong_type_or_missing_or_twice() {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let error = table(vec![("url", Arc::clone(&numbers))]).error(&spec(Parquet)).to_string();
    assert!(error.ends_with("column `url` is of type Int64; URLs must be text"), "{error}");
    let both = vec![("url", strings([Some("u")])), ("caption", Arc::clone(&numbers))];
    let error = table(both).error(&with_caption(Parquet)).to_string();
    assert!(error.contains("captions must be text"), "{error}");
    let clips = TableSpec { clip_col: Some("n".into()), ..spec(Parquet) };
    let error = table(vec![("url", strings([Some("u")])), ("n", Arc::clone(&numbers))]).error(&clips).to_string();
    assert!(error.contains("clips must be lists"), "{error}");
    let error = table(vec![("Url", strings([Some("u")]))]).error(&spec(Parquet)).to_string();
    assert!(error.ends_with("no column `url` (did you mean `Url`?); the table has: `Url`"), "{error}");
    let twice = vec![("url", strings([Some("u")])), ("url", strings([Some("u")]))];
    let error = table(twice).error(&spec(Parquet));
    assert!(matches!(error, SourceError::DuplicateColumn { count: 2, .. }), "{error}");
}

#[test]
fn a_file_without_rows() {
    let error = table(vec![("url", strings([]))]).error(&spec(Parquet));
    assert!(matches!(error, SourceError::Empty { .. }), "{error}");
}

#[test]
fn files_that_disagree_are_both_named() {
    let url = || ("url", strings([Some("u")]));
    let integers = table(vec![url(), ("x", Arc::new(Int64Array::from(vec![1])))]);
    let floats = table(vec![url(), ("x", Arc::new(Float64Array::from(vec![1.0])))]);
    let nulls = table(vec![url(), ("x", Arc::new(NullArray::new(1)))]);
    let spec = TableSpec { additional: vec!["x".into()], ..spec(Parquet) };
    let paths = |tables: &[&Table]| tables.iter().map(|table| table.path.clone()).collect::<Vec<_>>();
    assert_eq!(common_kinds(&paths(&[&nulls, &integers, &nulls]), &spec).unwrap(), [Some(Integer), Some(Str)]);
    let error = common_kinds(&paths(&[&nulls, &integers, &floats]), &spec).unwrap_err().to_string();
    for part in ["`x`", "Integer", "Float", &integers.path.display().to_string(), &floats.path.display().to_string()] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

/// Reads a damaged copy: an error that names the file, or (where the damage hits bytes that nobody reads) all rows.
fn survives(path: &Path, bytes: &[u8]) -> Result<usize, String> {
    std::fs::write(path, bytes).unwrap();
    match collect(path, &spec(Parquet), ReadOptions { hash: false, ..Default::default() }) {
        Ok((rows, _)) => Ok(rows.len()),
        Err(error) => {
            let message = error.to_string();
            assert!(message.starts_with(&path.display().to_string()), "{message}");
            Err(message)
        }
    }
}

#[test]
fn damaged_files_are_errors_that_name_the_file() {
    let table = numbered(200, 60, Compression::UNCOMPRESSED);
    let whole = std::fs::read(&table.path).unwrap();
    for length in [0, 3, 4, 11, 12, whole.len() / 2, whole.len() - 4, whole.len() - 1] {
        let error = survives(&table.path, &whole[..length]).unwrap_err();
        assert!(error.contains("cut short or damaged"), "{error}");
    }
    let error = survives(&table.path, b"url\nhttp://host\nhttp://host\n").unwrap_err();
    assert!(error.contains("not a readable Parquet file"), "{error}");
    // Every byte in turn: no panic gets out, and no row is lost in silence.
    for at in (0..whole.len()).step_by(7).chain(whole.len() - 1200..whole.len()) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xFF;
        match survives(&table.path, &damaged) {
            Ok(rows) => assert_eq!(rows, 200, "byte {at}"),
            Err(_) => continue,
        }
    }
}
