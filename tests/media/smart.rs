//! Clips of copied and encoded parts: the frames and times of `exact`, the source's own pixels in the copied part, and edges
//! that cannot be told from them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use clipmill::media::{
    ClipFile, ClipSpec, DecodeOptions, Groups, Media, NotSmart, Seams, SmartSpec, SoundSpec, Stretch, VideoSpec, select,
};
use clipmill::subsample::Encoding;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::lab::{Lab, ffprobe, footage, open};
use crate::output::{encode, make_of, spec};
use crate::silent::silent;

/// A source, decoded once.
struct Source {
    path: PathBuf,
    /// Bytes of each frame's pixels, in FFmpeg's own format for them.
    pixels: Vec<u8>,
    /// Bytes of a frame.
    size: usize,
    /// 10 bits a sample, not 8.
    is_deep: bool,
    /// Rising presentation times.
    times: Vec<i64>,
}

/// A clip and the frames that it was to have.
struct Cut {
    seams: Seams,
    file: ClipFile,
    path: PathBuf,
    first: usize,
    last: usize,
}

impl Source {
    fn new(path: PathBuf) -> Self {
        let pixels = pixels(&path);
        let mut media = open(&path);
        let mut times: Vec<i64> = media.shown_packets().unwrap().iter().map(|packet| packet.pts.unwrap()).collect();
        times.sort_unstable();
        assert_eq!(pixels.len() % times.len(), 0, "{}", path.display());
        let is_deep = path.file_name().is_some_and(|name| name == "deep.mp4");
        Self { size: pixels.len() / times.len(), path, pixels, is_deep, times }
    }

    fn frame(&self, n: usize) -> &[u8] {
        &self.pixels[n * self.size..(n + 1) * self.size]
    }

    fn stretch(&self, first: usize, last: usize) -> Stretch {
        let end = self.times.get(last).copied().unwrap_or_else(|| self.times[self.times.len() - 1] + 1);
        Stretch { start: self.times[first], end }
    }

    /// The clip of these frames, the last excluded.
    fn cut(&self, lab: &Lab, (first, last): (usize, usize), extension: &str) -> Result<Cut, NotSmart> {
        let mut media = open(&self.path);
        let groups = Arc::new(media.surveyed_packets().unwrap().1?);
        let seams = groups.seams(self.stretch(first, last))?;
        let codec = groups.edges(None, None);
        let video = VideoSpec::Smart(SmartSpec { groups, seams, codec });
        let file = self.make(&mut media, (first, last), extension, video, &seams.edges().collect::<Vec<_>>());
        let path = lab.write(&format!("smart.{extension}"), &file.bytes.to_vec());
        Ok(Cut { seams, file, path, first, last })
    }

    fn exact(&self, lab: &Lab, (first, last): (usize, usize), extension: &str) -> PathBuf {
        let mut media = open(&self.path);
        let video = encode(None, Encoding::default().video(extension));
        let file = self.make(&mut media, (first, last), extension, video, &[self.stretch(first, last)]);
        lab.write(&format!("exact.{extension}"), &file.bytes.to_vec())
    }

    fn make(
        &self,
        media: &mut Media,
        (first, last): (usize, usize),
        extension: &str,
        video: VideoSpec,
        decoded: &[Stretch],
    ) -> ClipFile {
        let stretch = self.stretch(first, last);
        let unit = f64::from(media.video().unwrap().time_base);
        let span = (stretch.start as f64 * unit, stretch.end as f64 * unit);
        let sound = if media.audio().is_ok() { SoundSpec::Copy } else { SoundSpec::None };
        let packets = media.shown_packets().unwrap();
        let spec = ClipSpec { stretch: Some(stretch), span, zero: span.0, ..spec(media, extension, video, sound) };
        make_of(media, &spec, select(&packets, decoded, None)).unwrap()
    }

    /// The clip holds what it has to.
    #[track_caller]
    fn check(&self, cut: &Cut) {
        let what = format!("{} from {} to {}", self.path.display(), cut.first, cut.last);
        let [lead, copied, tail] = cut.seams.frames;
        assert_eq!(lead + copied + tail, cut.last - cut.first, "{what}");
        let video = cut.file.video.unwrap();
        assert_eq!((video.packets as usize, video.encoded as usize), (cut.last - cut.first, lead + tail), "{what}");
        let pixels = pixels(&cut.path);
        assert_eq!(pixels.len() / self.size, cut.last - cut.first, "{what}: {:?}", cut.seams.frames);
        for (n, frame) in pixels.chunks(self.size).enumerate() {
            let want = self.frame(cut.first + n);
            if (lead..lead + copied).contains(&n) {
                assert!(frame == want, "{what}: frame {n} of {:?} is not the source's", cut.seams.frames);
            } else {
                let found = psnr(frame, want, self.is_deep);
                assert!(found >= 40.0, "{what}: frame {n} of {:?} has {found:.1} dB", cut.seams.frames);
            }
        }
        let unit = f64::from(open(&self.path).video().unwrap().time_base);
        let zero = self.times[cut.first];
        let found = decoded_times(&cut.path);
        assert_eq!(found.len(), cut.last - cut.first, "{what}");
        for (time, found) in self.times[cut.first..].iter().zip(found) {
            assert!(((time - zero) as f64 * unit - found).abs() < 1e-5, "{what}: {found}");
        }
    }
}

/// What the ffmpeg program decodes, without a word of complaint.
fn pixels(path: &Path) -> Vec<u8> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "warning", "-i"]).arg(path);
    let output = command.args("-map 0:v:0 -fps_mode passthrough -f rawvideo -".split(' ')).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// dB; deep samples have 10 bits in two bytes.
fn psnr(a: &[u8], b: &[u8], is_deep: bool) -> f64 {
    let squares = |a: u16, b: u16| u64::from(a.abs_diff(b)).pow(2);
    let (sum, count, peak) = if is_deep {
        let samples = |bytes: &'_ [u8]| bytes.as_chunks::<2>().0.iter().map(|two| u16::from_le_bytes(*two)).collect();
        let (a, b): (Vec<u16>, Vec<u16>) = (samples(a), samples(b));
        (a.iter().zip(&b).map(|(a, b)| squares(*a, *b)).sum::<u64>(), a.len(), 1023.0_f64)
    } else {
        (a.iter().zip(b).map(|(a, b)| squares((*a).into(), (*b).into())).sum(), a.len(), 255.0)
    };
    10.0 * (peak.powi(2) * count as f64 / sum.max(1) as f64).log10()
}

/// As frames come out of the decoder, seconds.
fn decoded_times(path: &Path) -> Vec<f64> {
    let mut media = open(path);
    let mut decoder = media.decoder(DecodeOptions::default()).unwrap();
    let mut times = Vec::new();
    while let Some(frame) = decoder.next_frame().unwrap() {
        times.push(frame.seconds);
    }
    times
}

/// When ffprobe sees frames, in seconds.
fn times(path: &Path) -> Vec<String> {
    let probed = ffprobe(path, "-select_streams v:0 -show_frames -show_entries frame=pts_time");
    let frames = probed["frames"].as_array().unwrap();
    frames.iter().map(|frame| frame["pts_time"].as_str().unwrap().to_owned()).collect()
}

/// 6 s of real footage in a size that is no multiple of 16, with sound.
fn real(lab: &Lab, name: &str, options: &str) -> Source {
    let input = format!("-stream_loop 1 -t 6 -i {}", footage("bigbuckbunny.mp4").display());
    Source::new(lab.make(name, &format!("{input} -vf scale=212:120 -preset fast -c:a aac -ac 2 {options}")))
}

/// 2.4 s.
fn drawn(lab: &Lab, name: &str, options: &str) -> Source {
    Source::new(lab.make(name, &format!("-f lavfi -i testsrc2=d=2.4:s=98x54:r=25 -c:v libx264 -preset fast {options}")))
}

#[test]
fn clips_hold_the_source_between_edges_as_good_as_it() {
    let lab = Lab::new();
    let pyramid = "-c:v libx264 -bf 5 -g 40 -x264-params b-pyramid=normal:scenecut=0";
    for (name, options, spans) in [
        ("pyramid.mp4", pyramid, vec![(13, 137), (1, 61), (40, 80), (30, 91)]),
        ("long.mp4", "-c:v libx264 -bf 3 -g 500", vec![(0, 110), (0, 125)]),
        ("open.mp4", "-c:v libx264 -x264-params open-gop=1:keyint=24:bframes=3", vec![(0, 100)]),
        ("baseline.mkv", "-c:v libx264 -profile baseline -g 30", vec![(29, 100)]),
        ("stream.ts", pyramid, vec![(13, 117)]),
    ] {
        let source = real(&lab, name, options);
        for (span, extension) in spans.into_iter().zip(["mp4", "mkv", "mov", "mp4", "mkv", "mp4"]) {
            let cut = source.cut(&lab, span, extension).unwrap_or_else(|why| panic!("{name} {span:?}: {why}"));
            source.check(&cut);
            assert_eq!(times(&cut.path), times(&source.exact(&lab, span, extension)), "{name} {span:?}");
            assert!(cut.file.sound.is_some(), "{name}");
        }
    }
}

#[test]
fn all_shapes_of_h264_go_on_over_the_seams() {
    let lab = Lab::new();
    for (name, options) in [
        ("main.mp4", "-profile main -g 20"),
        ("cavlc.mp4", "-g 20 -x264-params cabac=0:slices=4"),
        ("full.mp4", "-g 20 -pix_fmt yuvj420p"),
        ("sar.mp4", "-g 20 -vf setsar=16/11 -colorspace bt709 -color_primaries bt709 -color_trc bt709"),
        ("plain.mp4", "-g 20 -vf setsar=0"),
        ("headers.mp4", "-g 20 -x264-params repeat-headers=1:aud=1"),
        ("vary.mp4", "-g 20 -vf select=not(mod(n\\,7))+not(mod(n\\,2)) -fps_mode vfr"),
        ("vary.mkv", "-g 20 -vf select=not(mod(n\\,7))+not(mod(n\\,2)) -fps_mode vfr"),
        ("h264.avi", "-g 20"),
        ("refs.mp4", "-g 20 -refs 6 -bf 8 -b_strategy 0 -x264-params b-pyramid=strict"),
        ("low.mp4", "-g 20 -tune zerolatency"),
        ("wide.mp4", "-g 20 -pix_fmt yuv422p"),
        ("deep.mp4", "-g 20 -pix_fmt yuv420p10le"),
        ("aspect.mp4", "-g 20 -vf setsar=0"),
        ("aspect.mkv", "-g 20 -vf setsar=4/3"),
    ] {
        let mut source = drawn(&lab, name, options);
        if name.starts_with("aspect") {
            // The container says another shape of pixels than the stream.
            let copy = format!("-i {name} -c copy -aspect 3:1");
            source = Source::new(lab.make(&format!("other_{name}"), &copy));
        }
        let count = source.times.len();
        for span in [(7, count - 3), (0, count * 2 / 3)] {
            let cut = source.cut(&lab, span, "mp4").unwrap_or_else(|why| panic!("{name} {span:?}: {why}"));
            source.check(&cut);
        }
    }
}

#[test]
fn what_cannot_be_copied_says_why() {
    let lab = Lab::new();
    let why = |path: &Path, span: (usize, usize)| {
        let (packets, groups) = open(path).surveyed_packets().unwrap();
        let mut times: Vec<i64> = packets.iter().map(|packet| packet.pts.unwrap()).collect();
        times.sort_unstable();
        groups.and_then(|groups| groups.seams(Stretch { start: times[span.0], end: times[span.1] })).err()
    };
    let closed = lab.make("closed.mp4", "-f lavfi -i testsrc2=d=2:s=96x54:r=25 -c:v libx264 -g 20");
    assert_eq!(why(&closed, (5, 15)), Some(NotSmart::NoGroup));
    assert_eq!(why(&closed, (18, 25)), Some(NotSmart::TooLittle));
    assert_eq!(why(&closed, (18, 45)), None);
    let open = "-c:v libx264 -x264-params open-gop=1:keyint=10:scenecut=0:bframes=2";
    let open = lab.make("open.mp4", &format!("-f lavfi -i testsrc2=d=2:s=96x54:r=25 {open}"));
    assert_eq!(
        why(&open, (5, 45)),
        Some(NotSmart::NoGroup),
        "its later groups begin with frames that refer to the ones before"
    );
    for (name, options, reason) in [
        ("x265.mp4", "-c:v libx265 -preset ultrafast -g 20 -x265-params log-level=none", NotSmart::Codec),
        ("fields.mp4", "-c:v libx264 -g 20 -flags +ildct+ilme -x264-params tff=1", NotSmart::Interlaced),
        ("whole.mp4", "-c:v libx264 -g 20 -pix_fmt yuv444p", NotSmart::Format),
    ] {
        let path = lab.make(name, &format!("-f lavfi -i testsrc2=d=2:s=96x64:r=25 {options}"));
        assert_eq!(why(&path, (5, 45)), Some(reason), "{name}");
    }
    let turned = lab.make("turned.mp4", "-i closed.mp4 -c copy -metadata:s:v:0 rotate=90");
    assert_eq!(why(&turned, (5, 45)), Some(NotSmart::Turned));
    let part = |name: &str, options: &str| {
        let input = "-f lavfi -i testsrc2=d=1.2:s=96x54:r=25 -c:v libx264 -g 10";
        std::fs::read(lab.make(name, &format!("{input} {options}"))).unwrap()
    };
    let both = [part("a.ts", "-refs 1"), part("b.ts", "-refs 4 -output_ts_offset 1.2")].concat();
    assert_eq!(why(&lab.write("both.ts", &both), (5, 45)), Some(NotSmart::Changes));
}

/// What OpenCV makes of clips, all in one run of Python: none of them differs from the source where it was copied.
#[test]
fn opencv_decodes_what_ffmpeg_decodes() {
    let lab = Lab::new();
    let source = real(&lab, "source.mp4", "-c:v libx264 -bf 3 -g 40");
    let mut jobs = Vec::new();
    for (n, span) in [(13, 137), (1, 61), (30, 91), (0, 145), (0, 33)].into_iter().enumerate() {
        let cut = source.cut(&lab, span, "mp4").unwrap();
        let path = lab.write(&format!("clip{n}.mp4"), &cut.file.bytes.to_vec());
        jobs.push(json!({"clip": path, "source": source.path, "first": span.0, "parts": cut.seams.frames}));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(root.join(".venv/bin/python"));
    let command = command.arg(root.join("tests/media/opencv.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("run 'bash tests/rig/setup.sh test' first");
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), &serde_json::to_vec(&jobs).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found.len(), jobs.len());
    for (found, job) in found.iter().zip(&jobs) {
        let frames: u64 = job["parts"].as_array().unwrap().iter().map(|part| part.as_u64().unwrap()).sum();
        assert_eq!(found["frames"], frames, "{job}");
        assert_eq!(found["unlike"], json!([]), "{job}");
        assert_eq!(found["poor"], json!([]), "{job}");
        assert_eq!(found["sought"], true, "{job}: another frame after a seek into each part");
    }
}

#[test]
fn random_spans_hold_their_frames() {
    let lab = Lab::new();
    let sources = [
        drawn(&lab, "a.mp4", "-bf 4 -g 17 -x264-params b-pyramid=normal"),
        drawn(&lab, "b.mp4", "-bf 2 -g 250 -x264-params open-gop=1:keyint=9"),
        drawn(&lab, "c.mkv", "-g 9 -vf select=not(mod(n\\,3))+not(mod(n\\,4)) -fps_mode vfr"),
    ];
    let smart = std::cell::Cell::new(0);
    let config = ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let spans = (0..sources.len(), 0.0..1.0, 0.0..1.0);
    let outcome = runner.run(&spans, |(which, a, b)| {
        let source: &Source = &sources[which];
        let count = source.times.len();
        let at = |share: f64| (share * count as f64) as usize;
        let (first, last) = (at(f64::min(a, b)), at(f64::max(a, b)) + 1);
        if let Ok(cut) = source.cut(&lab, (first, last), "mp4") {
            smart.set(smart.get() + 1);
            source.check(&cut);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    assert!(smart.get() > 10, "only {} of the spans could be cut so", smart.get());
}

#[test]
fn a_group_of_another_number_does_not_overwrite_the_sources() {
    let lab = Lab::new();
    let source = drawn(&lab, "numbered.mp4", "-g 20 -x264-params sps-id=0");
    let cut = source.cut(&lab, (7, 57), "mp4").unwrap();
    let header = ffprobe(&cut.path, "-show_streams -show_data -select_streams v:0");
    let text = header["streams"][0]["extradata"].as_str().unwrap();
    // `avcC`: version 1, and two sequence parameter sets (E2) behind five bytes.
    assert!(text.trim().starts_with("00000000: 0164") && text.contains("ffe2"), "{text}");
    let groups: Groups = open(&source.path).surveyed_packets().unwrap().1.unwrap();
    assert!(groups.edges(None, None).options.contains(&("x264-params".into(), "sps-id=1".into())));
}

/// Many encoders do not write how far frames are reordered. Behind an edge, where none are, a decoder that has to guess
/// would lose some.
#[test]
fn no_frame_is_lost_where_the_source_does_not_say_how_far_it_reorders() {
    let lab = Lab::new();
    let made = drawn(&lab, "told.mp4", "-g 20 -bf 5 -b_strategy 0 -x264-params b-pyramid=normal");
    let silent = silent(&std::fs::read(&made.path).unwrap());
    let source = Source::new(lab.write("silent.mp4", &silent));
    assert!(source.pixels == made.pixels, "only what is said of the pictures has changed");
    for (span, extension) in
        [((15, 57), "mkv"), ((15, 57), "mp4"), ((18, 60), "mkv"), ((0, 60), "mkv"), ((20, 45), "mov")]
    {
        source.check(&source.cut(&lab, span, extension).unwrap());
    }
}
