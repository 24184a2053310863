//! What the head of a response says.

use std::time::{Duration, SystemTime};

use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Response, StatusCode};
use url::Url;

use super::breaker::Outcome;
use super::optout::opted_out;
use super::retry::parse_retry_after;
use super::target;
use crate::sample::{Failure, FailureClass};

/// Where a response sends us on to.
pub(super) fn redirect(response: &Response) -> Option<HeaderValue> {
    let redirects = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    if redirects { response.headers().get(header::LOCATION).cloned() } else { None }
}

/// What a status tells the breaker.
pub(super) fn outcome(status: StatusCode) -> Outcome {
    match status.as_u16() {
        200..400 => Outcome::Served,
        403 | 429 | 503 => Outcome::Refused,
        _ => Outcome::Answered,
    }
}

/// Whether the owner lets us go on: asked of redirects too, since media often lies on another host than its owner.
pub(super) fn check_opt_out(url: &Url, headers: &HeaderMap) -> Result<(), Failure> {
    let Some(reason) = opted_out(headers) else { return Ok(()) };
    let message = format!("the owner opted out: {} sent {reason} (reading.honour_opt_out)", target::name(url));
    Err(Failure::new(FailureClass::OptedOut, message))
}

/// Whether the body of a success may be taken in as it comes.
pub(super) fn check_coding(url: &Url, headers: &HeaderMap) -> Result<(), Failure> {
    match content_encoding(headers) {
        Some(encoding) => {
            let host = target::name(url);
            let message = format!("{host} sent Content-Encoding: {encoding}, though only identity was asked for");
            Err(Failure::new(FailureClass::NotMedia, message))
        }
        None => Ok(()),
    }
}

/// The content coding, if there is one. `aws-chunked` is a signing detail that some object stores leave in by mistake:
/// the body is not coded.
fn content_encoding(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(header::CONTENT_ENCODING).iter();
    let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
    let plain =
        |coding: &str| ["", "identity", "aws-chunked"].iter().any(|name| name.eq_ignore_ascii_case(coding.trim()));
    values
        .iter()
        .flat_map(|value| value.split(','))
        .find(|coding| !plain(coding))
        .map(|coding| coding.trim().to_owned())
}

/// The failure of a status other than success. The reason phrase is the standard's: servers word it as they like.
pub(super) fn failed_status(url: &Url, status: StatusCode) -> Failure {
    let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
    let message = format!("HTTP {}{reason} from {}", status.as_u16(), target::name(url));
    Failure::new(FailureClass::Http(status.as_u16()), message)
}

/// How long the server asks us to wait.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    parse_retry_after(headers.get(header::RETRY_AFTER)?.as_bytes(), SystemTime::now())
}
