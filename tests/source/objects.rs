//! Tables of JSON objects: an array of them, or one per line.

use clipmill::config::InputFormat::{self, Json, Jsonl};
use clipmill::sample::FailureClass::{BadRow, FieldTooLarge, NoUrl};
use clipmill::source::{MAX_CELL_BYTES, MAX_RECORD_BYTES, ReadOptions, SourceError, TableSpec, kinds};
use serde_json::json;

use crate::{Kept, Table, collect, spec, text};

/// `x`, clips, caption and URL.
fn full(format: InputFormat) -> TableSpec {
    TableSpec {
        caption_col: Some("caption".into()),
        clip_col: Some("clips".into()),
        additional: vec!["x".into()],
        ..spec(format)
    }
}

/// The same records in both layouts.
fn both(records: &[serde_json::Value]) -> [Table; 3] {
    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    [
        Table::new(serde_json::to_vec(records).unwrap()),
        Table::new(serde_json::to_vec_pretty(records).unwrap()),
        Table::new(format!("\n \n{lines}\r\n")),
    ]
}

#[test]
fn both_layouts_give_the_same_cells_under_both_names() {
    let records = [
        json!({"url": "u1", "caption": "a \"b\"\nc", "clips": [[0, 1.5], ["00:00:02", 3]], "x": "007", "more": {"a": [1]}}),
        json!({"x": {"a": [1, null]}, "url": "u2", "caption": null, "clips": "[[1, 2]]"}),
        json!({"x": 1.0, "url": "u3", "caption": "", "clips": null}),
    ];
    let want = [
        vec![Kept::Json(json!("007")), Kept::Json(json!([[0, 1.5], ["00:00:02", 3]])), text("a \"b\"\nc"), text("u1")],
        vec![Kept::Json(json!({"a": [1, null]})), Kept::Json(json!([[1, 2]])), Kept::Null, text("u2")],
        vec![Kept::Json(json!(1.0)), Kept::Null, Kept::Null, text("u3")],
    ];
    for table in both(&records) {
        for format in [Json, Jsonl] {
            assert_eq!(kinds(&table.path, &full(format)).unwrap().len(), 4);
            let rows = table.rows(&full(format));
            assert!(rows.iter().all(|row| row.problem.is_none()), "{rows:?}");
            assert_eq!(rows.into_iter().map(|row| row.cells).collect::<Vec<_>>(), want);
            let skipped = ReadOptions { skip_rows: 2, ..ReadOptions::default() };
            let (rows, stats) = collect(&table.path, &full(format), skipped).unwrap();
            assert_eq!((rows.len(), stats.rows), (1, 3));
        }
    }
}

#[test]
fn a_bad_record_is_its_rows_failure() {
    let long = json!({"url": "u", "x": ["y".repeat(MAX_CELL_BYTES)]});
    let records = [json!({"url": "u", "x": 1}), json!({"x": 1}), json!({"url": 7}), json!([1, {"url": "u"}]), long];
    let want = [(None, ""), (Some(NoUrl), "no URL"), (Some(BadRow), "is a number, not text")];
    let want = want.into_iter().chain([(Some(BadRow), "a list where an object"), (Some(FieldTooLarge), "longer than")]);
    let want: Vec<_> = want.collect();
    let spec = TableSpec { additional: vec!["x".into()], ..spec(Json) };
    for table in both(&records) {
        let rows = table.rows(&spec);
        assert_eq!(rows.len(), want.len());
        for (row, (class, message)) in rows.iter().zip(&want) {
            assert_eq!(row.class(), *class, "{row:?}");
            assert!(row.message().contains(message), "{}", row.message());
        }
    }
}

#[test]
fn a_line_that_is_no_json_is_its_rows_failure() {
    let table = Table::new("{\"url\": \"u\"}\n{\"url\": \"u\"\n{\"url\": NaN}\n{} {}\n{\"url\": \"\u{7f}u\"}");
    let rows = table.rows(&spec(Jsonl));
    let messages: Vec<_> = rows.iter().map(|row| row.message()).collect();
    assert_eq!(messages[0], "");
    assert_eq!(messages[1], "line 2: not a JSON object (EOF while parsing an object at its byte 11)");
    assert!(messages[2].starts_with("line 3: not a JSON object (expected value at its byte"), "{}", messages[2]);
    assert!(messages[3].starts_with("line 4: not a JSON object (trailing characters"), "{}", messages[3]);
    assert_eq!(rows.len(), 5);

    let long = format!("{{\"url\": \"u\"}}\n{{\"x\": \"{}\"}}\n{{\"url\": \"v\"}}\n", "y".repeat(MAX_RECORD_BYTES));
    let rows = Table::new(long).rows(&spec(Jsonl));
    assert_eq!(rows.iter().map(|row| row.class()).collect::<Vec<_>>(), [None, Some(FieldTooLarge), None]);
}

#[test]
fn tables_that_cannot_be_used() {
    let error = |bytes: &str| {
        let table = Table::new(bytes);
        let found = kinds(&table.path, &spec(Json))
            .map(|_| ())
            .and_then(|()| collect(&table.path, &spec(Json), ReadOptions::default()).map(|_| ()));
        found.unwrap_err().to_string()
    };
    let cut = error("[{\"url\": \"u\"}, {\"url\": \"v\"}");
    assert!(cut.contains("the array is not closed") && cut.contains("cut short"), "{cut}");
    let spoiled = error("[{\"url\": \"u\"}, oh]");
    assert!(spoiled.contains("expected value at line 1 column 16"), "{spoiled}");
    assert!(error("[{\"url\": \"u\"}] more").contains("trailing characters"));
    assert!(error("[]").contains("no rows") && error(" \n").contains("no rows"));
    assert!(error("url,caption\nu,c\n").contains("line 1: not a JSON object"));
    let missing = error("[{\"URL\": \"u\", \"b\": 1}]");
    assert!(missing.contains("no column `url` (did you mean `URL`?)") && missing.contains("`b`"), "{missing}");
    assert!(error("{\"url\": {\"0\": \"u\"}}").contains("orient=\"records\""));
    let deep = format!("[{{\"url\": \"u\"}}, {{\"url\": {}1{}}}]", "[".repeat(500), "]".repeat(500));
    assert!(error(&deep).contains("recursion limit"));
    let table = Table::new(format!("[{{\"url\": \"u\"}}, {{\"x\": \"{}\"}}]", "y".repeat(MAX_RECORD_BYTES + 10)));
    let long = table.error(&spec(Json));
    assert!(matches!(long, SourceError::Json { .. }) && long.to_string().contains("a record is longer"), "{long}");
}

#[test]
fn a_column_may_come_late_but_not_never() {
    let early = "{\"url\": \"u\"}\n".repeat(900);
    let captioned = TableSpec { caption_col: Some("caption".into()), ..spec(Jsonl) };
    let late = Table::new(format!("{early}{{\"url\": \"u\", \"caption\": \"c\"}}\n"));
    assert!(kinds(&late.path, &captioned).is_ok());
    let never = kinds(&Table::new(early).path, &captioned).unwrap_err();
    assert!(matches!(never, SourceError::MissingColumn { .. }), "{never}");
}
