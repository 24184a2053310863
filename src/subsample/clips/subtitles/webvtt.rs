//! A reader of WebVTT (W3C, "WebVTT: The Web Video Text Tracks Format", section 6), as far as text and times go.

use super::Cue;
use super::roll::Roll;
use super::text::plain;

/// Whether a text says that it is WebVTT.
pub fn is_webvtt(text: &str) -> bool {
    text.strip_prefix('\u{feff}').unwrap_or(text).starts_with("WEBVTT")
}

/// Reads a WebVTT file: its cues in their order, without tags, settings, notes and styles. Cues whose times make no sense
/// are left out, as the standard says, and counted.
///
/// # Errors
/// What is wrong, if it is no WebVTT.
pub fn read_webvtt(text: &str, roll: &mut Roll<'_>) -> Result<(), String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
    let is_header =
        text.strip_prefix("WEBVTT").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\n']));
    if !is_header {
        return Err("no WebVTT: the first line is not `WEBVTT`".into());
    }
    let mut lines = text.lines().skip(1).peekable();
    // Whatever is no timing outside of a cue is a header, an identifier, a note or a style.
    while let Some(line) = lines.next() {
        if !line.contains("-->") {
            continue;
        }
        let mut payload = String::new();
        while let Some(line) = lines.next_if(|line| !line.is_empty() && !line.contains("-->")) {
            payload.push_str(line);
            payload.push('\n');
        }
        match timing(line) {
            Some((start, end)) => roll.push(Cue { start, end, lines: plain(&payload) }),
            None => roll.drop_for(|| "a line has no times".to_owned()),
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Subtitles, read};

    fn subtitles(text: &str) -> Subtitles {
        read(&text.into())
    }

    fn cues(text: &str) -> Vec<(f64, f64, String)> {
        subtitles(text).first().iter().map(|cue| (cue.start, cue.end, cue.lines.join("|"))).collect()
    }

    fn cue(start: f64, end: f64, text: &str) -> (f64, f64, String) {
        (start, end, text.into())
    }

    #[test]
    fn notes_styles_settings_and_line_ends() {
        let text = "\u{feff}WEBVTT - title\nKind: captions\n\nNOTE\na note? yes\n\nSTYLE\n::cue { color: red }\n\nintro\n\
            00:01.500 --> 00:00:02.000 align:start position:0%\n<v Ann>Hi &amp; <i>you</i> &amp;lt;\n\n100:00:00.000 --> 100:00:01.000\n\
            two\nlines\n\n00:05.000 --> 00:04.000\nbackwards\n\nx --> y\nrubbish\n\n00:99.000 --> 01:40.000\nno clock\n";
        let want = [cue(1.5, 2.0, "Hi & you &lt;"), cue(360_000.0, 360_001.0, "two|lines")];
        assert_eq!(cues(text), want);
        assert_eq!(cues(&text.replace('\n', "\r\n")), want);
        assert_eq!(cues(&text.replace('\n', "\r")), want);
        assert_eq!(subtitles(text).dropped, 3);
        assert_eq!(subtitles(text).problem.as_deref(), Some("a line ends where it begins, or before"));
        assert_eq!(subtitles("WEBVTT"), Subtitles::default());
        for bad in ["WEBVTTX\n", "1\n00:00:01,000 --> 00:00:02,000\nsrt\n", "<!doctype html>"] {
            assert!(subtitles(bad).problem.is_some(), "{bad}");
        }
    }

    #[test]
    fn rolling_captions_say_each_line_once() {
        let text = "WEBVTT\nKind: captions\nLanguage: en\n\n\
            00:00:00.160 --> 00:00:02.350 align:start position:0%\n \nso<00:00:00.400><c> here</c><00:00:00.640><c> we</c>\n\n\
            00:00:02.350 --> 00:00:02.360 align:start position:0%\nso here we\n \n\n\
            00:00:02.360 --> 00:00:05.000 align:start position:0%\nso here we\nare<00:00:03.000><c> again</c>\n\n\
            00:00:05.000 --> 00:00:05.010 align:start position:0%\nare again\n \n";
        assert_eq!(cues(text), [cue(0.16, 2.36, "so here we"), cue(2.36, 5.01, "are again")]);
    }

    #[test]
    fn what_is_said_again_later_is_kept() {
        let text = "WEBVTT\n\n00:01.000 --> 00:02.000\nno\n\n00:03.000 --> 00:04.000\nno\n\n00:04.000 --> 00:05.000\nyes\nno\n";
        assert_eq!(cues(text), [cue(1.0, 2.0, "no"), cue(3.0, 4.0, "no"), cue(4.0, 5.0, "yes|no")]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(WEBVTT\n)?([0-9:.<>& \n\r-]|00:0[0-9].000 --> 00:0[0-9].000\n){0,30}") {
            for cue in subtitles(&text).first() {
                prop_assert!(cue.start < cue.end && !cue.lines.is_empty());
            }
        }
    }
}
