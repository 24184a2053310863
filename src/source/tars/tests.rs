use std::io::Write;

use super::*;

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.as_mut_bytes()[..name.len().min(100)].copy_from_slice(&name.as_bytes()[..name.len().min(100)]);
        header.set_cksum();
        if name.len() > 99 {
            out.append_data(&mut header, name, *bytes).unwrap();
        } else {
            out.append(&header, *bytes).unwrap();
        }
    }
    out.into_inner().unwrap()
}

fn read(bytes: &[u8]) -> Result<TarIndex, SourceError> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    TarIndex::read(Path::new("in/00007.tar"), &file)
}

fn shown(index: &TarIndex) -> Vec<(String, Vec<String>, bool)> {
    let exts = |s: &TarSample| s.members.iter().map(|m| m.extension.clone()).collect();
    index.samples.iter().map(|s| (s.key.clone(), exts(s), s.problem.is_some())).collect()
}

fn sample(key: &str, extensions: &[&str], problem: bool) -> (String, Vec<String>, bool) {
    (key.into(), extensions.iter().map(|e| (*e).to_owned()).collect(), problem)
}

#[test]
fn keys_end_at_the_first_dot_of_the_last_part() {
    let long = format!("{}/0001.mp4", "folder".repeat(30));
    let index = read(&tar(&[
        ("a/b.c/0001.mp4", b"x"),
        ("a/b.c/0001.seg.json", b"{}"),
        ("./0002.txt", b""),
        ("/etc/passwd.txt", b""),
        ("../up.json", b"{}"),
        (&long, b"y"),
        ("README", b"no extension"),
        (".hidden", b""),
    ]))
    .unwrap();
    assert_eq!(
        shown(&index),
        [
            sample("a/b.c/0001", &["mp4", "seg.json"], false),
            sample("0002", &["txt"], false),
            sample("etc/passwd", &["txt"], false),
            sample("__/up", &["json"], false),
            sample(long.strip_suffix(".mp4").unwrap(), &["mp4"], false),
        ]
    );
    assert_eq!(index.skipped, ["README", ".hidden"]);
}

#[test]
fn members_of_a_key_are_one_sample_wherever_they_stand_and_doubles_are_told() {
    let index = read(&tar(&[("1.mp4", b"a"), ("2.mp4", b"b"), ("1.json", b"{}"), ("2.mp4", b"c")])).unwrap();
    assert_eq!(shown(&index), [sample("1", &["mp4", "json"], false), sample("2", &["mp4"], true)]);
}

#[test]
fn wherever_a_tar_is_cut_the_loss_is_told_and_what_is_whole_stays() {
    let whole = tar(&[("1.mp4", &[1; 700]), ("2.mp4", &[2; 300])]);
    for cut in 0..whole.len() - 1023 {
        let index = read(&whole[..cut]).unwrap();
        let problems = index.samples.iter().filter(|sample| sample.problem.is_some()).count();
        let kept = index.samples.iter().filter(|sample| !sample.members.is_empty()).count();
        let expected = usize::from(cut >= 512 + 700) + usize::from(cut >= 512 + 1024 + 512 + 300);
        assert_eq!((kept, problems), (expected, 1), "cut at {cut}");
    }
    assert_eq!(shown(&read(&whole).unwrap()).len(), 2);
    assert!(read(&[0; 1024]).unwrap().samples.is_empty(), "an empty tar has no samples and no problem");
    let mut spoiled = whole.clone();
    spoiled[1536 + 3] ^= 1;
    assert_eq!(shown(&read(&spoiled).unwrap()), [sample("1", &["mp4"], false), sample("00007-lost", &[], true)]);
}

#[test]
fn joined_archives_are_read_to_the_end() {
    let index = read(&[tar(&[("1.mp4", b"a")]), tar(&[("2.mp4", b"b")])].concat()).unwrap();
    assert_eq!(shown(&index), [sample("1", &["mp4"], false), sample("2", &["mp4"], false)]);
}

#[test]
fn sizes_beyond_the_file_are_a_cut_not_an_allocation() {
    let mut header = tar::Header::new_gnu();
    header.set_path("1.mp4").unwrap();
    for size in [u64::MAX, u64::MAX - 600, 1 << 40] {
        header.set_size(size);
        header.set_cksum();
        let index = read(header.as_bytes()).unwrap();
        assert_eq!(shown(&index), [sample("1", &[], true)], "{size}");
    }
}

#[test]
fn compressed_tars_are_refused_by_name() {
    let error = read(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0]).unwrap_err();
    assert!(error.to_string().contains("gzip"), "{error}");
}

#[test]
fn shards_are_called_as_their_tars() {
    let names = |paths: &[&str]| shard_names(&paths.iter().map(PathBuf::from).collect::<Vec<_>>());
    assert_eq!(names(&["a/00001.tar", "b/x.y.tar"]).unwrap(), ["00001", "x.y"]);
    for paths in [&["a/1.tar", "b/1.tar"][..], &["a/plan.tar"], &["a/.tar"], &["a/-x.tar"]] {
        assert!(names(paths).is_err(), "{paths:?}");
    }
}
