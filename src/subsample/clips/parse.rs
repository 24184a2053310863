//! Spans as tables and samples hold them.

use serde_json::Value;

use super::{Span, literal};
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

/// How deep lists may lie in one another: tables that were grouped put one more around.
const MAX_DEPTH: usize = 4;

/// Reads a list of `[start, end]`, a single one, lists of such lists, or any of these as text (JSON, or as Python prints
/// it). Times are seconds as numbers or as text, or `[[HH:]MM:]SS[.f]`, with a comma for the point, too.
///
/// The order is kept; spans may overlap. They are written as clock times later if any of them was text.
///
/// # Errors
/// `no_clips`: something else than that, or a span that ends before it begins.
pub fn parse(value: &Value) -> Result<Spans, Failure> {
    read(value).map_err(|what| Failure::new(FailureClass::NoClips, format!("the clips cannot be used: {what}")))
}

/// Whether a value has the shape of what [`parse`] reads, whatever its times say. The empty list has.
pub fn is_list_of_spans(value: &Value) -> bool {
    fn has_shape(value: &Value, depth: usize) -> bool {
        let is_time = |time: &Value| time.is_number() || time.is_string();
        match value.as_array().map(Vec::as_slice) {
            Some([]) => depth == 0,
            Some([start, end]) if is_time(start) && is_time(end) => true,
            Some(items) => depth < MAX_DEPTH && items.iter().all(|item| has_shape(item, depth + 1)),
            None => false,
        }
    }
    has_shape(value, 0)
}

fn read(value: &Value) -> Result<Spans, String> {
    let parsed = match value {
        Value::Null => return Err("there are none for this sample".into()),
        Value::String(text) => Some(literal(text).map_err(|_| no_list(value))?),
        _ => None,
    };
    let mut found = Spans { spans: Vec::new(), style: Style::Seconds };
    collect(parsed.as_ref().unwrap_or(value), 0, &mut found)?;
    if found.spans.is_empty() {
        return Err("the list is empty".into());
    }
    Ok(found)
}

fn collect(value: &Value, depth: usize, found: &mut Spans) -> Result<(), String> {
    let Value::Array(list) = value else {
        return Err(if depth == 0 { no_list(value) } else { no_span(value) });
    };
    match list.as_slice() {
        items if items.iter().all(Value::is_array) && (depth == 0 || !items.is_empty()) => {
            if depth == MAX_DEPTH {
                return Err(no_span(value));
            }
            items.iter().try_for_each(|item| collect(item, depth + 1, found))
        }
        [start, end] if !start.is_array() && !end.is_array() => {
            let span = (time(start)?, time(end)?);
            if span.1 <= span.0 {
                return Err(format!("{} ends where it begins, or before", brief(value)));
            }
            if start.is_string() || end.is_string() {
                found.style = Style::Clock;
            }
            found.spans.push(span);
            Ok(())
        }
        items => Err(no_span(items.iter().find(|item| !item.is_array()).filter(|_| depth == 0).unwrap_or(value))),
    }
}

fn no_list(value: &Value) -> String {
    format!("{} is no list of [start, end]", brief(value))
}

fn no_span(value: &Value) -> String {
    format!("{} is no [start, end]", brief(value))
}

/// Seconds of one time.
pub(super) fn time(value: &Value) -> Result<f64, String> {
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
    fn text_and_lists_in_lists() {
        let want = vec![(7.0, 9.5), (0.0, 1.5), (1.0, 8.0)];
        assert_eq!(spans(json!("[(7, 9.5), ['0', '00:00:01,5'], (1, 8)]")), want);
        assert_eq!(spans(json!("[[7, 9.5], [0, 1.5], [1, 8]]")), want);
        assert_eq!(spans(json!([[[7, 9.5]], [[0, 1.5], [1, 8]]])), want);
        assert_eq!(spans(json!("(7, 9.5)")), want[..1]);
        for shaped in [json!([]), json!([7, "9.5"]), json!([[[7, 9.5]], [[0, 1.5], [1, 8]]]), json!([["x", "y"]])] {
            assert!(is_list_of_spans(&shaped), "{shaped}");
        }
        for other in [json!(null), json!("[]"), json!([1]), json!([[1, null]]), json!([[]]), json!([[0, 1], 2])] {
            assert!(!is_list_of_spans(&other), "{other}");
        }
        let style = |value| parse(&value).unwrap().style;
        assert_eq!(style(json!([[0, "1"], [2, 3]])), Style::Clock);
        assert_eq!(style(json!("[(0, 1)]")), Style::Seconds);
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
            json!([[0, 1], 2]),
            json!([[0, 1], []]),
            json!([[0, 1], [[[[[[2, 3]]]]]]]),
            json!("[(0, 1.5"),
            json!("[(0, -1)]"),
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
