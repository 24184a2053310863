//! `verify --full` decodes what is in the shards and holds it against what its JSON says.

use std::fs;
use std::path::Path;
use std::process::Output;

use clipmill::sample::hex;
use sha2::{Digest, Sha256};

use crate::common::job::clipmill;
use crate::lab::Lab;

const EXACT: &str = "{ClippingSubsampler: {args: {precision: exact}}}";

fn verify(output: &Path) -> (Option<i32>, String) {
    let Output { status, stdout, .. } = clipmill().arg("verify").arg(output).arg("--full").output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap())
}

/// Replaces bytes of the shard's tar by others of the same number, and brings its commit record in line with it.
fn tamper(output: &Path, from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let (tar, stats) = (output.join("00000.tar"), output.join("00000_stats.json"));
    let mut bytes = fs::read(&tar).unwrap();
    let before = hex(&Sha256::digest(&bytes));
    let at = bytes.windows(from.len()).position(|window| window == from).expect("the bytes to replace");
    bytes[at..at + to.len()].copy_from_slice(to);
    let record = fs::read_to_string(&stats).unwrap();
    assert!(record.contains(&before));
    fs::remove_file(&tar).unwrap();
    fs::write(&tar, &bytes).unwrap();
    fs::remove_file(&stats).unwrap();
    fs::write(stats, record.replace(&before, &hex(&Sha256::digest(&bytes)))).unwrap();
}

fn clips(lab: &Lab) -> std::path::PathBuf {
    lab.long();
    let table = lab.spans("long.mp4", "[[1, 2], [5, 7.2]]");
    let ended = lab.command(&table, EXACT, "out", &[]).output().unwrap();
    assert!(ended.status.success());
    lab.path("out")
}

#[test]
fn what_is_as_it_says_is_sound() {
    let lab = Lab::new();
    let (code, said) = verify(&clips(&lab));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("every clip decoded: sound"), "{said}");
}

#[test]
fn a_clip_with_another_number_of_frames_or_another_size_is_named() {
    let lab = Lab::new();
    let output = clips(&lab);
    tamper(&output, b"\"frames\": 25", b"\"frames\": 26");
    tamper(&output, b"\"width\": 160", b"\"width\": 164");
    let (code, said) = verify(&output);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("00000.tar member 00000000_00000.mp4: has 25 frames; its JSON says 26"), "{said}");
    tamper(&output, b"\"frames\": 26", b"\"frames\": 25");
    let (code, said) = verify(&output);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("is 160x90; its JSON says 164x90"), "{said}");
}

#[test]
fn a_clip_that_does_not_decode_is_named() {
    let lab = Lab::new();
    let output = clips(&lab);
    // The index of the first clip.
    tamper(&output, b"moov", b"mxxv");
    let (code, said) = verify(&output);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("member 00000000_00000.mp4: "), "{said}");
}
