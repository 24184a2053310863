//! The text of a cue without markup.

/// Lines without tags (`<c>`, `<00:00:01.500>`, `<v Ann>`), escapes, control characters and blank lines.
pub fn plain(payload: &str) -> Vec<String> {
    let mut text = String::with_capacity(payload.len());
    let mut rest = payload;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        match is_tag(tag) {
            // A tag may go over lines, and one that does not end goes to the end.
            true => rest = tag.split_once('>').map_or("", |(_, after)| after),
            false => {
                text.push('<');
                rest = tag;
            }
        }
    }
    text.push_str(rest);
    let line = |line: &str| {
        let line = unescape(line);
        let visible: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        visible.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    text.lines().map(line).filter(|line| !line.is_empty()).collect()
}

/// What follows a `<` that begins a tag; `3 < 4` is text.
fn is_tag(after: &str) -> bool {
    after.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '!' | '>'))
}

/// Longest escape: `&thetasym;` and the like are not known here anyway.
const LONGEST: usize = 10;

/// Decodes HTML's escapes, once: `&amp;lt;` is the text `&lt;`. What is none stays as it is.
fn unescape(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('&') {
        text.push_str(before);
        let decoded = after
            .char_indices()
            .take(LONGEST)
            .find(|(_, c)| *c == ';')
            .and_then(|(end, _)| Some((escape(after.get(..end)?)?, after.get(end + 1..)?)));
        rest = match decoded {
            Some((plain, after)) => {
                text.extend(plain);
                after
            }
            None => {
                text.push('&');
                after
            }
        };
    }
    text.push_str(rest);
    text
}

/// What `&NAME;` stands for: a character, or nothing for those that only set the direction of writing.
fn escape(name: &str) -> Option<Option<char>> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        };
        return code.ok().and_then(char::from_u32).map(Some);
    }
    Some(Some(match name {
        "lrm" | "rlm" => return Some(None),
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "hellip" => '…',
        "ndash" => '–',
        "mdash" => '—',
        "lsquo" => '‘',
        "rsquo" => '’',
        "ldquo" => '“',
        "rdquo" => '”',
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_goes_and_text_stays() {
        for (payload, want) in [
            ("<v Ann>Hi &amp; <i>you</i> &amp;lt;\n", vec!["Hi & you &lt;"]),
            (" \nso<00:00:00.400><c> here</c><c.colorE5E5E5> we</c>\n", vec!["so here we"]),
            ("3 < 4 &lt; 5 <br/> six < \n", vec!["3 < 4 < 5 six <"]),
            ("it&#39;s &#x1F600; &quot;on&quot;&nbsp;&lrm;now&hellip;", vec!["it's 😀 \"on\" now…"]),
            ("&bogus; & &#xD800; &#99999999999; AT&T; &", vec!["&bogus; & &#xD800; &#99999999999; AT&T; &"]),
            ("a\u{0}b\u{1b}[1m\tc\n\n \nd <c", vec!["a b [1m c", "d"]),
            ("a<i\nclass>b", vec!["ab"]),
            ("&ü;é&", vec!["&ü;é&"]),
        ] {
            assert_eq!(plain(payload), want, "{payload:?}");
        }
    }
}
