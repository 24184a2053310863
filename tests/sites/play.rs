//! A site with formats, subtitles and troubles, through a plugin of yt-dlp's.

use serde_json::{Value, json};

use crate::job::assert_same;
use crate::lab::{Lab, Sample, footage, site};

fn lab(urls: &[String]) -> Lab {
    Lab::new(urls).option("reading.yt_args.hosts=[127.0.0.1]")
}

fn line(start: &str, end: &str, text: &str) -> Value {
    json!({"start": start, "end": end, "lines": [text]})
}

#[test]
fn one_run_brings_video_sound_description_and_subtitles() {
    let site = site();
    let lab = lab(&[site.url("/play/two")])
        .option("job.encode_formats={video: mp4, audio: m4a}")
        .option("reading.yt_args.yt_metadata_args={writesubtitles: all, subtitleslangs: [en, de], get_info: true}");
    let sample = lab.one();
    assert_eq!(sample.media["mp4"], footage("bikes.mp4"), "the smallest of at least 360 rows");
    assert!(sample.media["m4a"].len() > 50_000);
    let meta = &sample.json["yt_meta_dict"];
    let english = [line("00:00:01.000", "00:00:03.000", "a street"), line("00:00:04.000", "00:00:06.500", "two bikes")];
    assert_eq!(meta["subtitles"], json!({"en": english, "de": [line("00:00:01.000", "00:00:03.000", "eine Strasse")]}));
    let info = meta["info"].as_object().unwrap();
    assert_eq!((&info["title"], &info["uploader"]), (&json!("The video two"), &json!("somebody")));
    for name in ["url", "formats", "subtitles", "filepath", "epoch", "requested_subtitles", "automatic_captions"] {
        assert!(!info.contains_key(name), "{name}");
    }
    let asked = |path: &str| site.requests().iter().filter(|request| request.target == path).count();
    for path in ["/about/two.json", "/files/right.mp4", "/files/sound.m4a", "/subtitles/en.vtt", "/subtitles/de.vtt"] {
        assert_eq!(asked(path), 1, "{path}");
    }
}

#[test]
fn the_same_site_makes_the_same_bytes() {
    let site = site();
    let lab = || lab(&["two", "auto", "removed"].map(|video| site.url(&format!("/play/{video}"))));
    let (one, two) = (lab(), lab());
    assert_eq!((one.samples().len(), two.samples().len()), (3, 3));
    assert_same(&one.job.snapshot(), &two.job.snapshot());
}

#[test]
fn the_config_decides_what_comes() {
    let site = site();
    let url = [site.url("/play/two")];
    let sound =
        lab(&url).option("job.encode_formats={audio: m4a}").option("reading.yt_args.yt_metadata_args=null").one();
    assert_eq!(sound.media.keys().collect::<Vec<_>>(), ["m4a"]);
    assert_eq!(sound.json["yt_meta_dict"], json!(null));
    let small = lab(&url).option("reading.yt_args.download_size=100").one();
    assert_eq!(small.media["mp4"], footage("carphone_pristine.mp4"));
    let chosen = lab(&url)
        .option("reading.yt_args.format=right")
        .option("reading.yt_args.yt_metadata_args={writesubtitles: first, subtitleslangs: [de, en], get_info: false}");
    let chosen = chosen.one();
    assert_eq!(chosen.media["mp4"], footage("bikes.mp4"));
    let meta = &chosen.json["yt_meta_dict"];
    assert!(meta["info"].is_null());
    assert_eq!(meta["subtitles"], json!({"de": [line("00:00:01.000", "00:00:03.000", "eine Strasse")]}));
    assert!(site.requests().iter().all(|request| request.target != "/subtitles/en.json"));
}

#[test]
#[cfg(feature = "media")]
fn lines_of_the_subtitles_become_clips() {
    let site = site();
    let samples = lab(&["two", "nosubs"].map(|video| site.url(&format!("/play/{video}"))))
        .option("caption_col=null")
        .option("storage.captions_are_subtitles=true")
        .option("reading.retries=0")
        .option("subsampling={ClippingSubsampler: {args: {precision: exact}}}")
        .samples();
    let clip = |key: &str| samples.get(key).unwrap_or_else(|| panic!("{samples:?}"));
    assert_eq!(
        (clip("000000_00000").text.as_deref(), clip("000000_00001").text.as_deref()),
        (Some("a street"), Some("two bikes"))
    );
    assert_eq!(clip("000000_00001").json["clips"], json!([["00:00:04.000", "00:00:06.500"]]));
    assert!(clip("000000_00000").media["mp4"].len() > 10_000);
    // Worth nothing without them, and the site may give them later.
    assert_eq!(clip("000001").json["error_class"], "rate_limited");
}

#[test]
fn troubles_have_classes_and_the_same_words_for_every_video() {
    let site = site();
    let videos = ["wall", "geo", "removed", "bot", "list", "broken", "live", "gone", "html", "limited", "nosubs"];
    let urls = videos.map(|video| site.url(&format!("/play/{video}")));
    let samples = lab(&urls).option("storage.number_sample_per_shard=20").samples();
    let of = |name: &str| -> &Sample {
        let n = videos.iter().position(|video| *video == name).unwrap();
        samples.values().nth(n).unwrap()
    };
    of("removed")
        .failed("video_unavailable", "yt-dlp: [play] Video unavailable. This video has been removed by the uploader");
    of("wall").failed("login_required", "yt-dlp: [play] This video is for members only");
    of("bot").failed("blocked", "yt-dlp: [play] Sign in to confirm you’re not a bot");
    assert_eq!(of("geo").json["error_class"], "geo_blocked");
    of("list").failed("unsupported_url", "the page has several videos: name one");
    of("live").failed("video_unavailable", "the site shows a live stream, which has no end");
    of("broken").failed("site_error", "yt-dlp: [play] Unable to extract title");
    of("gone").failed("http_404", "yt-dlp: unable to download video data: HTTP Error 404: Not Found");
    assert_eq!(of("html").json["error_class"], "not_media");
    // Twice refused, then served.
    assert_eq!(of("limited").json["status"], "success");
    let asked = site.requests().iter().filter(|request| request.target == "/about/limited.json").count();
    assert_eq!(asked, 3);
    // The media is worth as much without its subtitles.
    assert_eq!(of("nosubs").json["status"], "success");
    assert_eq!(of("nosubs").json["yt_meta_dict"]["subtitles"]["en"], json!({"problem": "the site did not give them"}));
}
