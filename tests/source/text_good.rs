//! csv, tsv and txt as they should be read.

use clipmill::config::InputFormat::{Csv, Tsv, Txt};
use clipmill::sample::ColumnKind;
use clipmill::source::{ReadError, ReadOptions, Role, TableSpec, columns, hash_file, kinds, read};
use serde_json::json;

use crate::{Kept, Table, collect, csv_cells, spec, text, with_caption};

#[test]
fn quotes_commas_and_line_breaks_in_cells() {
    let cells =
        csv_cells("caption,url\n\"a, b\",u1\n\"say \"\"hi\"\"\",u2\n\"two\r\nlines\",u3\nplain \"mid\" quote,u4\n");
    let captions: Vec<_> = cells.iter().map(|cells| cells[0].clone()).collect();
    assert_eq!(captions, ["a, b", "say \"hi\"", "two\r\nlines", "plain \"mid\" quote"].map(text));
    assert_eq!(cells[3][1], text("u4"));
}

#[test]
fn any_line_end_bom_or_missing_last_line_end() {
    let want = vec![vec![text("a"), text("u1")], vec![text("b"), text("u2")]];
    for table in [
        "url,caption\nu1,a\nu2,b\n",
        "url,caption\r\nu1,a\r\nu2,b",
        "url,caption\ru1,a\ru2,b\r",
        "\u{feff}url,caption\nu1,a\n\n\r\n\nu2,\"b\"",
    ] {
        assert_eq!(csv_cells(table), want, "{table:?}");
    }
}

#[test]
fn empty_cells_are_null_and_words_stay_words() {
    let cells = csv_cells("url,caption\nu1,\nu2,\"\"\nu3,NA\nu4,null\n");
    let captions: Vec<_> = cells.into_iter().map(|mut cells| cells.remove(0)).collect();
    assert_eq!(captions, [Kept::Null, Kept::Null, text("NA"), text("null")]);
}

#[test]
fn columns_come_in_plan_order_whatever_the_table_has() {
    let spec = TableSpec {
        format: Csv,
        url_col: "contentUrl".into(),
        caption_col: Some("name".into()),
        clip_col: Some("times".into()),
        additional: vec!["duration".into(), "id".into(), "name".into()],
    };
    let table = Table::new("id,unused,name,times,contentUrl,duration\n7,x,cap,\"[[0,1.5]]\",u,2.5\n");
    let rows = table.rows(&spec);
    let want = [text("2.5"), text("7"), text("cap"), Kept::Json(json!([[0, 1.5]])), text("cap"), text("u")];
    assert_eq!(rows[0].cells, want);
    let names: Vec<_> = columns(&spec).into_iter().map(|column| (column.name, column.role)).collect();
    let name = |name: &str, role| (name.to_owned(), role);
    let mut wanted = ["duration", "id", "name"].map(|own| name(own, Role::Additional)).to_vec();
    wanted.extend([name("clips", Role::Clips), name("caption", Role::Caption), name("url", Role::Url)]);
    assert_eq!(names, wanted);
    let fixed = [None, None, None, Some(ColumnKind::Json), Some(ColumnKind::String), Some(ColumnKind::String)];
    assert_eq!(kinds(&table.path, &spec).unwrap(), fixed);
}

#[test]
fn clips_as_json_or_as_python_prints_them() {
    let spec = TableSpec { clip_col: Some("clips".into()), ..spec(Tsv) };
    let table = Table::new(
        "url\tclips\nu1\t[[0, 1.5], [2, 3]]\nu2\t[['0:00:01.000', '0:00:02.500']]\nu3\t[[\"00:01\",\"00:02\"]]\nu4\t\nu5\t[]\nu6\t[(0, 1.5), ('2', '3,5')]\nu7\t[0, 1]\n",
    );
    let rows = table.rows(&spec);
    assert!(rows.iter().all(|row| row.problem.is_none()), "{rows:?}");
    let clips: Vec<_> = rows.into_iter().map(|row| row.cells[0].clone()).collect();
    let want = [
        Kept::Json(json!([[0, 1.5], [2, 3]])),
        Kept::Json(json!([["0:00:01.000", "0:00:02.500"]])),
        Kept::Json(json!([["00:01", "00:02"]])),
        Kept::Null,
        Kept::Json(json!([])),
        Kept::Json(json!([[0, 1.5], ["2", "3,5"]])),
        Kept::Json(json!([0, 1])),
    ];
    assert_eq!(clips, want);
}

#[test]
fn tsv_has_the_quoting_rules_of_csv() {
    let rows = Table::new("caption\turl\n\"a\tb\"\tu,1\n").rows(&with_caption(Tsv));
    assert_eq!(rows[0].cells, [text("a\tb"), text("u,1")]);
}

#[test]
fn txt_is_one_url_per_line_and_nothing_else() {
    let table = Table::new("\u{feff}http://a/1,2\r\n\r\n  \n\"http://b\"\n#http://c\n\nhttp://d");
    let urls: Vec<_> = table.rows(&spec(Txt)).into_iter().map(|mut row| row.cells.remove(0)).collect();
    assert_eq!(urls, ["http://a/1,2", "\"http://b\"", "#http://c", "http://d"].map(text));
}

#[test]
fn records_and_lines_across_block_borders() {
    // Blocks are 1 MiB; rows of 100 kB and an odd number of bytes let the border fall anywhere.
    let caption = |row: usize| format!("{row} \"q\" \r\n,é").repeat(5_000 + row);
    let mut csv = String::from("caption,url\r\n");
    let mut txt = String::new();
    for row in 0..60 {
        csv.push_str(&format!("\"{}\",http://host/{row}\r\n", caption(row).replace('"', "\"\"")));
        txt.push_str(&format!("http://host/{row}/{}\r\n", "é".repeat(3_500)));
    }
    let rows = Table::new(csv).rows(&with_caption(Csv));
    assert_eq!(rows.len(), 60);
    for (row, kept) in rows.iter().enumerate() {
        assert_eq!(kept.problem, None);
        assert_eq!(kept.cells, [text(&caption(row)), text(&format!("http://host/{row}"))], "row {row}");
    }
    let many = txt.repeat(8);
    let rows = Table::new(&many).rows(&spec(Txt));
    let want: Vec<_> = many.lines().map(text).collect();
    assert!(rows.iter().all(|row| row.problem.is_none()));
    assert_eq!(rows.into_iter().map(|mut row| row.cells.remove(0)).collect::<Vec<_>>(), want);
}

#[test]
fn stats_have_the_size_and_the_hash_of_the_bytes() {
    let table = Table::new("url\nu1\nu2\n");
    let (_, stats) = collect(&table.path, &spec(Csv), ReadOptions::default()).unwrap();
    assert_eq!((stats.rows, stats.bytes), (2, 10));
    // sha256sum of the same ten bytes.
    assert_eq!(stats.sha256.as_deref(), Some("4c111a562f06d08391f8c8f881b151b21a54449dd4701a8545ff8d30392e4f24"));
    assert_eq!(stats.sha256, Some(hash_file(&table.path).unwrap()));
    let (_, stats) = collect(&table.path, &spec(Csv), ReadOptions { hash: false, ..Default::default() }).unwrap();
    assert_eq!(stats.sha256, None);
}

#[test]
fn skipped_rows_count_and_are_not_pushed() {
    let table = Table::new("url\nu1\n\nu2\nu3\n");
    for format in [Csv, Txt] {
        let total = if format == Csv { 3 } else { 4 };
        let options = ReadOptions { skip_rows: 2, ..Default::default() };
        let (rows, stats) = collect(&table.path, &spec(format), options).unwrap();
        assert_eq!((rows.len(), stats.rows), (total - 2, total as u64));
        assert_eq!(rows.last().unwrap().cells, [text("u3")]);
        let options = ReadOptions { skip_rows: 9, ..Default::default() };
        assert_eq!(collect(&table.path, &spec(format), options).unwrap().0.len(), 0);
    }
}

#[test]
fn a_sink_that_fails_stops_the_read() {
    let table = Table::new(format!("url\n{}", "http://host\n".repeat(2_000_000)));
    let mut seen = 0;
    let result = read(&table.path, &spec(Csv), &mut |_| {
        seen += 1;
        if seen == 3 { Err("full") } else { Ok(()) }
    });
    assert!(matches!(result, Err(ReadError::Sink("full"))));
    assert_eq!(seen, 3);
}
