//! A reader of WebVTT (W3C, "WebVTT: The Web Video Text Tracks Format", section 6), as far as text and times go.

use super::Cue;

/// Cues of rolling captions follow one another at once, or nearly.
const ROLLING_GAP: f64 = 0.1;

/// Reads a WebVTT file: its cues in their order, without tags, settings, notes and styles.
///
/// Rolling captions, which show the line before above the new one, say each line once: with the cue that brings it. A
/// cue that brings nothing new lengthens the one before. Cues whose times make no sense are left out, as the standard
/// says.
///
/// # Errors
/// What is wrong, if it is no WebVTT.
pub fn read_webvtt(text: &str) -> Result<Vec<Cue>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
    let is_header =
        text.strip_prefix("WEBVTT").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\n']));
    if !is_header {
        return Err("no WebVTT: the first line is not `WEBVTT`".into());
    }
    let mut lines = text.lines().skip(1).peekable();
    let mut cues: Vec<Cue> = Vec::new();
    let mut shown: Option<Cue> = None;
    // Whatever is no timing outside of a cue is a header, an identifier, a note or a style.
    while let Some(line) = lines.next() {
        let Some((start, end)) = timing(line) else { continue };
        let mut payload = String::new();
        while let Some(line) = lines.next_if(|line| !line.is_empty() && !line.contains("-->")) {
            payload.push_str(line);
            payload.push('\n');
        }
        let cue = Cue { start, end, lines: plain(&payload) };
        if end <= start || cue.lines.is_empty() {
            continue;
        }
        let known = shown.as_ref().map_or(0, |shown| rolled(shown, &cue));
        match cues.last_mut() {
            Some(last) if known == cue.lines.len() => last.end = last.end.max(cue.end),
            _ => cues.push(Cue { lines: cue.lines.iter().skip(known).cloned().collect(), ..cue }),
        }
        shown = Some(cue);
    }
    Ok(cues)
}

/// How many of a cue's first lines the cue before it has shown as its last.
fn rolled(before: &Cue, cue: &Cue) -> usize {
    if cue.start < before.start || cue.start > before.end + ROLLING_GAP {
        return 0;
    }
    let most = before.lines.len().min(cue.lines.len());
    (0..=most).rev().find(|n| before.lines.iter().rev().take(*n).rev().eq(cue.lines.iter().take(*n))).unwrap_or(0)
}

fn timing(line: &str) -> Option<(f64, f64)> {
    let (start, end) = line.split_once("-->")?;
    Some((time(start.trim())?, time(end.split_whitespace().next()?)?))
}

/// `[H…H:]MM:SS.mmm`
fn time(text: &str) -> Option<f64> {
    let digits =
        |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<f64>().ok()).flatten();
    let (clock, millis) = text.split_once(['.', ','])?;
    let mut parts = clock.rsplit(':');
    let (seconds, minutes) = (digits(parts.next()?)?, digits(parts.next()?)?);
    let hours = parts.next().map_or(Some(0.0), digits)?;
    if parts.next().is_some() || millis.len() != 3 || minutes > 59.0 || seconds > 59.0 {
        return None;
    }
    Some(hours * 3600.0 + minutes * 60.0 + seconds + digits(millis)? / 1000.0)
}

/// The lines of a cue without tags, escapes and blank lines.
fn plain(payload: &str) -> Vec<String> {
    let mut text = String::with_capacity(payload.len());
    let mut rest = payload;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        // A tag may go over lines, and one that does not end goes to the end.
        rest = tag.split_once('>').map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    let line = |line: &str| unescape(line).split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(line).filter(|line| !line.is_empty()).collect()
}

/// `&amp;` last, so that what it makes is not read again.
fn unescape(line: &str) -> String {
    if !line.contains('&') {
        return line.to_owned();
    }
    let pairs =
        [("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", " "), ("&lrm;", ""), ("&rlm;", ""), ("&quot;", "\""), ("&#39;", "'")];
    let line = pairs.iter().fold(line.to_owned(), |line, (escape, plain)| line.replace(escape, plain));
    line.replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<(f64, f64, String)> {
        read_webvtt(text).unwrap().into_iter().map(|cue| (cue.start, cue.end, cue.lines.join("|"))).collect()
    }

    fn cue(start: f64, end: f64, text: &str) -> (f64, f64, String) {
        (start, end, text.into())
    }

    #[test]
    fn notes_styles_settings_and_line_ends() {
        let text = "\u{feff}WEBVTT - title\nKind: captions\n\nNOTE\na --> note? no\n\nSTYLE\n::cue { color: red }\n\nintro\n\
            00:01.500 --> 00:00:02.000 align:start position:0%\n<v Ann>Hi &amp; <i>you</i> &amp;lt;\n\n100:00:00.000 --> 100:00:01.000\n\
            two\nlines\n\n00:05.000 --> 00:04.000\nbackwards\n\nx --> y\nrubbish\n\n00:99.000 --> 01:40.000\nno clock\n";
        let want = [cue(1.5, 2.0, "Hi & you &lt;"), cue(360_000.0, 360_001.0, "two|lines")];
        assert_eq!(read(text), want);
        assert_eq!(read(&text.replace('\n', "\r\n")), want);
        assert_eq!(read(&text.replace('\n', "\r")), want);
        assert_eq!(read("WEBVTT"), []);
        for bad in ["", "WEBVTTX\n", "1\n00:00:01,000 --> 00:00:02,000\nsrt\n", "<!doctype html>"] {
            assert!(read_webvtt(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rolling_captions_say_each_line_once() {
        let text = "WEBVTT\nKind: captions\nLanguage: en\n\n\
            00:00:00.160 --> 00:00:02.350 align:start position:0%\n \nso<00:00:00.400><c> here</c><00:00:00.640><c> we</c>\n\n\
            00:00:02.350 --> 00:00:02.360 align:start position:0%\nso here we\n \n\n\
            00:00:02.360 --> 00:00:05.000 align:start position:0%\nso here we\nare<00:00:03.000><c> again</c>\n\n\
            00:00:05.000 --> 00:00:05.010 align:start position:0%\nare again\n \n";
        assert_eq!(read(text), [cue(0.16, 2.36, "so here we"), cue(2.36, 5.01, "are again")]);
    }

    #[test]
    fn what_is_said_again_later_is_kept() {
        let text = "WEBVTT\n\n00:01.000 --> 00:02.000\nno\n\n00:03.000 --> 00:04.000\nno\n\n00:04.000 --> 00:05.000\nyes\nno\n";
        assert_eq!(read(text), [cue(1.0, 2.0, "no"), cue(3.0, 4.0, "no"), cue(4.0, 5.0, "yes|no")]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(WEBVTT\n)?([0-9:.<>& \n\r-]|00:0[0-9].000 --> 00:0[0-9].000\n){0,30}") {
            for cue in read_webvtt(&text).unwrap_or_default() {
                prop_assert!(cue.start < cue.end && !cue.lines.is_empty());
            }
        }
    }
}
