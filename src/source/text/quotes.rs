//! Finds the rows that an unclosed quote has swallowed.

/// Whether some quoted field of the record `raw` (given in pieces) goes on after its closing quote.
///
/// The parser takes `"a"b` as the text `ab`. Over several lines that is what an unclosed quote looks like: it runs to
/// the next quote, which was meant to open a field, and all rows between become one cell.
pub fn text_after_closing_quote(raw: (&[u8], &[u8]), delimiter: u8) -> bool {
    #[derive(Clone, Copy)]
    enum State {
        FieldStart,
        Plain,
        Quoted,
        QuoteInQuoted,
    }
    let mut state = State::FieldStart;
    for &byte in raw.0.iter().chain(raw.1) {
        state = match (state, byte) {
            (State::FieldStart, b'"') | (State::QuoteInQuoted, b'"') => State::Quoted,
            (State::Quoted, b'"') => State::QuoteInQuoted,
            (State::Quoted, _) => State::Quoted,
            (_, byte) if byte == delimiter => State::FieldStart,
            (State::QuoteInQuoted, b'\r' | b'\n') => return false,
            (State::QuoteInQuoted, _) => return true,
            (State::FieldStart | State::Plain, _) => State::Plain,
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::text_after_closing_quote;

    #[test]
    fn sees_text_behind_a_closed_quote_only() {
        let check = |raw: &str| text_after_closing_quote((b"", raw.as_bytes()), b',');
        assert!(check("1,\"abc\n2,def\n3,\"ghi\",x\n"));
        assert!(!check("1,\"abc\n2,\"\"def\"\"\n\",x\r\n"));
        assert!(!check("1,a\"b\"c\n"));
        assert!(!check("1,\"a\n\""));
        assert!(text_after_closing_quote((b"1,\"a\n\"", b"b\n"), b','), "the state goes from piece to piece");
    }
}
