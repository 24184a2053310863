//! Any page, through yt-dlp's generic extractor.

use serde_json::json;

use crate::fault_server::{FaultServer, respond};
use crate::lab::{Lab, footage, site, yt_dlp};

#[test]
fn a_page_with_a_film_becomes_the_film_and_others_stay_pages() {
    let site = site();
    let urls = ["/watch", "/page", "/files/film.mp4", "/noai", "/nowhere"].map(|path| site.url(path));
    let samples = Lab::new(&urls).samples();
    let [film, page, file, noai, nowhere] = [0, 1, 2, 3, 4].map(|n| &samples[&format!("00000{n}")]);
    assert_eq!(film.media["mp4"], footage("bikes.mp4"));
    assert_eq!(film.json["yt_meta_dict"]["info"]["extractor_key"], "HTML5MediaEmbed");
    assert_eq!(film.json["yt_meta_dict"]["info"].get("http_headers"), None);
    assert_eq!((&file.media["mp4"], &file.json["yt_meta_dict"]), (&footage("bikes.mp4"), &json!(null)));
    let host = site.address();
    let words = format!("{host} answered with an HTML page, not media; yt-dlp: Unsupported URL: {host}");
    page.failed("not_media", &words);
    assert_eq!(noai.json["error_class"], "opted_out");
    assert_eq!(nowhere.json["error_class"], "http_404");
}

#[test]
fn without_yt_dlp_a_page_is_a_page_and_a_site_is_an_error_before_any_work() {
    let site = site();
    let lab =
        || Lab::new(&[site.url("/watch"), site.url("/files/film.mp4")]).option("reading.yt_args.program=/no/yt-dlp");
    let samples = lab().samples();
    let words = format!(
        "{} answered with an HTML page, not media; a usable yt-dlp, which may know the site, is not on \
                         this machine",
        site.address()
    );
    samples["000000"].failed("not_media", &words);
    assert!(samples["000001"].media.contains_key("mp4"));
    let refused = lab().option("reading.yt_args.hosts=[127.0.0.1]");
    let stderr = refused.run().expect(2).stderr;
    assert!(stderr.contains("there is no `/no/yt-dlp` on this machine: install it on all nodes"), "{stderr}");
    assert!(!refused.job.output().join("00000_stats.json").exists());
    let off = lab().option("reading.yt_args.hosts=[127.0.0.1]").option("reading.yt_args.program=null");
    let words = format!("{} answered with an HTML page, not media", site.address());
    off.samples()["000000"].failed("not_media", &words);
}

#[test]
fn an_old_or_a_broken_yt_dlp_is_refused_with_what_to_do() {
    let site = site();
    let lab = || Lab::new(&[site.url("/watch")]).option("reading.yt_args.hosts=['*']");
    let stderr = lab().stand_in("2024.03.10", "").run().expect(2).stderr;
    assert!(
        stderr.contains("yt-dlp 2024.03.10, older than 2026.02.21: update it (`pip install -U yt-dlp`)"),
        "{stderr}"
    );
    let stderr = lab().stand_in("hello", "").run().expect(2).stderr;
    assert!(stderr.contains("it says `hello`, which is no version"), "{stderr}");
    let stderr = lab().option("reading.yt_args.cookies=/no/cookies").run().expect(2).stderr;
    assert!(stderr.contains("the cookies for yt-dlp cannot be read"), "{stderr}");
}

#[test]
fn the_page_of_a_private_address_starts_no_process() {
    let site = site();
    let lab = Lab::new(&[site.url("/watch")])
        .option("reading.yt_args.hosts=['*']")
        .stand_in("2026.10.26", "touch \"${0%/*}/started\"\n");
    let lab = lab.option("reading.allow_private_networks=false");
    assert_eq!(lab.one().json["error_class"], "address_refused");
    assert!(!lab.path("started").exists() && site.requests().is_empty());
}

/// The guard is on. A proxy of the environment stands in for the Internet, whose page leads yt-dlp inside.
#[test]
fn a_page_that_leads_inside_is_refused_at_the_gate() {
    let internet = FaultServer::start(|request, stream| match request.target.as_str() {
        "http://8.8.8.8/redirect" => respond(stream, "302 Found", &["Location: http://10.0.0.1/admin"], b""),
        "http://8.8.8.8/watch" => {
            let page = b"<!DOCTYPE html><html><title>A film</title><video src='http://169.254.169.254/film.mp4'></video></html>";
            respond(stream, "200 OK", &["Content-Type: text/html"], page)
        }
        _ => respond(stream, "200 OK", &["Content-Type: video/mp4"], &footage("bikes.mp4")),
    });
    let lab = Lab::new(&["watch", "redirect", "open"].map(|path| format!("http://8.8.8.8/{path}")))
        .option("reading.allow_private_networks=false")
        .option("reading.yt_args.hosts=[8.8.8.8]")
        .option(&format!("reading.yt_args.proxy={}", internet.url("")));
    let samples = lab.samples();
    let refused = |host: &str| {
        format!(
            "{host} is a private, loopback, link-local or otherwise not global address; allow it with \
                 reading.allow_private_networks"
        )
    };
    samples["000000"].failed("address_refused", &refused("169.254.169.254"));
    samples["000001"].failed("address_refused", &refused("10.0.0.1"));
    assert_eq!(samples["000002"].media["mp4"], footage("bikes.mp4"));
    assert!(internet.requests().iter().all(|request| request.target.starts_with("http://8.8.8.8/")));
}

#[test]
fn the_doctor_tells_what_yt_dlp_there_is() {
    let check = |path: &str| {
        let output = crate::job::clipmill().args(["doctor", "--json"]).env("PATH", path).output().unwrap();
        let checks: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
        checks.into_iter().find(|check| check["name"] == "yt-dlp").unwrap()
    };
    let detail = |check: &serde_json::Value| check["detail"].as_str().unwrap().to_owned();
    let none = check("/no/such/folder");
    assert_eq!((&none["level"], none["detail"].as_str().unwrap().contains("not in PATH")), (&json!("ok"), true));
    // The real one: its age depends on the day, its version does not.
    let real = check(yt_dlp().parent().unwrap().to_str().unwrap());
    assert!(detail(&real).starts_with("2026.10.26, "), "{real}");
    for (version, words) in
        [("2024.03.10", "older than 2026.02.21"), ("2026.02.21", "days old"), ("rubbish", "no version")]
    {
        let lab = Lab::new(&[]).stand_in(version, "");
        let old = check(lab.path("").to_str().unwrap());
        assert_eq!((&old["level"], detail(&old).contains(words)), (&json!("warning"), true), "{old}");
        assert!(old["remedy"].as_str().unwrap().contains("pip install -U yt-dlp"), "{old}");
    }
}
