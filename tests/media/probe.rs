//! `probe` is what ffprobe prints.

use std::path::Path;

use serde_json::Value;

use crate::lab::{Lab, PICTURE, TONE, ffprobe, footage, open};

/// Compared as text: the keys' order and the numbers' types count, too.
fn assert_as_ffprobe(path: &Path) {
    let mut want = ffprobe(path, "-show_format -show_streams");
    want["format"].as_object_mut().unwrap().shift_remove("filename").expect("ffprobe prints a name");
    let mut got = open(path).probe(false).unwrap();
    // Known difference: FFmpeg estimates the bit rate of AAC in a transport stream from the packets that it looked at,
    // and looks at others here.
    if path.extension().is_some_and(|extension| extension == "ts") {
        for value in [&mut want, &mut got] {
            for stream in value["streams"].as_array_mut().unwrap() {
                if stream["codec_type"] == "audio" {
                    stream.as_object_mut().unwrap().shift_remove("bit_rate");
                }
            }
        }
    }
    for part in ["streams", "format"] {
        let pretty = |value: &Value| serde_json::to_string_pretty(&value[part]).unwrap();
        assert_eq!(pretty(&got), pretty(&want), "{part} of {}", path.display());
    }
    assert!(got.as_object().unwrap().keys().eq(["streams", "format"]), "{:?}", got.as_object().unwrap().keys());
}

#[test]
fn real_footage_is_described_as_ffprobe_does() {
    for name in ["bikes.mp4", "bigbuckbunny.mp4", "carphone_pristine.mp4"] {
        assert_as_ffprobe(&footage(name));
    }
}

#[test]
fn every_container_is_described_as_ffprobe_does() {
    let lab = Lab::new();
    let h264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";
    let cases = [
        ("h264.mp4", format!("{PICTURE} {TONE} {h264} -c:a aac -metadata title=Größe")),
        ("fragments.mp4", format!("{PICTURE} {h264} -movflags frag_keyframe+empty_moov")),
        ("faststart.mp4", format!("{PICTURE} {TONE} {h264} -bf 2 -c:a aac -movflags +faststart")),
        ("vp9.mkv", format!("{PICTURE} {TONE} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus")),
        ("vp8.webm", format!("{PICTURE} {TONE} -c:v libvpx -deadline realtime -cpu-used 8 -c:a libvorbis")),
        ("mpeg4.avi", format!("{PICTURE} {TONE} -c:v mpeg4 -bf 2 -c:a libmp3lame")),
        (
            "hevc10.mp4",
            format!(
                "{PICTURE} -c:v libx265 -preset ultrafast -x265-params log-level=none -pix_fmt yuv420p10le -tag:v hvc1"
            ),
        ),
        (
            "hdr.mkv",
            format!(
                "{PICTURE} -c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -x265-params log-level=none:hdr10=1:max-cll=1000,400:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
            ),
        ),
        ("stream.ts", format!("{PICTURE} {TONE} {h264} -c:a aac")),
        ("mpeg2.ts", format!("{PICTURE} {TONE} -c:v mpeg2video -b:v 1M -maxrate 1M -bufsize 2M -c:a mp2")),
        ("video.flv", format!("{PICTURE} {TONE} {h264} -c:a aac -ar 44100")),
        ("audio.m4a", format!("{TONE} -c:a aac")),
        ("audio.mp3", format!("{TONE} -c:a libmp3lame -metadata artist=x")),
        ("audio.wav", TONE.to_owned()),
        ("audio.flac", TONE.to_owned()),
        ("surround.mkv", "-f lavfi -i anullsrc=channel_layout=5.1:sample_rate=48000 -t 1 -c:a ac3".to_owned()),
        ("moving.gif", "-f lavfi -i testsrc2=d=1:s=64x48:r=10".to_owned()),
        ("interlaced.mkv", format!("{PICTURE} -c:v mpeg2video -flags +ilme+ildct -top 1")),
        ("wide.mkv", format!("{PICTURE} {h264} -aspect 2.35")),
    ];
    for (name, arguments) in cases {
        assert_as_ffprobe(&lab.make(name, &arguments));
    }
}

/// Of H.264 in MP4 no picture is decoded where the header tells all; what x264 can be made to write into it.
#[test]
fn what_the_headers_of_h264_tell_is_what_decoders_find() {
    let lab = Lab::new();
    let kinds = [
        "",
        "-bf 0",
        "-bf 4 -x264-params b-pyramid=normal:ref=5",
        "-profile:v baseline",
        "-vf setsar=4/3",
        "-vf setsar=128/117",
        "-x264-params colorprim=bt709:transfer=bt709:colormatrix=bt709",
        "-x264-params colorprim=smpte170m:transfer=smpte170m:colormatrix=smpte170m:range=tv",
        "-x264-params colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc",
        "-x264-params colormatrix=GBR",
        "-x264-params range=pc",
        "-x264-params chromaloc=2",
        "-x264-params videoformat=pal",
        "-x264-params interlaced=1",
        "-x264-params fake-interlaced=1",
        "-x264-params nal-hrd=vbr:vbv-maxrate=500:vbv-bufsize=500",
        "-pix_fmt yuv422p",
        "-pix_fmt yuv420p10le",
        "-pix_fmt yuvj420p",
        "-pix_fmt gray",
        "-s 100x58",
        "-bsf:v h264_metadata=crop_left=2:crop_top=4",
    ];
    for (n, kind) in kinds.iter().enumerate() {
        for extension in ["mp4", "mov", "mkv"] {
            let name = format!("{n}.{extension}");
            let format = if kind.contains("pix_fmt") { "" } else { "-pix_fmt yuv420p" };
            lab.make(&name, &format!("-f lavfi -i testsrc2=d=1:s=96x64:r=25 {format} -c:v libx264 {kind}"));
            assert_as_ffprobe(&lab.path(&name));
        }
    }
}

#[test]
fn rotation_subtitles_and_cover_art_are_described_as_ffprobe_does() {
    let lab = Lab::new();
    lab.make("plain.mov", &format!("{PICTURE} {TONE} -c:v libx264 -preset ultrafast -c:a aac"));
    for angle in [90, 180, -90] {
        let path = lab.make("rotated.mov", &format!("-i plain.mov -c copy -metadata:s:v:0 rotate={angle}"));
        assert_as_ffprobe(&path);
        let want = ffprobe(&path, "-show_streams")["streams"][0]["side_data_list"][0]["rotation"].as_i64().unwrap();
        let got = open(&path).video().unwrap().rotation;
        assert_eq!(i64::from(got), (-want).rem_euclid(360), "{angle}");
    }
    lab.write("lines.srt", b"1\n00:00:00,500 --> 00:00:01,500\nline\n");
    assert_as_ffprobe(&lab.make("subtitles.mkv", "-i plain.mov -i lines.srt -map 0 -map 1 -c copy -c:s srt"));
    lab.make("cover.png", "-f lavfi -i testsrc=s=64x64 -frames:v 1");
    lab.make("tone.mp3", TONE);
    let art = lab.make("art.mp3", "-i tone.mp3 -i cover.png -map 0 -map 1 -c copy -disposition:v attached_pic");
    assert_as_ffprobe(&art);
    assert!(matches!(open(&art).video(), Err(clipmill::media::MediaError::NoVideo)), "cover art is no video");
    assert_eq!(open(&art).audio().unwrap(), 0);
}

#[test]
fn keyframes_and_duration_are_listed_and_nothing_else_is_lost() {
    let lab = Lab::new();
    let video = "-c:v libx264 -preset ultrafast -g 10 -bf 2";
    for name in ["a.mp4", "a.mkv", "a.ts", "a.avi"] {
        let path = lab.make(name, &format!("{PICTURE} {TONE} {video}"));
        let mut want = keyframes_of(&path);
        assert!(want.len() >= 5, "{want:?}");
        let format = ffprobe(&path, "-show_format");
        want.push(format["format"]["duration"].as_str().unwrap().parse().unwrap());
        let mut media = open(&path);
        let got = media.probe(true).unwrap();
        let times: Vec<f64> = serde_json::from_value(got["keyframe_timestamps"].clone()).unwrap();
        assert_eq!(times, want, "{name}");
        assert_eq!(got["streams"].as_array().unwrap().len(), 2);
        // Reading the packets must not change what is said afterwards.
        assert_eq!(media.probe(true).unwrap(), got);
    }
}

fn keyframes_of(path: &Path) -> Vec<f64> {
    let packets = ffprobe(path, "-select_streams v:0 -show_packets");
    let all = packets["packets"].as_array().unwrap();
    let keys = all.iter().filter(|packet| packet["flags"].as_str().unwrap().starts_with('K'));
    // AVI has no presentation times.
    let time = |packet: &Value| packet["pts_time"].as_str().or(packet["dts_time"].as_str()).unwrap().parse().unwrap();
    keys.map(time).collect()
}

#[test]
fn the_packet_index_is_ffprobes() {
    let lab = Lab::new();
    for name in ["a.mp4", "a.mkv", "a.ts", "a.avi"] {
        let path = lab.make(name, &format!("{PICTURE} {TONE} -c:v mpeg4 -bf 2 -g 12"));
        let want = ffprobe(&path, "-select_streams v:0 -show_packets");
        let mut media = open(&path);
        let got = media.packets(media.video().unwrap().stream).unwrap();
        let want = want["packets"].as_array().unwrap();
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(want) {
            assert_eq!(got.pts, want.get("pts").and_then(Value::as_i64), "{name}");
            assert_eq!(got.dts, want.get("dts").and_then(Value::as_i64), "{name}");
            assert_eq!(got.size.to_string(), want["size"].as_str().unwrap());
            assert_eq!(got.position.map(|at| at.to_string()).as_deref(), want.get("pos").and_then(Value::as_str));
            assert_eq!(got.is_key, want["flags"].as_str().unwrap().starts_with('K'));
        }
    }
}
