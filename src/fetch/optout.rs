//! Owners who opted out: `X-Robots-Tag` and the TDM Reservation Protocol.

use reqwest::header::HeaderMap;

/// Directives that withdraw a resource from collections like ours.
const REFUSALS: [&str; 5] = ["noai", "noimageai", "noindex", "noimageindex", "none"];

/// Directives with a value, which look like `agent: directive`.
const WITH_VALUE: [&str; 4] = ["unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"];

const OUR_AGENT: &str = "clipmill";

/// The header by which the owner of this response opted out, as text for the failure message.
///
/// Understands several headers, lists, any letter case, and agent scopes (`X-Robots-Tag: clipmill: noai`): a scope holds
/// for the rest of its header, and other agents' scopes do not concern us. `TDM-Reservation: 1` (W3C TDMRep) counts too.
pub(super) fn opted_out(headers: &HeaderMap) -> Option<String> {
    let robots = headers.get_all("x-robots-tag").iter();
    if let Some(directive) = robots.filter_map(|value| refusal(&String::from_utf8_lossy(value.as_bytes()))).next() {
        return Some(format!("X-Robots-Tag: {directive}"));
    }
    let reserved = headers.get_all("tdm-reservation").iter().any(|value| value.as_bytes().trim_ascii() == b"1");
    reserved.then(|| "TDM-Reservation: 1".to_owned())
}

fn refusal(value: &str) -> Option<&'static str> {
    let mut ours = true;
    for item in value.split(',').map(str::trim) {
        let mut directive = item;
        if let Some((before, after)) = item.split_once(':') {
            let before = before.trim_end();
            // A time of day in `unavailable_after` has a colon too, after a space.
            if WITH_VALUE.iter().any(|known| known.eq_ignore_ascii_case(before)) || before.contains(' ') {
                continue;
            }
            ours = before.eq_ignore_ascii_case(OUR_AGENT);
            directive = after.trim();
        }
        if let Some(found) = REFUSALS.into_iter().find(|refusal| ours && refusal.eq_ignore_ascii_case(directive)) {
            return Some(found);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderName;

    fn verdict(headers: &[(&'static str, &str)]) -> Option<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        opted_out(&map)
    }

    #[test]
    fn refusals_in_every_form() {
        for value in [
            "noai",
            "NoAI",
            "noimageai",
            "noindex",
            "noimageindex",
            "none",
            "nofollow, noai",
            "nofollow,NOINDEX",
            "clipmill: noai",
            "Clipmill:noai",
            "clipmill: nofollow, noai",
            "otherbot: nofollow, clipmill: noindex",
            "unavailable_after: 25 Jun 2030 15:00:00 PST, noai",
            "max-snippet: 5, noai",
            " noai ",
        ] {
            assert!(verdict(&[("x-robots-tag", value)]).is_some(), "{value}");
        }
        assert_eq!(verdict(&[("x-robots-tag", "all"), ("x-robots-tag", "noAI")]), Some("X-Robots-Tag: noai".into()));
        assert_eq!(verdict(&[("tdm-reservation", "1")]), Some("TDM-Reservation: 1".into()));
    }

    #[test]
    fn what_does_not_concern_us() {
        for value in [
            "",
            "all",
            "nofollow",
            "noarchive",
            "googlebot: noai",
            "otherbot: nofollow, noindex",
            "noaireally",
            "max-image-preview: none",
            "unavailable_after: 25 Jun 2030 15:00:00 PST",
            "clipmill: nofollow",
        ] {
            assert_eq!(verdict(&[("x-robots-tag", value)]), None, "{value}");
        }
        assert_eq!(verdict(&[("tdm-reservation", "0")]), None);
        assert_eq!(verdict(&[]), None);
    }
}
