//! Which URLs are a site's pages.

use url::{Host, Url};

/// Sites that are asked for most. Any other page is recognised by what it answers; these spare a request, and refuse
/// who comes without a browser.
const KNOWN: [&str; 24] = [
    "youtube.com",
    "youtu.be",
    "youtube-nocookie.com",
    "vimeo.com",
    "dailymotion.com",
    "dai.ly",
    "tiktok.com",
    "bilibili.com",
    "b23.tv",
    "nicovideo.jp",
    "twitch.tv",
    "facebook.com",
    "fb.watch",
    "instagram.com",
    "twitter.com",
    "x.com",
    "reddit.com",
    "soundcloud.com",
    "rumble.com",
    "odysee.com",
    "vk.com",
    "ok.ru",
    "ted.com",
    "streamable.com",
];

/// Names of files that are fetched as they are, wherever they lie. video2dataset knows the first eight.
const FILES: [&str; 19] = [
    "mp4", "webm", "mov", "avi", "mkv", "mp3", "wav", "m4a", "m4v", "mpg", "mpeg", "ts", "flv", "wmv", "ogv", "ogg",
    "flac", "aac", "3gp",
];

/// How a URL is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::fetch) enum Way {
    /// As a file.
    File,
    /// By yt-dlp.
    Site,
    /// As a file; if a page comes instead, by yt-dlp.
    Either,
}

/// The way of one URL; `hosts` are those of the config.
pub(super) fn way(url: &Url, hosts: &[String]) -> Way {
    let last = url.path().rsplit('/').next().unwrap_or_default();
    let extension = last.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    if extension.is_some_and(|extension| FILES.contains(&extension.as_str())) {
        return Way::File;
    }
    let host = match url.host() {
        Some(Host::Domain(host)) => host.trim_end_matches('.').to_ascii_lowercase(),
        Some(address) => address.to_string(),
        None => return Way::File,
    };
    let within = |known: &str| host.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let listed = |known: &String| known == "*" || within(&known.to_ascii_lowercase());
    if KNOWN.into_iter().any(within) || hosts.iter().any(listed) { Way::Site } else { Way::Either }
}

/// The name by which a site's limits are counted: its short and mobile hosts are the same site.
pub(super) fn courtesy_name(host: &str) -> &str {
    let host = host.trim_end_matches('.');
    match KNOWN.into_iter().find(|known| host.strip_suffix(known).is_some_and(|rest| rest.ends_with('.'))) {
        _ if ["youtu.be", "youtube-nocookie.com"].contains(&host) => "youtube.com",
        Some("youtube-nocookie.com") => "youtube.com",
        Some(known) => known,
        None => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str, hosts: &[&str]) -> Way {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        way(&Url::parse(url).unwrap(), &hosts)
    }

    #[test]
    fn files_sites_and_the_rest() {
        for (url, hosts, want) in [
            ("https://www.youtube.com/watch?v=x", &[][..], Way::Site),
            ("https://YOUTU.BE./x", &[], Way::Site),
            ("https://player.vimeo.com/video/1", &[], Way::Site),
            ("https://notyoutube.com/watch", &[], Way::Either),
            ("https://youtube.com.a.example/watch", &[], Way::Either),
            ("https://cdn.a.example/v.MP4?sig=1", &[], Way::File),
            ("https://cdn.a.example/v.mp4/play", &[], Way::Either),
            ("https://videos.a.example/watch", &["A.example"], Way::Site),
            ("https://b.example/watch", &["a.example"], Way::Either),
            ("https://b.example/watch", &["*"], Way::Site),
            ("https://b.example/watch.m4a", &["*"], Way::File),
            ("http://127.0.0.1:8000/watch", &["127.0.0.1"], Way::Site),
        ] {
            assert_eq!(of(url, hosts), want, "{url} {hosts:?}");
        }
    }

    #[test]
    fn one_site_has_one_name() {
        for host in ["www.youtube.com", "m.youtube.com", "youtube.com", "youtu.be", "www.youtube-nocookie.com"] {
            assert_eq!(courtesy_name(host), "youtube.com");
        }
        assert_eq!(courtesy_name("www.a.example"), "www.a.example");
    }
}
