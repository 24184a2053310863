//! Going on with a broken transfer (RFC 9110, sections 13.1.5 and 14).

use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderValue};

/// What lets a transfer go on: the server serves ranges, and can tell whether the resource is still the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resume {
    /// Value for `If-Range`.
    pub(super) validator: HeaderValue,
    /// Length of the whole body in bytes, if the server told.
    pub(super) total: Option<u64>,
}

impl Resume {
    /// What the headers of a whole response (status 200) allow.
    pub(super) fn offered(headers: &HeaderMap, total: Option<u64>) -> Option<Self> {
        let ranges = headers.get(header::ACCEPT_RANGES)?.as_bytes();
        if !ranges.split(|byte| *byte == b',').any(|unit| unit.trim_ascii().eq_ignore_ascii_case(b"bytes")) {
            return None;
        }
        let validator = strong_etag(headers).or_else(|| strong_date(headers))?;
        Some(Self { validator: validator.clone(), total })
    }

    /// How many bytes a partial response (status 206) brings, if it is the rest of this body from byte `have` on.
    pub(super) fn rest(&self, headers: &HeaderMap, have: u64) -> Option<u64> {
        let range = ContentRange::parse(headers.get(header::CONTENT_RANGE)?.as_bytes())?;
        let total = range.total.or(self.total)?;
        let same_total = self.total.is_none_or(|known| known == total);
        let to_the_end = range.last.checked_add(1) == Some(total);
        let same_entity = headers.get(header::ETAG).is_none_or(|etag| {
            // With a date as validator an ETag says nothing about what we have.
            !self.validator.as_bytes().starts_with(b"\"") || *etag == self.validator
        });
        (range.first == have && same_total && to_the_end && same_entity).then(|| total - have)
    }
}

fn strong_etag(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(header::ETAG).filter(|etag| etag.as_bytes().starts_with(b"\"") && etag.as_bytes().len() > 2)
}

/// `Last-Modified`, if it is a strong validator: a file may change twice within one second, so the response must be
/// dated at least one second later (RFC 9110, section 8.8.2.2).
fn strong_date(headers: &HeaderMap) -> Option<&HeaderValue> {
    let time = |name| httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok();
    let age = time(header::DATE)?.duration_since(time(header::LAST_MODIFIED)?).ok()?;
    headers.get(header::LAST_MODIFIED).filter(|_| age >= Duration::from_secs(1))
}

/// `Content-Range: bytes first-last/total`.
#[derive(Debug, PartialEq, Eq)]
struct ContentRange {
    first: u64,
    last: u64,
    total: Option<u64>,
}

impl ContentRange {
    fn parse(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?.trim();
        let (unit, range) = text.split_once(' ')?;
        let (span, total) = range.trim().split_once('/')?;
        let (first, last) = span.split_once('-')?;
        let total = if total == "*" { None } else { Some(total.parse().ok()?) };
        let range = Self { first: first.parse().ok()?, last: last.parse().ok()?, total };
        (unit.eq_ignore_ascii_case("bytes") && range.first <= range.last).then_some(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn validator(pairs: &[(header::HeaderName, &str)]) -> Option<String> {
        let resume = Resume::offered(&headers(pairs), Some(10))?;
        Some(resume.validator.to_str().unwrap().to_owned())
    }

    #[test]
    fn only_strong_validators_of_servers_with_ranges_are_trusted() {
        use header::{ACCEPT_RANGES, DATE, ETAG, LAST_MODIFIED};
        let old = (LAST_MODIFIED, "Sun, 06 Nov 1994 08:49:37 GMT");
        let later = (DATE, "Sun, 06 Nov 1994 08:49:38 GMT");
        let bytes = (ACCEPT_RANGES, "bytes");
        assert_eq!(validator(&[bytes.clone(), (ETAG, "\"a\"")]), Some("\"a\"".into()));
        assert_eq!(validator(&[(ETAG, "\"a\"")]), None);
        assert_eq!(validator(&[(ACCEPT_RANGES, "none"), (ETAG, "\"a\"")]), None);
        assert_eq!(validator(&[bytes.clone(), (ETAG, "W/\"a\"")]), None);
        assert_eq!(validator(&[bytes.clone(), (ETAG, "W/\"a\""), old.clone(), later.clone()]), Some(old.1.into()));
        assert_eq!(validator(&[bytes.clone(), old.clone(), (DATE, old.1)]), None, "may have changed in that second");
        assert_eq!(validator(&[bytes, old]), None);
    }

    #[test]
    fn only_the_exact_rest_of_the_same_body_is_appended() {
        use header::{CONTENT_RANGE, ETAG};
        let resume = Resume { validator: HeaderValue::from_static("\"a\""), total: Some(10) };
        let rest = |range: &str| resume.rest(&headers(&[(CONTENT_RANGE, range)]), 4);
        assert_eq!(rest("bytes 4-9/10"), Some(6));
        assert_eq!(rest("Bytes 4-9/*"), Some(6));
        for range in [
            "bytes 3-9/10",
            "bytes 5-9/10",
            "bytes 4-8/10",
            "bytes 4-9/11",
            "bytes 4-10/11",
            "bytes */10",
            "items 4-9/10",
            "bytes 9-4/10",
            "4-9/10",
            "bytes 4-18446744073709551615/*",
            "",
        ] {
            assert_eq!(rest(range), None, "{range}");
        }
        assert_eq!(resume.rest(&HeaderMap::new(), 4), None);
        assert_eq!(resume.rest(&headers(&[(CONTENT_RANGE, "bytes 4-9/10"), (ETAG, "\"b\"")]), 4), None);
        assert_eq!(resume.rest(&headers(&[(CONTENT_RANGE, "bytes 4-9/10"), (ETAG, "\"a\"")]), 4), Some(6));
        let unknown = Resume { validator: HeaderValue::from_static("\"a\""), total: None };
        assert_eq!(unknown.rest(&headers(&[(CONTENT_RANGE, "bytes 4-9/10")]), 4), Some(6));
        assert_eq!(unknown.rest(&headers(&[(CONTENT_RANGE, "bytes 4-9/*")]), 4), None);
    }
}
