//! What is wrong with a row stays with that row; what is wrong with a file is said once, with the remedy.

use clipmill::config::InputFormat::{Csv, Tsv, Txt};
use clipmill::error::Class;
use clipmill::sample::FailureClass::{self, BadRow, FieldTooLarge, InvalidUtf8, NoUrl};
use clipmill::source::{MAX_CELL_BYTES, MAX_URL_BYTES, SourceError, TableSpec, kinds};

use crate::{Kept, Table, spec, text, with_caption};

/// Class and message of each row of a csv with `url` and `caption`.
fn problems(table: impl AsRef<[u8]>) -> Vec<(Option<FailureClass>, String)> {
    let rows = Table::new(table).rows(&with_caption(Csv));
    rows.iter().map(|row| (row.class(), row.message().to_owned())).collect()
}

fn fine() -> (Option<FailureClass>, String) {
    (None, String::new())
}

fn bad(class: FailureClass, message: &str) -> (Option<FailureClass>, String) {
    (Some(class), message.to_owned())
}

#[test]
fn ragged_rows_harm_no_others_and_name_their_line() {
    let found = problems("id,url,caption\n1,u,c\n2,u\n\r\n\r\n3,\"u\",\"c\n\nc\"\n4,u,c,x\n5,u,c\n6\n");
    let want = [
        fine(),
        bad(BadRow, "line 3: 2 fields where the header has 3"),
        fine(),
        bad(BadRow, "line 9: 4 fields where the header has 3"),
        fine(),
        bad(BadRow, "line 11: 1 field where the header has 3"),
    ];
    assert_eq!(found, want);
}

#[test]
fn line_numbers_hold_for_every_line_end() {
    for end in ["\n", "\r\n", "\r"] {
        let lines = ["url,caption", "", "u,\"c", "c\"", "u", "", "u,c,c"];
        let found = problems(lines.join(end));
        // A lone CR within a cell is part of the cell, not the end of a line.
        let third = if end == "\r" { 4 } else { 5 };
        assert_eq!(found[0], fine());
        assert_eq!(found[1].1, format!("line {third}: 1 field where the header has 2"), "{end:?}");
        assert_eq!(found[2].1, format!("line {}: 3 fields where the header has 2", third + 2), "{end:?}");
    }
}

#[test]
fn txt_line_numbers_count_blank_lines_once() {
    for end in ["\n", "\r\n", "\r"] {
        let rows = Table::new(["http://a", "", "http://\u{1}b", "http://c\0"].join(end).as_bytes()).rows(&spec(Txt));
        let messages: Vec<_> = rows.iter().map(|row| row.message().split(':').next().unwrap()).collect();
        assert_eq!(messages, ["", "line 3", "line 4"], "{end:?}");
    }
}

#[test]
fn rows_without_a_url() {
    let found = problems("url,caption\n,c\n\"  \t\",c\n\"\",\nu,c\n");
    let no_url = |line| bad(NoUrl, &format!("line {line}: column `url`: no URL"));
    assert_eq!(found, [no_url(2), no_url(3), no_url(4), fine()]);
}

#[test]
fn invalid_utf8_matters_in_needed_cells_only_and_is_kept_lossily() {
    let table = Table::new(b"url,caption,other\nu1,ca\xFFp,x\nu2,c,\xFF\n\xC3,c,x\n");
    let rows = table.rows(&with_caption(Csv));
    assert_eq!(rows[0].class(), Some(InvalidUtf8));
    assert_eq!(rows[0].message(), "line 2: column `caption`: not valid UTF-8 (byte 3 of the cell)");
    assert_eq!(rows[0].cells, [text("ca\u{FFFD}p"), text("u1")]);
    assert_eq!(rows[1].problem, None);
    assert_eq!(rows[2].class(), Some(InvalidUtf8));
    assert_eq!(rows[2].cells[1], text("\u{FFFD}"));
}

#[test]
fn large_cells_are_cut_at_a_character() {
    let long = "é".repeat(5 << 20);
    let url = format!("x{}", "é".repeat(MAX_URL_BYTES / 2));
    let table = Table::new(format!("url,caption,other\nu1,{long},o\nu2,c,\"{long}\"\n{url},c,o\nu4,c,o\n"));
    let rows = table.rows(&with_caption(Csv));
    let classes: Vec<_> = rows.iter().map(|row| row.class()).collect();
    assert_eq!(classes, [Some(FieldTooLarge), None, Some(FieldTooLarge), None]);
    assert_eq!(rows[0].message(), "line 2: column `caption`: longer than 1048576 bytes");
    assert_eq!(rows[0].cells[0], text(&long[..MAX_CELL_BYTES]));
    assert_eq!(rows[2].cells[1], text(&url[..MAX_URL_BYTES - 1]), "the cut falls into a character");

    let table = Table::new(format!("{url}\n{}\nu\n", "y".repeat(3 << 20)));
    let rows = table.rows(&spec(Txt));
    assert_eq!(rows[0].cells, [text(&url[..MAX_URL_BYTES - 1])]);
    assert_eq!(rows[1].cells, [text(&"y".repeat(MAX_URL_BYTES))]);
    assert_eq!(
        rows.iter().map(|row| row.class()).collect::<Vec<_>>(),
        [Some(FieldTooLarge), Some(FieldTooLarge), None]
    );
}

#[test]
fn a_cell_at_the_limit_is_whole() {
    let (caption, url) = ("c".repeat(MAX_CELL_BYTES), "u".repeat(MAX_URL_BYTES));
    let rows = Table::new(format!("url,caption\n{url},{caption}\n")).rows(&with_caption(Csv));
    assert_eq!(rows[0].problem, None);
    assert_eq!(rows[0].cells, [text(&caption), text(&url)]);
}

#[test]
fn clips_that_are_no_clips() {
    let spec = TableSpec { clip_col: Some("clips".into()), ..spec(Tsv) };
    let table = Table::new("url\tclips\nu\t[[0,1\nu\t[0,1,2]\nu\t[[0,1,2]]\nu\t\"nope\"\nu\t[[0,null]]\nu\t[[0,1]]\n");
    let rows = table.rows(&spec);
    for row in &rows[..5] {
        assert_eq!(row.class(), Some(BadRow), "{row:?}");
    }
    assert!(rows[0].message().starts_with("line 2: column `clips`: not JSON ("), "{}", rows[0].message());
    assert_eq!(rows[5].problem, None);
}

#[test]
fn nul_bytes_and_line_breaks_in_needed_cells() {
    let found = problems("url,caption\nu,a\0b\n\"u\nv\",c\nu\0,c\n\" u \",c\n");
    assert_eq!(found[0], bad(BadRow, "line 2: column `caption`: holds a NUL byte"));
    assert!(found[1].1.contains("line break"), "{}", found[1].1);
    assert_eq!(found[2].0, Some(BadRow));
    assert_eq!(found[3], fine());
}

#[test]
fn an_unclosed_quote_is_seen_wherever_it_ends() {
    // At the end of the file.
    let error = Table::new("url,caption\r\nu,c\r\n\r\nu,\"c\r\nu,c\r\n").error(&with_caption(Csv));
    assert!(matches!(error, SourceError::UnclosedQuote { line: 4, .. }), "{error}");
    // In a later row that has quotes too: the field counts match, and yet two rows are gone.
    let found = problems("url,caption\nu1,\"abc\nu2,def\nu3,\"ghi\"\nu4,jkl\n");
    assert_eq!(found[0], bad(BadRow, "line 2: a quote is not closed; it has swallowed the rows up to line 4"));
    assert_eq!(found[1], fine());
    // In a record longer than any.
    let table = Table::new(format!("url,caption\nu,\"c\n{}", "http://host/path,caption\n".repeat(2 << 20)));
    let error = table.error(&with_caption(Csv));
    assert!(matches!(error, SourceError::RecordTooLong { line: 2, .. }), "{error}");
    // Text with a mere quote in it on one line stays what it is.
    assert_eq!(problems("url,caption\nu,\"a\" b\n"), [fine()]);
}

#[test]
fn a_record_of_endless_fields() {
    let error = Table::new(format!("url,caption\n{}", ",".repeat(1 << 20))).error(&with_caption(Csv));
    assert!(error.to_string().contains("more than 131072 fields"), "{error}");
}

#[test]
fn tables_without_rows() {
    for table in ["", "\n\n", "url,caption\n", "url,caption", "\u{feff}", "\u{feff}url,caption\r\n\r\n"] {
        let error = Table::new(table).error(&with_caption(Csv));
        assert!(matches!(error, SourceError::Empty { .. }), "{table:?}: {error}");
        assert_eq!(error.class(), Class::Job);
    }
    for table in ["", "\n \r\n", "\u{feff}"] {
        let error = Table::new(table).error(&spec(Txt));
        assert!(error.to_string().ends_with("the table has no rows"), "{error}");
    }
}

#[test]
fn a_missing_column_names_those_that_are_there() {
    let table = Table::new("URL,Caption ,x\nu,c,x\n");
    let error = table.error(&with_caption(Csv)).to_string();
    let want = "no column `caption` (did you mean `Caption `?); the table has: `URL`, `Caption `, `x`";
    assert!(error.ends_with(want), "{error}");
    assert!(error.starts_with(&table.path.display().to_string()), "{error}");
    assert!(kinds(&table.path, &with_caption(Csv)).is_err(), "the header alone tells");
    let error = Table::new("url\tcaption\nu\tc\n").error(&spec(Csv)).to_string();
    assert!(error.contains("is `input_format` tsv?"), "{error}");
    assert!(error.contains("`url\\tcaption`"), "{error}");
}

#[test]
fn a_needed_column_that_is_there_twice() {
    let error = Table::new("url,x,x,url\n").error(&spec(Csv)).to_string();
    assert!(error.contains("2 columns named `url`"), "{error}");
    assert_eq!(Table::new("url,x,x\nu,1,2\n").rows(&spec(Csv)).len(), 1);
}

#[test]
fn column_choices_that_cannot_be() {
    let table = Table::new("url,key\nu,k\n");
    let with = |format, additional: &[&str]| TableSpec {
        additional: additional.iter().map(|name| (*name).to_owned()).collect(),
        ..spec(format)
    };
    for (spec, word) in [
        (with(Csv, &["key"]), "`key`"),
        (with(Csv, &["url"]), "`url`"),
        (with(Csv, &["a", "a"]), "twice"),
        (with(Txt, &["a"]), "URLs only"),
        (with_caption(Txt), "`caption`"),
    ] {
        let error = table.error(&spec);
        assert!(matches!(error, SourceError::Columns { .. }) && error.to_string().contains(word), "{error}");
    }
}

#[test]
fn bytes_that_are_no_utf8_table() {
    let utf16 = |bom: &[u8], text: &str| -> Vec<u8> {
        bom.iter().copied().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
    };
    let table = "url,caption\nhttp://a,b\n";
    let hole = [b"url\nu\n".repeat(300_000), vec![0; 5000], b"u\n".to_vec()].concat();
    for (bytes, word) in [
        (utf16(b"\xFF\xFE", table), "UTF-16 text;"),
        (utf16(b"", table), "UTF-16 or UTF-32 text without"),
        (vec![0; 100_000], "filled with NUL bytes"),
        (hole, "partly overwritten with NUL bytes"),
        (b"PAR1\x15\x04".to_vec(), "is Parquet; set `input_format: parquet`"),
        (b"PK\x03\x04...".to_vec(), "spreadsheet"),
    ] {
        for spec in [with_caption(Csv), spec(Txt)] {
            // The hole is in a table of one column.
            let spec = TableSpec { caption_col: None, ..spec };
            let error = Table::new(&bytes).error(&spec);
            assert!(
                matches!(error, SourceError::Encoding { .. }) && error.to_string().contains(word),
                "{word}: {error}"
            );
        }
    }
}

#[test]
fn a_row_has_one_problem_the_first() {
    let rows = Table::new(b"url,caption\n,\xFF\n").rows(&with_caption(Csv));
    assert_eq!(rows[0].class(), Some(InvalidUtf8));
    assert_eq!(rows[0].cells[1], Kept::Null);
}
