//! What encode_formats asks for: members by extension, sound at the rate that was asked for.

use crate::lab::{Lab, ffprobe};

const RATE: &str = "{AudioRateSubsampler: {args: {sample_rate: 16000, n_audio_channels: 1}}}";

fn source(lab: &Lab) {
    let input = "-f lavfi -i testsrc2=d=2:s=96x64:r=25 -f lavfi -i sine=d=2:r=44100";
    lab.make("a.mp4", &format!("{input} -c:v libx264 -preset ultrafast -c:a aac -ac 2"));
}

#[test]
fn sound_at_another_rate_in_every_format() {
    let lab = Lab::new();
    source(&lab);
    let table = lab.table(&["a.mp4"]);
    for (extension, codec, rate) in [
        ("mp3", "mp3", "16000"),
        ("m4a", "aac", "16000"),
        ("wav", "pcm_s16le", "16000"),
        ("flac", "flac", "16000"),
        ("opus", "opus", "48000"),
    ] {
        let formats = format!("encode_formats={{audio: {extension}}}");
        let made = lab.run(&table, RATE, &[&formats]);
        let sample = &made["00000000"];
        assert_eq!(sample.members.keys().collect::<Vec<_>>(), [extension,]);
        let found = ffprobe(&lab.member(sample, extension), "-show_streams -show_format");
        let stream = &found["streams"][0];
        assert_eq!([&stream["codec_name"], &stream["sample_rate"]], [codec, rate], "{found}");
        assert_eq!(stream["channels"], 1);
        let seconds: f64 = found["format"]["duration"].as_str().unwrap().parse().unwrap();
        assert!((seconds - 2.0).abs() < 0.15, "{extension}: {seconds} s");
    }
}

#[test]
fn sound_stays_in_the_file_or_gets_its_own() {
    let lab = Lab::new();
    source(&lab);
    let table = lab.table(&["a.mp4"]);
    let small = "{ResolutionSubsampler: {args: {video_size: 48, resize_mode: scale}}}";
    for (formats, expected) in [
        ("{video: mp4, audio: mp4}", &[("mp4", &["video", "audio"][..])][..]),
        ("{video: mp4, audio: m4a}", &[("m4a", &["audio"]), ("mp4", &["video"])]),
        ("{video: mkv, audio: flac}", &[("flac", &["audio"]), ("mkv", &["video"])]),
    ] {
        let made = lab.run(&table, small, &[&format!("encode_formats={formats}")]);
        let sample = &made["00000000"];
        let found: Vec<&str> = sample.members.keys().map(String::as_str).collect();
        assert_eq!(found, expected.iter().map(|(extension, _)| *extension).collect::<Vec<_>>(), "{formats}");
        for (extension, kinds) in expected {
            let streams = ffprobe(&lab.member(sample, extension), "-show_streams")["streams"].clone();
            let found: Vec<_> =
                streams.as_array().unwrap().iter().map(|s| s["codec_type"].as_str().unwrap().to_owned()).collect();
            assert_eq!(found, *kinds, "{formats}");
        }
    }
}

#[test]
fn no_format_is_metadata_alone() {
    let lab = Lab::new();
    source(&lab);
    let made = lab.run(&lab.table(&["a.mp4"]), "{FFProbeSubsampler: {args: {}}}", &["encode_formats={}"]);
    let sample = &made["00000000"];
    assert!(sample.members.is_empty());
    assert_eq!(sample.meta["video_metadata"]["streams"][0]["width"], 96);
}

#[test]
fn sound_in_the_videos_own_file_changes_and_its_pictures_do_not() {
    let lab = Lab::new();
    lab.long();
    let table = lab.table(&["long.mp4"]);
    let made = lab.run(&table, "{AudioRateSubsampler: {args: {sample_rate: 16000, n_audio_channels: 1}}}", &[]);
    let file = lab.member(&made["00000000"], "mp4");
    let shown = |stream: &str, entries: &str| {
        let mut command = std::process::Command::new("ffprobe");
        command.args(["-v", "error", "-select_streams", stream, "-show_entries", entries, "-of", "csv=p=0"]).arg(&file);
        String::from_utf8(command.output().unwrap().stdout).unwrap().trim().to_owned()
    };
    assert_eq!(shown("a:0", "stream=codec_name,sample_rate,channels"), "aac,16000,1");
    assert_eq!(shown("v:0", "stream=codec_name,nb_frames"), "h264,500");
    assert_eq!(made["00000000"].meta["clip"]["cut"], "copied");
}
