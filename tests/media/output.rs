//! Files that are made, against what the ffmpeg program makes of the same media and says of the files.

use std::path::{Path, PathBuf};

use clipmill::media::{
    Action, ClipFile, ClipSpec, ClipWriter, DecodeOptions, Event, Media, MediaError, PassOptions, SoundSpec, Streams,
    VideoCodec, VideoSpec,
};
use clipmill::subsample::Encoding;

use crate::lab::{Lab, ffprobe, footage, open, run};

/// Pictures that lose nothing, so that frames can be compared bit by bit.
pub fn lossless(formats: &str) -> VideoCodec {
    VideoCodec { encoder: "ffv1".into(), formats: formats.into(), options: Vec::new() }
}

fn x264(options: &[(&str, &str)]) -> VideoCodec {
    let options = options.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    VideoCodec { encoder: "libx264".into(), formats: "yuv420p|yuvj420p".into(), options }
}

pub fn spec(media: &Media, extension: &str, video: VideoSpec, sound: SoundSpec) -> ClipSpec {
    let span = (f64::NEG_INFINITY, f64::INFINITY);
    ClipSpec { extension: extension.into(), video, sound, stretch: None, span, zero: media.start_seconds() }
}

pub fn encode(graph: Option<&str>, codec: VideoCodec) -> VideoSpec {
    VideoSpec::Encode { graph: graph.map(str::to_owned), codec }
}

/// The one file of `spec`, as a worker makes it.
pub fn make(media: &mut Media, spec: &ClipSpec) -> Result<ClipFile, MediaError> {
    make_of(media, spec, None)
}

pub fn make_of(media: &mut Media, spec: &ClipSpec, actions: Option<Vec<Action>>) -> Result<ClipFile, MediaError> {
    let source = Streams::of(media);
    let mut writer = ClipWriter::new(&source, spec)?;
    let frames = writer.wants_frames().then(DecodeOptions::default);
    let mut pass = media.pass(PassOptions { frames, actions, packets: writer.streams() })?;
    let mut next = 0;
    while let Some(event) = pass.next_event()? {
        match event {
            Event::Packet(packet) => writer.packet(packet)?,
            Event::Frame(frame) => {
                let pts = frame.pts.unwrap_or(next);
                next = pts + 1;
                writer.frame(&frame, pts)?;
            }
        }
    }
    writer.finish()
}

/// Encodes the whole video without loss; the file's path.
fn whole(lab: &Lab, path: &Path, graph: Option<&str>, formats: &str) -> PathBuf {
    let mut media = open(path);
    let spec = spec(&media, "mkv", encode(graph, lossless(formats)), SoundSpec::None);
    lab.write("made.mkv", &make(&mut media, &spec).unwrap().bytes.to_vec())
}

/// A checksum a frame, with `arguments` before the file and `filters` behind it.
fn sums(path: &Path, filters: &str) -> Vec<String> {
    let mut arguments = vec!["-nostdin", "-v", "error", "-i", path.to_str().unwrap(), "-map", "0:v:0"];
    arguments.extend(filters.split_whitespace());
    arguments.extend(["-f", "framemd5", "-"]);
    let text = run("ffmpeg", &arguments);
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.rsplit(", ").next().unwrap().into()).collect()
}

/// Frames, passed on as they come.
pub fn frames(path: &Path) -> Vec<String> {
    sums(path, "-fps_mode passthrough")
}

/// What the ffmpeg program complains about while it decodes the file.
pub fn complaints(path: &Path) -> String {
    let arguments = ["-nostdin", "-v", "warning", "-i", path.to_str().unwrap(), "-map", "0:v:0", "-f", "null", "-"];
    let output = std::process::Command::new("ffmpeg").args(arguments).output().unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn times(path: &Path, entry: &str) -> Vec<f64> {
    let probed = ffprobe(path, &format!("-select_streams v:0 -show_frames -show_entries frame={entry}"));
    let frames = probed["frames"].as_array().unwrap();
    frames.iter().map(|frame| frame[entry].as_str().unwrap().parse().unwrap()).collect()
}

fn shift(times: &[f64], by: f64) -> Vec<i64> {
    times.iter().map(|time| ((time - by) * 1000.0).round() as i64).collect()
}

#[test]
fn chains_of_filters_give_the_frames_that_ffmpeg_gives() {
    let lab = Lab::new();
    for graph in [
        "scale=200:-2",
        "crop=101:75:3:5,pad=160:120:-1:-1",
        "scale=64:64:flags=area",
        "fps=7",
        "fps=30000/1001,scale=96:54",
    ] {
        let path = footage("carphone_pristine.mp4");
        let made = frames(&whole(&lab, &path, Some(graph), "yuv420p"));
        let want = sums(
            &path,
            &format!(
                "-vf {graph},crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0 -sws_flags bicubic -pix_fmt yuv420p -fps_mode passthrough"
            ),
        );
        assert!(made == want, "{graph}: {} frames, ffmpeg has {}", made.len(), want.len());
    }
}

#[test]
fn frame_rates_give_as_many_frames_as_ffmpeg_at_every_length() {
    let lab = Lab::new();
    for rate in ["25", "30000/1001", "12.5"] {
        for (count, name) in [(1, "in.mp4"), (3, "in.mkv"), (10, "in.mp4"), (26, "in.mkv")] {
            let input =
                format!("-f lavfi -i testsrc2=s=64x36:r={rate} -frames:v {count} -c:v libx264 -preset ultrafast");
            let path = lab.make(name, &input);
            for fps in ["1", "10", "29.97", "60"] {
                let graph = format!("fps={fps}");
                let made = frames(&whole(&lab, &path, Some(&graph), "yuv420p"));
                let want = sums(&path, &format!("-vf {graph} -fps_mode passthrough"));
                // Of what is shorter than half a frame, ffmpeg makes a file without any.
                let is_one = want.is_empty() && made.len() == 1;
                assert!(made == want || is_one, "{count} frames of {rate} at {fps}: {} and {}", made.len(), want.len());
            }
        }
    }
}

#[test]
fn pictures_are_stood_upright_as_ffmpeg_does_it() {
    let lab = Lab::new();
    let plain = lab.make("plain.mp4", "-f lavfi -i testsrc2=d=0.2:s=64x36:r=25 -c:v libx264 -preset ultrafast");
    let one = 1 << 16;
    for (a, b, c, d) in [
        (one, 0, 0, one),
        (0, one, -one, 0),
        (-one, 0, 0, -one),
        (0, -one, one, 0),
        (-one, 0, 0, one),
        (one, 0, 0, -one),
        (0, one, one, 0),
        (0, -one, -one, 0),
        (56756, 32768, -32768, 56756),
    ] {
        let turned = lab.write("turned.mp4", &with_matrix(&std::fs::read(&plain).unwrap(), [a, b, c, d]));
        let made = frames(&whole(&lab, &turned, None, "yuv420p"));
        let want = sums(&turned, "-pix_fmt yuv420p -fps_mode passthrough");
        assert!(made == want && !made.is_empty(), "{a} {b} {c} {d}");
        // A copy is turned by the player: it keeps the matrix.
        let mut media = open(&turned);
        let spec = spec(&media, "mp4", VideoSpec::Copy, SoundSpec::None);
        let copy = lab.write("copy.mp4", &make(&mut media, &spec).unwrap().bytes.to_vec());
        assert!(sums(&copy, "-fps_mode passthrough") == sums(&turned, "-fps_mode passthrough"), "{a} {b} {c} {d}");
    }
}

/// The file with another matrix in its track's header.
fn with_matrix(file: &[u8], [a, b, c, d]: [i32; 4]) -> Vec<u8> {
    let mut file = file.to_vec();
    let at = file.windows(4).position(|window| window == b"tkhd").unwrap() + 4 + 40;
    for (n, value) in [a, b, 0, c, d, 0, 0, 0, 1 << 30].into_iter().enumerate() {
        file[at + n * 4..at + n * 4 + 4].copy_from_slice(&value.to_be_bytes());
    }
    file
}

#[test]
fn a_copy_of_everything_is_ffmpegs_copy() {
    let lab = Lab::new();
    for (name, extension) in [("bigbuckbunny.mp4", "mp4"), ("bikes.mp4", "mkv"), ("bigbuckbunny.mp4", "ts")] {
        let path = footage(name);
        let mut media = open(&path);
        let spec = spec(&media, extension, VideoSpec::Copy, SoundSpec::Copy);
        let first = make(&mut media, &spec).unwrap();
        assert_eq!(first.bytes, make(&mut media, &spec).unwrap().bytes, "{name}: not the same bytes again");
        let made = lab.write(&format!("made.{extension}"), &first.bytes.to_vec());
        let want = lab.make(&format!("want.{extension}"), &format!("-i {} -c copy", path.display()));
        let packets = |path: &Path| {
            let packets = "-show_packets -show_data_hash md5 -show_entries packet=stream_index,pts,dts,flags,data_hash";
            let mut packets = ffprobe(path, packets)["packets"].as_array().unwrap().clone();
            packets.sort_by_key(|packet| (packet["stream_index"].as_i64(), packet["dts"].as_i64()));
            for packet in &mut packets {
                // An identifier of the transport stream, on some packets.
                packet.as_object_mut().unwrap().remove("side_data_list");
            }
            // The ffmpeg program begins TS files at second 1.4; here they begin at 0.
            let first = if extension == "ts" { packets[0]["dts"].as_i64().unwrap() } else { 0 };
            for packet in packets.iter_mut().filter(|_| first != 0) {
                for key in ["pts", "dts"] {
                    packet[key] = (packet[key].as_i64().unwrap() - first).into();
                }
            }
            packets
        };
        let (got, wanted) = (packets(&made), packets(&want));
        let first = got.iter().zip(&wanted).find(|(got, want)| got != want);
        assert!(got.len() == wanted.len() && first.is_none(), "{name} as {extension}: {first:?}");
        assert_eq!(frames(&made), frames(&path), "{name}");
    }
}

#[test]
fn files_begin_at_zero_and_mp4_has_its_index_first() {
    let lab = Lab::new();
    let path = lab.make("in.mkv", "-f lavfi -i testsrc2=d=1:s=64x36:r=25 -c:v libx264 -preset fast -bf 3");
    for extension in ["mp4", "mov", "mkv", "ts"] {
        let mut media = open(&path);
        let spec = spec(&media, extension, VideoSpec::Copy, SoundSpec::None);
        let made = lab.write(&format!("made.{extension}"), &make(&mut media, &spec).unwrap().bytes.to_vec());
        let probed = ffprobe(&made, "-show_format -show_streams");
        let start: f64 = probed["format"]["start_time"].as_str().unwrap().parse().unwrap();
        let first = times(&made, "pts_time")[0];
        assert_eq!(first, start, "{extension}");
        assert!(extension == "ts" || first == 0.0, "{extension} begins at {first}");
        if ["mp4", "mov"].contains(&extension) {
            let bytes = std::fs::read(&made).unwrap();
            let at = |kind: &[u8]| bytes.windows(4).position(|window| window == kind);
            assert!(at(b"moov") < at(b"mdat"), "{extension}");
        }
        assert_eq!(frames(&made), frames(&path), "{extension}");
        assert_eq!(complaints(&made), "", "{extension}");
    }
}

#[test]
fn odd_sizes_deep_colours_and_single_frames() {
    let lab = Lab::new();
    for (name, source, options) in [
        ("odd.mkv", "testsrc2=d=0.4:s=66x38:r=25,format=yuv444p,crop=65:37", "-c:v ffv1 -pix_fmt yuv444p"),
        ("deep.mkv", "testsrc2=d=0.4:s=64x36:r=25", "-c:v ffv1 -pix_fmt yuv420p10le"),
        ("one.mp4", "testsrc2=s=64x36:r=25", "-frames:v 1 -c:v libx264 -preset ultrafast"),
        (
            "hdr.mp4",
            "testsrc2=d=0.4:s=64x36:r=25",
            "-c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -x265-params log-level=none",
        ),
    ] {
        let path = lab.make(name, &format!("-f lavfi -i {source} {options}"));
        let made = whole(&lab, &path, None, "yuv420p");
        let even = "-vf crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0 -sws_flags bicubic -pix_fmt yuv420p -fps_mode passthrough";
        assert_eq!(frames(&made), sums(&path, even), "{name}");
        let colours = |path: &Path| {
            let stream = ffprobe(path, "-show_streams")["streams"][0].clone();
            ["color_space", "color_transfer", "color_primaries"].map(|key| stream[key].clone())
        };
        assert_eq!(colours(&made), colours(&path), "{name}");
        // The formats that encoders take otherwise.
        let mut media = open(&path);
        for (extension, codec) in
            [("mp4", Encoding::default().video("mp4")), ("webm", Encoding::default().video("webm"))]
        {
            let spec = spec(&media, extension, encode(None, codec), SoundSpec::None);
            let file = make(&mut media, &spec).unwrap();
            let file = lab.write(&format!("small.{extension}"), &file.bytes.to_vec());
            assert_eq!(frames(&file).len(), frames(&path).len(), "{name} as {extension}");
            assert_eq!(complaints(&file), "", "{name} as {extension}");
        }
    }
}

#[test]
fn a_change_of_size_keeps_the_first_one() {
    let lab = Lab::new();
    let part = |name, size, format| {
        let arguments =
            format!("-f lavfi -i testsrc2=d=0.4:s={size}:r=25 -c:v libx264 -preset ultrafast -pix_fmt {format}");
        std::fs::read(lab.make(name, &arguments)).unwrap()
    };
    let both = [part("a.ts", "64x36", "yuv420p"), part("b.ts", "96x54", "yuvj420p")].concat();
    let path = lab.write("both.ts", &both);
    let mut media = open(&path);
    let spec = spec(&media, "mp4", encode(None, x264(&[("preset", "ultrafast")])), SoundSpec::None);
    let file = make(&mut media, &spec).unwrap();
    let video = file.video.unwrap();
    assert_eq!((video.width, video.height), (64, 36));
    let made = lab.write("made.mp4", &file.bytes.to_vec());
    // The second part starts at the first one's time: it is shown behind it.
    assert_eq!((frames(&made).len(), video.packets), (20, 20));
    let times = times(&made, "pts_time");
    assert!(times.is_sorted() && (times[19] - 0.76).abs() < 1e-3, "{times:?}");
    assert_eq!(complaints(&made), "");
}

#[test]
fn frames_last_until_the_next_one() {
    let lab = Lab::new();
    let vary = "-f lavfi -i testsrc2=d=2:s=64x36:r=25 -vf select=not(mod(n\\,7))+not(mod(n\\,5)) -fps_mode vfr";
    let path = lab.make("vary.mp4", &format!("{vary} -c:v libx264 -preset fast"));
    let source = times(&path, "pts_time");
    let end: f64 = ffprobe(&path, "-show_streams")["streams"][0]["duration"].as_str().unwrap().parse().unwrap();
    for (extension, preset) in [("mp4", "fast"), ("mkv", "fast"), ("mp4", "ultrafast")] {
        let mut media = open(&path);
        let codec = x264(&[("preset", preset), ("tune", if preset == "fast" { "film" } else { "zerolatency" })]);
        let spec = spec(&media, extension, encode(None, codec), SoundSpec::None);
        let file = make(&mut media, &spec).unwrap();
        let video = file.video.unwrap();
        assert!((video.end - end).abs() < 1e-3, "{extension}: ends at {}, not {end}", video.end);
        let made = lab.write(&format!("made.{extension}"), &file.bytes.to_vec());
        assert_eq!(shift(&times(&made, "pts_time"), 0.0), shift(&source, 0.0), "{extension}");
        let length: f64 = ffprobe(&made, "-show_format")["format"]["duration"].as_str().unwrap().parse().unwrap();
        assert!((length - end).abs() < 2e-3, "{extension}: {length} s long, not {end}");
    }
}

#[test]
fn what_an_encoder_cannot_take_is_told() {
    let path = footage("carphone_pristine.mp4");
    let mut media = open(&path);
    let mut told = |codec: VideoCodec| {
        let spec = spec(&media, "mp4", encode(None, codec), SoundSpec::None);
        make(&mut media, &spec).unwrap_err().to_string()
    };
    assert!(told(x264(&[("presett", "fast")])).contains("option `presett`: there is no such option"));
    assert!(told(x264(&[("preset", "fa\0st")])).contains("option `preset`: its value holds a zero byte"));
    assert!(told(x264(&[("pre\0set", "fast")])).contains("option `pre\\0set`: its name holds a zero byte"));
    assert!(told(x264(&[("x264-params", "bframez=2")])).contains("option `x264-params`"));
    assert!(told(x264(&[("preset", "hurried")])).contains("hurried"));
    assert!(told(VideoCodec { encoder: "libx\x00264".into(), ..x264(&[]) }).contains("no encoder"));
    let graph = encode(Some("scale=64\0"), x264(&[]));
    let error =
        make(&mut media, &ClipSpec { video: graph, ..spec(&open(&path), "mp4", VideoSpec::None, SoundSpec::None) });
    assert!(error.is_err());
}

#[test]
fn tags_that_the_container_knows_are_kept() {
    let lab = Lab::new();
    for tag in ["hvc1", "hev1"] {
        let input =
            "-f lavfi -i testsrc2=d=0.2:s=64x36:r=25 -c:v libx265 -preset ultrafast -x265-params log-level=none";
        let path = lab.make("in.mp4", &format!("{input} -tag:v {tag}"));
        for extension in ["mp4", "mov", "mkv", "ts"] {
            let mut media = open(&path);
            let spec = spec(&media, extension, VideoSpec::Copy, SoundSpec::None);
            let made = lab.write(&format!("made.{extension}"), &make(&mut media, &spec).unwrap().bytes.to_vec());
            let want = lab.make(&format!("want.{extension}"), &format!("-i {} -c copy", path.display()));
            let of = |path: &Path| ffprobe(path, "-show_streams")["streams"][0]["codec_tag_string"].clone();
            assert_eq!(of(&made), of(&want), "{extension}");
            assert!(extension != "mp4" || of(&made) == tag);
            assert_eq!(frames(&made), frames(&path));
        }
    }
}
