//! What a config asks of yt-dlp.

use url::Url;

use super::Config;
use super::validate::Found;

/// Options of yt-dlp's own that video2dataset's users have in their configs, and that are as they are here anyway.
const AS_IT_IS: [&str; 4] = ["skip_download", "ignoreerrors", "quiet", "no_warnings"];

pub(super) fn check(config: &Config, found: &mut Found) {
    let args = &config.reading.yt_args;
    let mut word = |key: &str, text: &str| {
        if text.trim().is_empty() || text.chars().any(char::is_control) {
            let help = "write it on one line, or leave the key out";
            found.add(&format!("reading.yt_args.{key}"), "is empty, or has control characters", help);
        }
    };
    let texts = [("format", &args.format), ("user_agent", &args.user_agent), ("proxy", &args.proxy)];
    for (key, text) in texts {
        text.iter().for_each(|text| word(key, text));
    }
    for (key, path) in [("program", &args.program), ("cookies", &args.cookies), ("cache_dir", &args.cache_dir)] {
        path.iter().for_each(|path| word(key, &path.to_string_lossy()));
    }
    args.hosts.iter().for_each(|host| word("hosts", host));
    args.extractor_args.iter().for_each(|text| word("extractor_args", text));
    for (n, text) in args.extractor_args.iter().enumerate().filter(|(_, text)| !text.contains(':')) {
        let help = "write `EXTRACTOR:KEY=VALUE`, such as `youtube:player_client=web`";
        found.add(&format!("reading.yt_args.extractor_args.{n}"), format!("`{text}` names no extractor"), help);
    }
    for (n, host) in args.hosts.iter().enumerate().filter(|(_, host)| host.contains(['/', ':', '@'])) {
        let help = "write the name alone: `videos.example`; `*` stands for all";
        found.add(&format!("reading.yt_args.hosts.{n}"), format!("`{host}` is no host"), help);
    }
    if let Some(proxy) = &args.proxy {
        let known = ["http", "socks4", "socks4a", "socks5", "socks5h"];
        if !Url::parse(proxy).is_ok_and(|url| known.contains(&url.scheme()) && url.has_host()) {
            let help = "write `http://HOST:PORT` or `socks5://HOST:PORT`";
            found.add("reading.yt_args.proxy", "is no proxy that yt-dlp can be sent through", help);
        }
    }
    languages(config, found);
}

/// video2dataset hands all of `yt_metadata_args` to yt-dlp as it is, which lets a config run any program.
pub(super) fn warnings(config: &Config, found: &mut Found) {
    let Some(metadata) = &config.reading.yt_args.yt_metadata_args else { return };
    for name in metadata.other.keys().filter(|name| !AS_IT_IS.contains(&name.as_str())) {
        let key = format!("reading.yt_args.yt_metadata_args.{name}");
        found.add(
            &key,
            "has no effect: it is not handed to yt-dlp",
            "remove it; other options have keys of reading.yt_args",
        );
    }
}

fn languages(config: &Config, found: &mut Found) {
    let languages = config.reading.yt_args.yt_metadata_args.iter().flat_map(|metadata| &metadata.subtitleslangs);
    for (n, language) in languages.enumerate() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "-_.*+?|[]()^$".contains(c);
        if language.is_empty() || !language.chars().all(is_word) {
            let help = "write a language as the site calls it (`en`, `zh-Hans`), a pattern (`en.*`), or `all`";
            let key = format!("reading.yt_args.yt_metadata_args.subtitleslangs.{n}");
            found.add(&key, format!("`{language}` is no language"), help);
        }
    }
}
