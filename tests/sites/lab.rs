//! A site on loopback, a yt-dlp, and jobs over them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::fault_server::{FaultServer, respond};
use crate::job::{Ended, Job, members};

/// The checkout.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Footage of tests/rig/setup.sh.
pub fn footage(name: &str) -> Vec<u8> {
    let path = root().join("target/rig/footage-src").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; `bash tests/rig/setup.sh test`", path.display()))
}

/// Ten seconds of sound.
fn sound() -> Vec<u8> {
    static SOUND: OnceLock<Vec<u8>> = OnceLock::new();
    let make = || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sound.m4a");
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args("-v error -f lavfi -i sine=440:d=10:r=44100 -c:a aac -b:a 64k".split(' ')).arg(&path);
        assert!(ffmpeg.status().expect("ffmpeg is installed by tests/rig/setup.sh").success());
        fs::read(path).unwrap()
    };
    SOUND.get_or_init(make).clone()
}

const ENGLISH: &str =
    "WEBVTT\n\n00:00:01.000 --> 00:00:03.000\n<b>a street</b>\n\n00:00:04.000 --> 00:00:06.500\ntwo bikes\n";
const GERMAN: &str = "WEBVTT\n\n00:00:01.000 --> 00:00:03.000\neine Strasse\n";

/// What `/about/ID.json` says: the site has two videos and several troubles.
fn about(video: &str) -> Value {
    let picture = |id: &str, height: u32, path: &str| {
        json!({"format_id": id, "url": path, "ext": "mp4", "height": height, "width": height * 16 / 9,
               "vcodec": "h264", "acodec": "none", "filesize": height * 1000})
    };
    let formats = json!([
        picture("small", 144, "/files/small.mp4"),
        picture("large", 720, "/files/large.mp4"),
        picture("right", 360, "/files/right.mp4"),
        {"format_id": "sound", "url": "/files/sound.m4a", "ext": "m4a", "vcodec": "none", "acodec": "aac", "asr": 44100, "abr": 64},
    ]);
    match video {
        "two" | "limited" | "subtitleless" => json!({
            "formats": formats, "description": "a street", "uploader": "somebody",
            "subtitles": {"en": [["json", "/subtitles/en.json"], ["vtt", "/subtitles/en.vtt"]], "de": [["vtt", "/subtitles/de.vtt"]]},
        }),
        "auto" => json!({"formats": formats, "automatic_captions": {"en": [["vtt", "/subtitles/en.vtt"]]}}),
        "nosubs" => json!({"formats": formats, "subtitles": {"en": [["vtt", "/subtitles/limited.vtt"]]}}),
        "live" => json!({"formats": formats, "is_live": true}),
        "gone" => json!({"formats": [picture("right", 360, "/files/none.mp4")]}),
        "html" => json!({"formats": [picture("right", 360, "/page")]}),
        trouble => json!({"trouble": trouble}),
    }
}

/// Starts the site. `/about/limited.json` answers 429 twice.
pub fn site() -> FaultServer {
    let limited = std::sync::atomic::AtomicUsize::new(0);
    FaultServer::start(move |request, stream| {
        let ok = |stream: &mut _, kind: &str, body: &[u8]| {
            respond(stream, "200 OK", &[&format!("Content-Type: {kind}")], body)
        };
        let path = request.target.split('?').next().unwrap_or_default();
        match path.split('/').skip(1).collect::<Vec<_>>().as_slice() {
            ["about", "limited.json"] if limited.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2 => {
                respond(stream, "429 Too Many Requests", &[], b"")
            }
            ["about", name] => {
                let about = about(name.strip_suffix(".json").unwrap_or_default()).to_string();
                ok(stream, "application/json", about.as_bytes())
            }
            ["files", "right.mp4" | "film.mp4"] => ok(stream, "video/mp4", &footage("bikes.mp4")),
            ["files", "small.mp4" | "large.mp4"] => ok(stream, "video/mp4", &footage("carphone_pristine.mp4")),
            ["files", "sound.m4a"] => ok(stream, "audio/mp4", &sound()),
            ["subtitles", "en.vtt"] => ok(stream, "text/vtt", ENGLISH.as_bytes()),
            ["subtitles", "de.vtt"] => ok(stream, "text/vtt", GERMAN.as_bytes()),
            ["subtitles", "limited.vtt"] => respond(stream, "429 Too Many Requests", &[], b""),
            ["watch"] => ok(
                stream,
                "text/html",
                b"<!DOCTYPE html><html><title>A film</title><video src='/files/film.mp4'></video></html>",
            ),
            ["page"] => ok(stream, "text/html", b"<!DOCTYPE html><html><title>No film</title></html>"),
            ["noai"] => respond(
                stream,
                "200 OK",
                &["X-Robots-Tag: noai", "Content-Type: text/html"],
                b"<!DOCTYPE html><html></html>",
            ),
            _ => respond(stream, "404 Not Found", &[], b""),
        }
    })
}

/// The yt-dlp of the virtual environment.
pub fn yt_dlp() -> PathBuf {
    let path = root().join(".venv/bin/yt-dlp");
    assert!(path.is_file(), "{} is not there: `bash tests/rig/setup.sh test` installs it", path.display());
    path
}

/// A job over URLs with a scratch folder of its own.
pub struct Lab {
    pub job: Job,
}

/// One sample of a shard.
#[derive(Debug, Default)]
pub struct Sample {
    pub json: Value,
    pub text: Option<String>,
    pub media: BTreeMap<String, Vec<u8>>,
}

impl Sample {
    #[track_caller]
    pub fn failed(&self, class: &str, message: &str) {
        assert_eq!((&self.json["error_class"], &self.json["error_message"]), (&json!(class), &json!(message)));
        assert!(self.media.is_empty());
    }
}

impl Lab {
    pub fn new(urls: &[String]) -> Self {
        let job = Job::new(urls);
        fs::create_dir(job.folder.path().join("scratch")).unwrap();
        let option = format!("job.tmp_dir={}", job.folder.path().join("scratch").display());
        Self { job: job.option(&option) }.option(&format!("reading.yt_args.program={}", yt_dlp().display()))
    }

    pub fn option(self, option: &str) -> Self {
        Self { job: self.job.option(option) }
    }

    /// FAKE: a shell script in yt-dlp's place, which says that it is one of `version`.
    pub fn stand_in(self, version: &str, script: &str) -> Self {
        let path = self.job.folder.path().join("yt-dlp");
        let head = format!("#!/bin/sh\ncase \"$*\" in *--version) echo {version}; exit 0 ;; esac\n");
        fs::write(&path, head + script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let option = format!("reading.yt_args.program={}", path.display());
        self.option(&option)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.job.folder.path().join(name)
    }

    pub fn command(&self) -> Command {
        let mut command = self.job.command();
        command.env("PYTHONPATH", root().join("tests/sites/plugin"));
        command
    }

    pub fn run(&self) -> Ended {
        Ended::of(self.command().output().unwrap())
    }

    /// Runs to the end; nothing is left on scratch. The samples by key.
    #[track_caller]
    pub fn samples(&self) -> BTreeMap<String, Sample> {
        self.run().expect(0);
        assert_eq!(self.left_on_scratch(), Vec::<String>::new());
        self.stored()
    }

    #[track_caller]
    pub fn one(&self) -> Sample {
        let samples = self.samples();
        assert_eq!(samples.len(), 1, "{samples:?}");
        samples.into_values().next().unwrap()
    }

    pub fn stored(&self) -> BTreeMap<String, Sample> {
        let mut samples: BTreeMap<String, Sample> = BTreeMap::new();
        for (name, bytes) in members(&self.job.output().join("00000.tar")) {
            let (key, extension) = name.split_once('.').unwrap();
            let sample = samples.entry(key.to_owned()).or_default();
            match extension {
                "json" => sample.json = serde_json::from_slice(&bytes).unwrap(),
                "txt" => sample.text = Some(String::from_utf8(bytes).unwrap()),
                _ => drop(sample.media.insert(extension.to_owned(), bytes)),
            }
        }
        samples
    }

    pub fn left_on_scratch(&self) -> Vec<String> {
        files(&self.path("scratch"))
    }
}

fn files(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// Whether a process runs; one that waits to be reaped does not.
pub fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
