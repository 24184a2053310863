//! Text to words.

use super::SyntaxError;

/// Longer texts are refused, characters.
const MOST: usize = 4000;

/// Words with a meaning of their own; as names of fields they need backquotes.
pub const KEYWORDS: [&str; 7] = ["and", "or", "not", "in", "true", "false", "null"];

const SIGNS: [&str; 16] = ["==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "(", ")", "[", "]", ",", "."];

#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    Number(f64),
    Text(String),
    Name(String),
    /// A keyword or a sign.
    Word(&'static str),
    End,
}

/// All words, each with its column; the last one is [`Token::End`].
pub fn lex(text: &str) -> Result<Vec<(Token, usize)>, SyntaxError> {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() > MOST {
        let message = format!("the expression is longer than {MOST} characters");
        return Err(SyntaxError { column: MOST + 1, message });
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = chars.get(at) {
        if first.is_whitespace() {
            at += 1;
            continue;
        }
        let rest = chars.get(at..).unwrap_or_default();
        let (token, length) = token(*first, rest).map_err(|message| SyntaxError { column: at + 1, message })?;
        tokens.push((token, at + 1));
        at += length;
    }
    tokens.push((Token::End, chars.len() + 1));
    Ok(tokens)
}

fn token(first: char, rest: &[char]) -> Result<(Token, usize), String> {
    match first {
        '\'' | '"' => quoted(rest, "this text").map(|(text, length)| (Token::Text(text), length)),
        '`' => match quoted(rest, "this name")? {
            (name, _) if name.is_empty() => Err("a name without a letter".into()),
            (name, length) => Ok((Token::Name(name), length)),
        },
        digit if digit.is_ascii_digit() => number(rest),
        letter if begins_name(letter) => {
            let name: String = rest.iter().take_while(|letter| continues_name(**letter)).collect();
            let length = name.chars().count();
            let keyword = KEYWORDS.into_iter().find(|keyword| *keyword == name);
            Ok((keyword.map_or(Token::Name(name), Token::Word), length))
        }
        _ => {
            let sign = SIGNS.into_iter().find(|sign| sign.chars().eq(rest.iter().take(sign.len()).copied()));
            sign.map(|sign| (Token::Word(sign), sign.len())).ok_or_else(|| stranger(first))
        }
    }
}

fn stranger(sign: char) -> String {
    match sign {
        '=' => "a lone `=`; write `==` to compare".into(),
        '!' => "a lone `!`; write `not`, or `!=` to compare".into(),
        '&' => "`&` is no operator; write `and`".into(),
        '|' => "`|` is no operator; write `or`".into(),
        other => format!("`{}` has no meaning here", other.escape_debug()),
    }
}

pub fn begins_name(letter: char) -> bool {
    letter.is_alphabetic() || letter == '_'
}

pub fn continues_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn quoted(rest: &[char], what: &str) -> Result<(String, usize), String> {
    let quote = rest.first().copied().unwrap_or_default();
    let inside: String = rest.iter().skip(1).take_while(|letter| **letter != quote).collect();
    let length = inside.chars().count() + 2;
    if rest.len() < length {
        return Err(format!("{what} has no end: {quote} is missing"));
    }
    Ok((inside, length))
}

fn number(rest: &[char]) -> Result<(Token, usize), String> {
    let digits = |from: usize| rest.iter().skip(from).take_while(|digit| digit.is_ascii_digit()).count();
    let mut length = digits(0);
    if rest.get(length) == Some(&'.') && digits(length + 1) > 0 {
        length += 1 + digits(length + 1);
    }
    if matches!(rest.get(length), Some('e' | 'E')) {
        let signed = usize::from(matches!(rest.get(length + 1), Some('+' | '-')));
        if digits(length + 1 + signed) > 0 {
            length += 1 + signed + digits(length + 1 + signed);
        }
    }
    if rest.get(length).copied().is_some_and(continues_name) {
        return Err("a number that goes on as a name; put a blank between, or the name in backquotes".into());
    }
    let text: String = rest.iter().take(length).collect();
    let number: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if number.is_finite() { Ok((Token::Number(number), length)) } else { Err(format!("`{text}` is too large")) }
}
