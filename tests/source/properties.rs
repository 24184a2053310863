//! What holds for any table.

use clipmill::config::InputFormat::{self, Csv, Parquet, Tsv, Txt};
use clipmill::source::ReadOptions;
use proptest::prelude::*;

use crate::{Kept, Table, collect, text, with_caption};

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => any::<String>(),
        2 => proptest::collection::vec(prop_oneof!["\"", ",", "\t", "\n", "\r", "\r\n", "a", "é", " "], 0..12)
            .prop_map(|parts| parts.concat()),
    ]
}

fn delimiter(format: InputFormat) -> u8 {
    if format == Tsv { b'\t' } else { b',' }
}

/// Bytes that look enough like a table to reach the deep parts of a parser.
fn almost_a_table() -> impl Strategy<Value = Vec<u8>> {
    let pieces: [&[u8]; 14] = [
        b"url",
        b"caption",
        b",",
        b"\t",
        b"\n",
        b"\r\n",
        b"\r",
        b"\"",
        b"\"\"",
        b"x",
        b"\xFF",
        b"\xC3",
        b"\0",
        b"\xEF\xBB\xBF",
    ];
    let piece = prop_oneof![
        8 => proptest::sample::select(pieces.to_vec()).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..6),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|body| [b"url,caption\n".to_vec(), body.concat()].concat())
}

proptest! {
    #[test]
    fn what_a_csv_writer_writes_is_read_back(
        rows in proptest::collection::vec((cell(), cell()), 1..20),
        crlf in any::<bool>(),
        tsv in any::<bool>(),
    ) {
        let format = if tsv { Tsv } else { Csv };
        let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter(format)).terminator(terminator).from_writer(Vec::new());
        writer.write_record(["note", "caption", "url"]).unwrap();
        for (note, caption) in &rows {
            writer.write_record([note, caption, "http://host"]).unwrap();
        }
        let table = Table::new(writer.into_inner().unwrap());
        let read = table.rows(&with_caption(format));
        prop_assert_eq!(read.len(), rows.len());
        for (read, (_, caption)) in read.iter().zip(&rows) {
            let want = if caption.is_empty() { Kept::Null } else { text(caption) };
            prop_assert_eq!(&read.cells, &[want, text("http://host")]);
            prop_assert_eq!(read.problem.is_some(), caption.contains('\0'));
        }
    }

    #[test]
    fn records_are_those_of_the_csv_crate(table in almost_a_table()) {
        // The csv crate never fails on bytes; ours does where a quote is open at the end, or a record is foreign.
        let Ok((rows, stats)) = collect(&Table::new(&table).path, &with_caption(Csv), ReadOptions::default()) else {
            return Ok(());
        };
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(table.as_slice());
        let want: Vec<_> = reader.byte_records().map(Result::unwrap).collect();
        prop_assert_eq!(rows.len(), want.len());
        prop_assert_eq!(stats.rows, want.len() as u64);
        for (row, want) in rows.iter().zip(&want) {
            let lossy = want.get(1).map(|raw| String::from_utf8_lossy(raw).into_owned()).unwrap_or_default();
            prop_assert_eq!(&row.cells[0], &(if lossy.is_empty() { Kept::Null } else { Kept::Text(lossy) }));
            prop_assert!(want.len() == 2 || row.problem.is_some());
        }
    }

    #[test]
    fn txt_lines_are_read_back(lines in proptest::collection::vec("[^\r\n\0]{0,40}", 1..30), crlf in any::<bool>()) {
        let want: Vec<_> = lines.iter().filter(|line| !line.as_bytes().trim_ascii().is_empty()).collect();
        prop_assume!(!want.is_empty() && !lines[0].starts_with('\u{feff}'));
        let table = Table::new(lines.join(if crlf { "\r\n" } else { "\n" }));
        let spec = crate::spec(Txt);
        let Ok((rows, _)) = collect(&table.path, &spec, ReadOptions::default()) else {
            // `PK…` and the like.
            return Ok(());
        };
        prop_assert_eq!(rows.len(), want.len());
        for (row, want) in rows.iter().zip(want) {
            if row.problem.is_none() {
                prop_assert_eq!(&row.cells, &[text(want)]);
            }
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for format in [Csv, Tsv, Txt, Parquet] {
            let spec = if format == Txt { crate::spec(format) } else { with_caption(format) };
            let _ = collect(&Table::new(&bytes).path, &spec, ReadOptions::default());
        }
    }
}
