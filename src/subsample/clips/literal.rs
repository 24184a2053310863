//! Lists as text: JSON, or the way Python prints them, which is what pandas writes into a table.

use serde_json::Value;

/// The value of a text: JSON as it is; else Python's spelling, with tuples, single quotes and a comma behind the last
/// item: `[(0, 1.5), ('00:00:02', '00:00:03.5'),]`.
///
/// # Errors
/// What JSON says about the text, if it is neither.
pub fn literal(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(text)
        .or_else(|error| as_json(text).and_then(|json| serde_json::from_str(&json).ok()).ok_or(error))
}

/// Python's spelling in JSON's; none where a string does not end.
fn as_json(text: &str) -> Option<String> {
    let mut json = String::with_capacity(text.len() + 2);
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        match next {
            quote @ ('\'' | '"') => json.push_str(&Value::from(string(&mut rest, quote)?).to_string()),
            '(' => json.push('['),
            ')' | ']' => {
                let kept = json.trim_end();
                // Python writes `(1,)`. A comma with nothing before it is a mistake in both.
                let kept = kept.strip_suffix(',').filter(|kept| !kept.trim_end().ends_with(['[', ','])).unwrap_or(kept);
                json.truncate(kept.len());
                json.push(']');
            }
            other => json.push(other),
        }
    }
    Some(json)
}

/// The rest of a string whose opening quote was read. Times need no escapes but these.
fn string(rest: &mut std::str::Chars<'_>, quote: char) -> Option<String> {
    let mut text = String::new();
    loop {
        match rest.next()? {
            '\\' => match rest.next()? {
                escaped @ ('\\' | '\'' | '"') => text.push(escaped),
                _ => return None,
            },
            end if end == quote => return Some(text),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn json_and_python() {
        for (text, want) in [
            ("[[0, 1.5]]", json!([[0, 1.5]])),
            ("[(0, 1.5), ('00:00:01', '00:00:02.5')]", json!([[0, 1.5], ["00:00:01", "00:00:02.5"]])),
            ("((0, 1), )", json!([[0, 1]])),
            ("[['0,5', \"1\"]]", json!([["0,5", "1"]])),
            ("('a)', 'b\\'')", json!(["a)", "b'"])),
            ("[]", json!([])),
        ] {
            assert_eq!(literal(text).unwrap(), want, "{text}");
        }
        for bad in ["", "[", "(,)", "[1,,]", "['a]", "[(0, 1.5)", "[(0, nan)]", "['\\n']", "__import__('os')", "0 1"] {
            assert!(literal(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\](),'\"\\\\0-9.: a]{0,40}") {
            let _ = literal(&text);
        }

        #[test]
        fn what_python_prints_is_read(spans in prop::collection::vec((0u32..9999, 0u32..9999), 1..6)) {
            let python: Vec<String> = spans.iter().map(|(s, e)| format!("({s}, '{e}')")).collect();
            let want: Vec<Value> = spans.iter().map(|(s, e)| json!([s, e.to_string()])).collect();
            prop_assert_eq!(literal(&format!("[{}]", python.join(", "))).unwrap(), Value::from(want));
        }
    }
}
