//! Spans as tables and samples hold them.

use serde_json::Value;

use super::Span;
use crate::sample::{Failure, FailureClass};

/// Spans in the order in which they are given, and how they were written.
#[derive(Debug, Clone, PartialEq)]
pub struct Spans {
    pub spans: Vec<Span>,
    pub style: Style,
}

/// How times are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Seconds, as a number.
    Seconds,
    /// `HH:MM:SS.mmm`
    Clock,
}

impl Style {
    /// A time as it is written in this style.
    pub fn write(self, seconds: f64) -> Value {
        match self {
            Style::Seconds => seconds.into(),
            Style::Clock => clock(seconds).into(),
        }
    }
}

fn clock(seconds: f64) -> String {
    let millis = (seconds.max(0.0) * 1000.0).round() as u64;
    let (whole, millis) = (millis / 1000, millis % 1000);
    format!("{:02}:{:02}:{:02}.{millis:03}", whole / 3600, whole / 60 % 60, whole % 60)
}

/// Reads a list of `[start, end]`, or a single one. Times are seconds as numbers or as text, or `[[HH:]MM:]SS[.f]`.
///
/// # Errors
/// `no_clips`: something else than that, or a span that ends before it begins.
pub fn parse(value: &Value) -> Result<Spans, Failure> {
    let wrong = |what: String| Failure::new(FailureClass::NoClips, format!("the clips cannot be used: {what}"));
    let list = match value {
        Value::Null => return Err(wrong("there are none for this sample".into())),
        Value::Array(list) => list.as_slice(),
        other => return Err(wrong(format!("{} is no list of [start, end]", brief(other)))),
    };
    // One span alone needs no second pair of brackets.
    let single = [value.clone()];
    let list = if list.len() == 2 && list.iter().all(|item| !item.is_array()) { &single } else { list };
    let mut style = Style::Seconds;
    let mut spans = Vec::with_capacity(list.len());
    for item in list {
        let Some([start, end]) = item.as_array().map(Vec::as_slice) else {
            return Err(wrong(format!("{} is no [start, end]", brief(item))));
        };
        if start.is_string() {
            style = Style::Clock;
        }
        let span = (time(start).map_err(&wrong)?, time(end).map_err(&wrong)?);
        if span.1 <= span.0 {
            return Err(wrong(format!("{} ends where it begins, or before", brief(item))));
        }
        spans.push(span);
    }
    if spans.is_empty() {
        return Err(wrong("the list is empty".into()));
    }
    Ok(Spans { spans, style })
}

fn time(value: &Value) -> Result<f64, String> {
    let seconds = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => clock_time(text.trim()),
        _ => None,
    };
    seconds
        .filter(|seconds| seconds.is_finite() && *seconds >= 0.0 && *seconds < 1e7)
        .ok_or_else(|| format!("{} is no time; want seconds or HH:MM:SS.f", brief(value)))
}

fn clock_time(text: &str) -> Option<f64> {
    let parts: Vec<&str> = text.split(':').collect();
    let (last, above) = parts.split_last()?;
    if above.len() > 2 {
        return None;
    }
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let last = last.replace(',', ".");
    let (whole, fraction) = last.split_once('.').unwrap_or((&last, "0"));
    if !digits(whole) || !digits(fraction) || !above.iter().all(|part| digits(part)) {
        return None;
    }
    let seconds: f64 = format!("{whole}.{fraction}").parse().ok()?;
    let minutes = above.iter().try_fold(0.0, |sum, part| part.parse::<f64>().ok().map(|part| sum * 60.0 + part))?;
    Some(minutes * 60.0 + seconds)
}

fn brief(value: &Value) -> String {
    let text = value.to_string();
    let end = text.floor_char_boundary(60);
    if end < text.len() { format!("`{}…`", &text[..end]) } else { format!("`{text}`") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spans(value: Value) -> Vec<Span> {
        parse(&value).unwrap().spans
    }

    #[test]
    fn times_with_and_without_fractions() {
        let want = vec![(9.0, 14.5), (3600.0, 3661.25)];
        assert_eq!(spans(json!([["00:00:09", "14.5"], ["01:00:00.000", "1:01:01,25"]])), want);
        assert_eq!(spans(json!([[9, 14.5], [3600, 3661.25]])), want);
        assert_eq!(spans(json!([9, 14.5])), want[..1]);
        assert_eq!(spans(json!([["0:09", "0:14.5"]])), want[..1]);
    }

    #[test]
    fn rubbish_is_named() {
        for bad in [
            json!(null),
            json!("x"),
            json!([]),
            json!([1]),
            json!([[1]]),
            json!([[1, 2, 3]]),
            json!([[2, 1]]),
            json!([[1, 1]]),
            json!([[-1, 1]]),
            json!([["a", "b"]]),
            json!([["1:2:3:4", "9:9:9:9"]]),
            json!([["1.2.3", "5"]]),
            json!([["+1", "5"]]),
            json!([["", "5"]]),
            json!([[1, null]]),
            json!([["nan", "inf"]]),
            json!({"a": 1}),
        ] {
            let failure = parse(&bad).unwrap_err();
            assert_eq!(failure.class, FailureClass::NoClips, "{bad}");
            assert!(failure.message.starts_with("the clips cannot be used: "), "{failure}");
        }
    }

    #[test]
    fn times_are_written_as_they_were_read_and_rounded_right() {
        assert_eq!(Style::Clock.write(13.9996), json!("00:00:14.000"));
        assert_eq!(Style::Clock.write(3599.9994), json!("00:59:59.999"));
        assert_eq!(Style::Clock.write(360_000.5), json!("100:00:00.500"));
        assert_eq!(Style::Seconds.write(1.5), json!(1.5));
        assert_eq!(parse(&json!([["1.5", "2"]])).unwrap().style, Style::Clock);
    }
}
