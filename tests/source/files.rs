//! Which files a `url_list` stands for.

use std::path::Path;

use clipmill::config::InputFormat::{Csv, Parquet};
use clipmill::source::{
    ReadError, SourceError, common_kinds, ends_at_line, fingerprint_quick, hash_file, hash_prefix, inputs, read,
};

use crate::spec;

fn names(folder: &Path, list: &[&str]) -> Result<Vec<String>, SourceError> {
    let list: Vec<_> = list.iter().map(|entry| folder.join(entry).display().to_string()).collect();
    let found = inputs(&list, Csv)?;
    Ok(found.iter().map(|path| path.strip_prefix(folder).unwrap().display().to_string()).collect())
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    for name in ["b.csv", "a.csv", "a10.csv", ".hidden.csv", "c.parquet", "sub/z.csv", "[x].csv"] {
        std::fs::write(folder.path().join(name), "url\nu\n").unwrap();
    }
    folder
}

#[test]
fn packed_tables_of_a_folder_count_but_not_beside_themselves() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b.csv.gz", "a.csv", "c.csv.zst", "d.tsv.gz", "e.gz"] {
        std::fs::write(folder.path().join(name), "url\nu\n").unwrap();
    }
    assert_eq!(names(folder.path(), &[""]).unwrap(), ["a.csv", "b.csv.gz", "c.csv.zst"]);
    std::fs::write(folder.path().join("c.csv"), "url\nu\n").unwrap();
    let error = names(folder.path(), &[""]).unwrap_err();
    assert!(
        matches!(&error, SourceError::Twins { first, second } if first.ends_with("c.csv") && second.ends_with("c.csv.zst")),
        "{error}"
    );
    assert_eq!(names(folder.path(), &["c.csv", "c.csv.zst"]).unwrap().len(), 2, "files that are named are taken");
}

#[test]
fn files_folders_and_patterns() {
    let folder = folder();
    let names = |list: &[&str]| names(folder.path(), list).unwrap();
    assert_eq!(names(&["b.csv", "a.csv"]), ["b.csv", "a.csv"], "the given order is kept");
    assert_eq!(names(&[""]), ["[x].csv", "a.csv", "a10.csv", "b.csv"]);
    assert_eq!(names(&["sub", "a*.csv"]), ["sub/z.csv", "a.csv", "a10.csv"]);
    assert_eq!(names(&["a??.csv"]), ["a10.csv"]);
    assert_eq!(names(&["[x].csv"]), ["[x].csv"], "what exists is no pattern");
    assert_eq!(names(&["?.csv", "**/z.csv"]), ["a.csv", "b.csv", "sub/z.csv"]);
    assert_eq!(names(&["c*"]), ["c.parquet"], "a file that is named is taken whatever its extension");
}

#[test]
fn entries_that_lead_nowhere() {
    let folder = folder();
    std::os::unix::fs::symlink("gone.csv", folder.path().join("empty/link")).unwrap();
    let error = |list: &[&str]| names(folder.path(), list).unwrap_err().to_string();
    assert!(error(&["a1.csv"]).contains("no such file or folder (did you mean `a"), "{}", error(&["a1.csv"]));
    assert!(error(&["x*.csv"]).ends_with("the pattern matches no file"));
    assert!(error(&["s*"]).ends_with("the pattern matches no file"), "folders are no files");
    assert!(error(&["empty"]).ends_with("the folder holds no `*.csv`"));
    assert!(error(&["empty/link"]).contains("no such file"));
    assert!(error(&["a[.csv"]).contains("not a valid pattern"));
    assert!(error(&["/dev/null"]).contains("a device, where a table file is expected"));
    let no_tables = inputs(&[folder.path().display().to_string()], Parquet).unwrap();
    assert_eq!(no_tables.len(), 1);
    std::fs::remove_file(&no_tables[0]).unwrap();
    let error = inputs(&[folder.path().display().to_string()], Parquet).unwrap_err().to_string();
    assert!(error.ends_with("holds no `*.parquet` (it holds 4 `*.csv`)"), "{error}");
    assert!(matches!(inputs(&[], Csv), Err(SourceError::NoInput)));
    let remote = inputs(&["s3://bucket/a.csv".into()], Csv).unwrap_err().to_string();
    assert!(remote.contains("mounted file system"), "{remote}");
    let home = inputs(&["~/a.csv".into()], Csv).unwrap_err().to_string();
    assert!(home.contains("`~` is not expanded"), "{home}");
}

#[test]
fn a_folder_named_like_a_table() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("t.csv")).unwrap();
    let error = names(folder.path(), &[""]).unwrap_err().to_string();
    assert!(error.ends_with("t.csv: a folder, where a table file is expected"), "{error}");
    let read = read(&folder.path().join("t.csv"), &spec(Csv), &mut |_| Ok::<(), ()>(()));
    assert!(matches!(read, Err(ReadError::Source(SourceError::NotAFile { .. }))));
}

#[test]
fn the_same_file_twice_under_any_name() {
    let folder = folder();
    std::os::unix::fs::symlink("a.csv", folder.path().join("soft.csv")).unwrap();
    std::fs::hard_link(folder.path().join("b.csv"), folder.path().join("hard.csv")).unwrap();
    for list in
        [["a.csv", "a.csv"], ["a.csv", "./a.csv"], ["soft.csv", "a.csv"], ["b.csv", "hard.csv"], ["a.csv", "a*"]]
    {
        let error = names(folder.path(), &list).unwrap_err();
        assert!(matches!(error, SourceError::Duplicate { .. }), "{list:?}: {error}");
    }
}

#[test]
fn a_name_that_no_plan_can_store() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"\xFF.csv")), "url\nu\n").unwrap();
    let error = inputs(&[folder.path().display().to_string()], Csv).unwrap_err();
    assert!(matches!(error, SourceError::NonUtf8Path { .. }), "{error}");
}

#[test]
fn a_table_that_grew_is_known_by_its_first_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    std::fs::write(&path, "url\nu1").unwrap();
    let (old, size) = (hash_file(&path).unwrap(), fingerprint_quick(&path).unwrap().size);
    assert_eq!(size, 6);
    for (now, same_line_end) in
        [("url\nu1", true), ("url\nu1\nu2", true), ("url\nu1\r\nu2", true), ("url\nu12\n", false)]
    {
        std::fs::write(&path, now).unwrap();
        assert_eq!(hash_prefix(&path, size).unwrap(), old);
        assert_eq!(ends_at_line(&path, size).unwrap(), same_line_end, "{now:?}");
    }
    std::fs::write(&path, "url\nu2\nu1").unwrap();
    assert_ne!(hash_prefix(&path, size).unwrap(), old);
    assert!(ends_at_line(&path, 4).unwrap());
    assert!(matches!(hash_prefix(&path, 99), Err(SourceError::Shrank { size: 9, wanted: 99, .. })));
}

#[test]
fn a_table_that_changes_while_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    std::fs::write(&path, "url\nu1\n").unwrap();
    let result = read(&path, &spec(Csv), &mut |_| std::fs::write(&path, "url\nu1\nu2\n"));
    assert!(matches!(result, Err(ReadError::Source(SourceError::Changed { .. }))), "{result:?}");
}

#[test]
fn every_file_must_have_the_columns() {
    let folder = folder();
    let other = folder.path().join("other.csv");
    std::fs::write(&other, "link\nu\n").unwrap();
    let error = common_kinds(&[folder.path().join("a.csv"), other.clone()], &spec(Csv)).unwrap_err().to_string();
    assert!(error.contains("other.csv: no column `url`"), "{error}");
}
