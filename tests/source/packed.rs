//! Text tables that gzip or zstd packed.

use std::io::Write;

use clipmill::config::InputFormat::{Csv, Jsonl, Txt};
use clipmill::source::{SourceError, can_grow, hash_file};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::{Table, collect, spec, text};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    // With a checksum, as the zstd program writes it.
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn large() -> Vec<u8> {
    let rows = (0..200_000).map(|n| format!("http://host/{n}/{}\n", n * 7919 % 10_007));
    ["url\n".to_owned()].into_iter().chain(rows).collect::<String>().into_bytes()
}

#[test]
fn packed_tables_read_as_what_they_hold() {
    let plain = Table::new(large()).rows(&spec(Csv));
    assert_eq!(plain.len(), 200_000);
    for packed in [gzip(&large()), zstd(&large())] {
        let table = Table::new(&packed);
        let (rows, stats) = collect(&table.path, &spec(Csv), Default::default()).unwrap();
        assert!(rows == plain);
        assert_eq!(stats.bytes, packed.len() as u64);
        assert_eq!(stats.sha256, Some(hash_file(&table.path).unwrap()), "the hash is that of the file");
        assert!(!can_grow(&table.path, Csv).unwrap());
    }
    assert!(can_grow(&Table::new("url\n").path, Csv).unwrap());
}

#[test]
fn parts_that_were_put_together_are_one_table() {
    for pack in [gzip, zstd] {
        let table = Table::new([pack(b"u1\nu"), pack(b""), pack(b"2\n")].concat());
        let cells: Vec<_> = table.rows(&spec(Txt)).into_iter().flat_map(|row| row.cells).collect();
        assert_eq!(cells, [text("u1"), text("u2")]);
    }
    let table = Table::new(gzip(b"\xEF\xBB\xBF{\"url\": \"u\"}\n"));
    assert_eq!(table.rows(&spec(Jsonl))[0].cells, [text("u")]);
}

#[test]
fn damage_is_told() {
    for (pack, name) in [(gzip as fn(&[u8]) -> Vec<u8>, "gzip"), (zstd, "zstd")] {
        let whole = pack(&large());
        let cut = whole[..whole.len() / 2].to_vec();
        let mut spoiled = whole.clone();
        spoiled[whole.len() / 2..][..64].fill(0x5A);
        let behind = [whole.clone(), b"and more".to_vec()].concat();
        for (what, bytes) in [("cut", cut), ("spoiled", spoiled), ("behind", behind)] {
            let read = collect(&Table::new(bytes).path, &spec(Csv), Default::default()).map(|(_, stats)| stats);
            let is_told = matches!(&read, Err(SourceError::Packed { packing, .. }) if *packing == name);
            assert!(is_told, "{name} {what}: {read:?}");
        }
        // One packed in another is no table.
        let error = Table::new(pack(&pack(b"url\nu\n"))).error(&spec(Csv));
        assert!(matches!(error, SourceError::Encoding { .. }), "{error}");
    }
}
