//! Python literals as people type them in a shell: Fire takes words without quotes for strings, as in `[a,b]`.

use std::iter::Peekable;
use std::str::CharIndices;

use serde_json::{Map, Number, Value};

/// Nobody nests deeper by hand, and the stack is not endless.
const DEEPEST: usize = 32;

/// Why a text is no literal; positions count characters from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LiteralError {
    #[error("it ends too early")]
    End,
    #[error("`{found}` at character {at} is not expected")]
    Unexpected { found: char, at: usize },
    #[error("it is nested deeper than {DEEPEST} levels")]
    Deep,
    #[error("a key of a dict must be a word or a number")]
    Key,
}

/// Reads one literal: dict, list, tuple, string, number, `True`, `False`, `None`, or a word without quotes. Items with
/// commas between them are a tuple without brackets: `a,b`.
///
/// # Errors
/// The first character that does not fit.
pub fn parse(text: &str) -> Result<Value, LiteralError> {
    let mut reader = Reader { text, chars: text.char_indices().peekable(), depth: 0 };
    let first = reader.value()?;
    if reader.peek().is_none() {
        return Ok(first);
    }
    let mut items = vec![first];
    while reader.take(',') {
        if reader.peek().is_none() {
            break;
        }
        items.push(reader.value()?);
    }
    match reader.peek() {
        None => Ok(items.into()),
        Some(_) => Err(reader.unexpected()),
    }
}

struct Reader<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
    depth: usize,
}

impl Reader<'_> {
    /// The next character that is no blank.
    fn peek(&mut self) -> Option<char> {
        while self.chars.next_if(|(_, next)| next.is_whitespace()).is_some() {}
        self.chars.peek().map(|(_, next)| *next)
    }

    fn take(&mut self, wanted: char) -> bool {
        self.peek() == Some(wanted) && self.chars.next().is_some()
    }

    fn need(&mut self, wanted: char) -> Result<(), LiteralError> {
        if self.take(wanted) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn unexpected(&mut self) -> LiteralError {
        match self.chars.peek() {
            None => LiteralError::End,
            Some((byte, found)) => {
                let before = self.text.get(..*byte).unwrap_or_default();
                LiteralError::Unexpected { found: *found, at: before.chars().count() + 1 }
            }
        }
    }

    fn value(&mut self) -> Result<Value, LiteralError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(LiteralError::Deep);
        }
        let value = match self.peek() {
            None => return Err(LiteralError::End),
            Some('{') => self.dict()?,
            Some('[') => self.items('[', ']')?,
            Some('(') => self.items('(', ')')?,
            Some('\'' | '"') => self.string()?.into(),
            Some(_) => self.word()?,
        };
        self.depth -= 1;
        Ok(value)
    }

    fn items(&mut self, open: char, close: char) -> Result<Value, LiteralError> {
        self.need(open)?;
        let mut items = Vec::new();
        while !self.take(close) {
            items.push(self.value()?);
            if !self.take(',') {
                self.need(close)?;
                break;
            }
        }
        Ok(items.into())
    }

    fn dict(&mut self) -> Result<Value, LiteralError> {
        self.need('{')?;
        let mut entries = Map::new();
        while !self.take('}') {
            let key = match self.value()? {
                Value::String(key) => key,
                Value::Number(key) => key.to_string(),
                _ => return Err(LiteralError::Key),
            };
            self.need(':')?;
            // As in Python, a key that stands twice has its last value.
            entries.insert(key, self.value()?);
            if !self.take(',') {
                self.need('}')?;
                break;
            }
        }
        Ok(entries.into())
    }

    fn string(&mut self) -> Result<String, LiteralError> {
        let quote = self.chars.next().map(|(_, quote)| quote);
        let mut text = String::new();
        loop {
            match self.chars.next().ok_or(LiteralError::End)?.1 {
                end if Some(end) == quote => return Ok(text),
                '\\' => match self.chars.next().ok_or(LiteralError::End)?.1 {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    escaped @ ('\\' | '\'' | '"') => text.push(escaped),
                    // Python leaves the backslash where it means nothing.
                    other => text.extend(['\\', other]),
                },
                other => text.push(other),
            }
        }
    }

    fn word(&mut self) -> Result<Value, LiteralError> {
        let mut word = String::new();
        while let Some((_, next)) = self.chars.next_if(|(_, next)| !",:[](){}'\"".contains(*next)) {
            word.push(next);
        }
        Ok(match word.trim() {
            "" => return Err(self.unexpected()),
            "None" | "null" => Value::Null,
            "True" | "true" => true.into(),
            "False" | "false" => false.into(),
            word => number(word).map_or_else(|| word.into(), Value::Number),
        })
    }
}

fn number(word: &str) -> Option<Number> {
    // `inf` and `nan` are words here: no setting takes them.
    if !word.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) {
        return None;
    }
    word.parse::<i64>().map(Number::from).ok().or_else(|| word.parse().ok().and_then(Number::from_f64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_people_type() {
        for (text, want) in [
            (r#"{"video": "mp4", "audio": "m4a"}"#, json!({"video": "mp4", "audio": "m4a"})),
            ("{'video':'mp4',}", json!({"video": "mp4"})),
            ("{video:mp4}", json!({"video": "mp4"})),
            ("{}", json!({})),
            ("[videoid, page_idx,'page dir']", json!(["videoid", "page_idx", "page dir"])),
            ("a,b", json!(["a", "b"])),
            ("(1,)", json!([1])),
            ("()", json!([])),
            ("{'a': [True, False, None], 'b': {'c': -1.5}}", json!({"a": [true, false, null], "b": {"c": -1.5}})),
            ("1000", json!(1000)),
            ("1e3", json!(1000.0)),
            ("-x", json!("-x")),
            ("inf", json!("inf")),
            (r#""it's""#, json!("it's")),
            (r"'a\'b\d\n'", json!("a'b\\d\n")),
            ("{1: 2}", json!({"1": 2})),
        ] {
            assert_eq!(parse(text), Ok(want), "{text}");
        }
    }

    #[test]
    fn what_is_no_literal_says_where() {
        for (text, want) in [
            ("", LiteralError::End),
            ("{'video': 'mp4'", LiteralError::End),
            ("['a", LiteralError::End),
            ("{'video' 'mp4'}", LiteralError::Unexpected { found: '\'', at: 10 }),
            ("[a]]", LiteralError::Unexpected { found: ']', at: 4 }),
            ("[,]", LiteralError::Unexpected { found: ',', at: 2 }),
            ("{[1]: 2}", LiteralError::Key),
        ] {
            assert_eq!(parse(text), Err(want), "{text}");
        }
        assert_eq!(parse(&"[".repeat(100_000)), Err(LiteralError::Deep));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\](){},:'\"\\\\0-9.aé ]{0,40}") {
            let _ = parse(&text);
        }
    }
}
