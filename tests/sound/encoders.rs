//! What the section `encoding` asks for is tried once, before a job fetches or writes anything.

use crate::common::job::Ended;
use crate::jobs::Lab;

const EXACT: &str = "{ResolutionSubsampler: {args: {video_size: 64, resize_mode: scale}}}";

/// Runs a job with these options to a usage error that says this.
#[track_caller]
fn refused(lab: &Lab, subsampling: &str, options: &[&str], words: &[&str]) {
    let table = lab.table(&["a.mp4"]);
    let ended = Ended::of(lab.command(&table, subsampling, "out", options).output().unwrap()).expect(2);
    for word in words {
        assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
    }
    let left: Vec<_> = walk(&lab.path("out"));
    assert!(left.iter().all(|path| path.contains("logs")), "{left:?}");
}

/// All files of a folder.
fn walk(folder: &std::path::Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let all = paths.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path.display().to_string()] });
    all.collect()
}

#[test]
fn a_typo_ends_the_job_before_it_begins() {
    let lab = Lab::new();
    // Not looked at: no sample is touched.
    lab.write("a.mp4", b"");
    refused(&lab, EXACT, &["encoding.video_encoder=libx246"], &["no encoder `libx246`"]);
    refused(&lab, EXACT, &["encoding.preset=mediun"], &["mediun"]);
    refused(&lab, EXACT, &["encoding.video_options={crff: '3'}"], &["`crff`", "no such option", "ffmpeg -h encoder"]);
    refused(&lab, EXACT, &["encoding.video_options={x264-params: 'nothing=1'}"], &["x264-params"]);
    refused(&lab, EXACT, &["encoding.pixel_format=yuv42p"], &["yuv42p"]);
    let sound = "{AudioRateSubsampler: {args: {sample_rate: 16000}}}";
    refused(&lab, sound, &["encoding.audio_encoder=libmp4lame"], &["no encoder `libmp4lame`"]);
    refused(&lab, "{}", &["encode_formats={video: mp4, audio: mp5}"], &["`.mp5`"]);
    refused(&lab, "{}", &["encode_formats={audio: mp3}", "encoding.audio_encoder=libopus"], &["`.mp3`"]);
    refused(&lab, EXACT, &["encode_formats={video: webm}", "encoding.video_encoder=libx264"], &["`.webm`"]);
}

#[test]
fn what_works_is_no_obstacle() {
    let lab = Lab::new();
    lab.make("a.mp4", "-f lavfi -i testsrc2=d=1:s=96x64:r=25 -f lavfi -i sine=d=1:r=48000 -c:a aac");
    let table = lab.table(&["a.mp4"]);
    for options in [
        &["encode_formats={video: webm, audio: opus}"][..],
        &["encode_formats={video: mkv}", "encoding.video_encoder=ffv1", "encoding.pixel_format=yuv444p"],
        &["encoding.preset=veryfast", "encoding.crf=30", "encoding.audio_bit_rate=96000"],
        &["encode_formats={video: mp4, audio: wav}", "encoding.audio_encoder=pcm_s24le"],
    ] {
        let made = lab.run(&table, EXACT, options);
        assert_eq!(made["00000000"].meta["status"], "success", "{options:?}: {:?}", made["00000000"].meta);
    }
}
