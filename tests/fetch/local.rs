//! Files of this machine.

use std::os::unix::fs::symlink;

use clipmill::config::Reading;
use clipmill::fetch::Container;
use clipmill::sample::FailureClass::*;

use crate::lab::{Lab, bytes, media, reading};

fn allowed() -> Lab {
    Lab::new(Reading { allow_local_paths: true, ..reading() })
}

#[tokio::test]
async fn files_are_refused_unless_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("v.mp4");
    std::fs::write(&file, media(4000)).unwrap();
    let lab = Lab::new(reading());
    for cell in [file.display().to_string(), format!("file://{}", file.display()), "relative/v.mp4".into()] {
        let (class, message) = lab.failure(&cell).await;
        assert_eq!(class, LocalPathRefused, "{cell}");
        assert!(message.contains("reading.allow_local_paths"), "{message}");
        assert!(!message.contains("v.mp4"), "what may be a URL without its scheme is not shown: {message}");
    }
}

#[tokio::test]
async fn regular_files_are_read_whole_also_through_links() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a b.mp4");
    std::fs::write(&file, media(2_500_000)).unwrap();
    let link = folder.path().join("link");
    symlink(&file, &link).unwrap();
    let lab = allowed();
    let url = url::Url::from_file_path(&file).unwrap().to_string();
    for cell in [file.to_str().unwrap(), link.to_str().unwrap(), &url] {
        let fetched = lab.fetcher.fetch(cell).await.unwrap();
        assert_eq!((fetched.bytes_received, fetched.container), (2_500_000, Container::Mp4), "{cell}");
        assert_eq!(bytes(fetched), media(2_500_000));
    }
    let exact = Reading { allow_local_paths: true, max_bytes: 2_500_000, ..reading() };
    assert_eq!(Lab::new(exact.clone()).bytes(&url).await.len(), 2_500_000);
    assert_eq!(Lab::new(Reading { max_bytes: 2_499_999, ..exact }).class(&url).await, TooLarge);
}

#[tokio::test]
async fn nothing_but_regular_files_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let made = std::process::Command::new("mkfifo").arg(path("fifo")).status().unwrap();
    assert!(made.success());
    std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
    symlink("/dev/zero", path("link-to-device")).unwrap();
    symlink("nothing", path("dangling")).unwrap();
    let lab = allowed();
    for name in ["fifo", "socket", "link-to-device", "dangling", "missing"] {
        assert_eq!(lab.class(&path(name)).await, LocalFile, "{name}");
    }
    for cell in ["/dev/zero", "/", &path("fifo"), &path("socket"), folder.path().to_str().unwrap()] {
        let want = (LocalFile, format!("cannot read the file {cell}: not a regular file"));
        assert_eq!(lab.failure(cell).await, want);
    }
    let missing = path("missing");
    assert_eq!(lab.failure(&missing).await.1, format!("cannot read the file {missing}: no such file"));
}

#[tokio::test]
async fn files_are_sniffed_too() {
    let folder = tempfile::tempdir().unwrap();
    let (text, empty) = (folder.path().join("text.mp4"), folder.path().join("empty.mp4"));
    std::fs::write(&text, "just words").unwrap();
    std::fs::write(&empty, "").unwrap();
    let lab = allowed();
    assert_eq!(lab.class(text.to_str().unwrap()).await, NotMedia);
    assert_eq!(lab.class(empty.to_str().unwrap()).await, Empty);
}
