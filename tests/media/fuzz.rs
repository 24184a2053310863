//! Damaged files, at random: whatever they hold, the room answers with frames or an error.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use clipmill::fetch::Container;
use clipmill::media::{DecodeOptions, Limits, Media, MediaError};

use crate::lab::{Lab, PICTURE, TONE};

const CASES: u64 = 300;
/// Cases of one child.
const BATCH: u64 = 50;
const KINDS: [(&str, Container, &str); 5] = [
    ("a.mp4", Container::Mp4, "-c:v libx264 -preset ultrafast -g 10 -c:a aac -movflags +faststart"),
    ("a.mkv", Container::Matroska, "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus"),
    ("a.avi", Container::Avi, "-c:v mpeg4 -bf 2 -c:a libmp3lame"),
    ("a.ts", Container::MpegTs, "-c:v libx264 -preset ultrafast -bf 2 -c:a aac"),
    ("a.mov", Container::Mov, "-c:v mjpeg -pix_fmt yuvj422p -c:a pcm_s16le"),
];

/// In children, so that a crash is seen as one and told from an error.
#[test]
fn damaged_files_never_crash_the_room() {
    let lab = Lab::new();
    for (name, _, codecs) in KINDS {
        lab.make(name, &format!("{PICTURE} {TONE} -t 0.6 -s 96x64 {codecs}"));
    }
    for first in (0..CASES).step_by(BATCH as usize) {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "fuzz::child_of_damaged_files_never_crash_the_room", "--ignored", "--nocapture"])
            .env("FUZZ_FOLDER", lab.path(""))
            .env("FUZZ_FIRST", first.to_string())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
        assert!(child.status.success(), "{}: {told}", child.status);
        assert!(told.contains(&format!("{BATCH} cases done")), "the child ran: {told}");
    }
}

#[test]
#[ignore = "run by damaged_files_never_crash_the_room"]
fn child_of_damaged_files_never_crash_the_room() {
    let folder = std::env::var("FUZZ_FOLDER").unwrap();
    let first: u64 = std::env::var("FUZZ_FIRST").unwrap().parse().unwrap();
    for seed in first..first + BATCH {
        println!("case {seed}");
        let (name, container, _) = KINDS[seed as usize % KINDS.len()];
        let mut bytes = std::fs::read(Path::new(&folder).join(name)).unwrap();
        damage(&mut bytes, &mut fastrand::Rng::with_seed(seed));
        let path = Path::new(&folder).join(format!("case-{seed}"));
        std::fs::write(&path, bytes).unwrap();
        if let Err(error) = look(&path, container) {
            assert!(!error.to_string().contains("@ 0x"), "{error}");
        }
        std::fs::remove_file(path).unwrap();
    }
    println!("{BATCH} cases done");
}

fn damage(bytes: &mut Vec<u8>, random: &mut fastrand::Rng) {
    if random.u8(..4) == 0 {
        bytes.truncate(random.usize(..bytes.len()));
    }
    // Headers lie at the front: half of the flips go there.
    for _ in 0..random.usize(1..40) {
        let end = if random.bool() { bytes.len().min(600) } else { bytes.len() };
        if end > 0 {
            let at = random.usize(..end);
            bytes[at] = random.u8(..);
        }
    }
}

fn look(path: &Path, container: Container) -> Result<(), MediaError> {
    let limits = Limits { max_pixels: 1 << 20, ..Limits::default() };
    let mut media = Media::open(File::open(path).unwrap(), container, limits)?;
    media.probe(true)?;
    let mut decoder = media.decoder(DecodeOptions::default())?;
    while let Some(mut frame) = decoder.next_frame()? {
        frame.yuv()?;
    }
    Ok(())
}
