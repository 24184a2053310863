//! Problems as text: a first line that editors can jump to, the source line with a caret, and what to do.

use std::fmt::Write;

use super::error::{At, Problem, Source, Span};

/// Longest piece of a source line that is shown, characters.
const MAX_SHOWN: usize = 160;

struct Style {
    red: &'static str,
    blue: &'static str,
    bold: &'static str,
    reset: &'static str,
}

const COLOUR: Style = Style { red: "\x1b[1;31m", blue: "\x1b[1;34m", bold: "\x1b[1m", reset: "\x1b[0m" };
const PLAIN: Style = Style { red: "", blue: "", bold: "", reset: "" };

/// All problems, one after the other, without a newline at the end.
pub(super) fn report(source: &Source, problems: &[Problem], colour: bool) -> String {
    blocks(source, problems, "", colour)
}

/// The same for what does not stop a run.
pub(super) fn warnings(source: &Source, problems: &[Problem], colour: bool) -> String {
    blocks(source, problems, "warning: ", colour)
}

fn blocks(source: &Source, problems: &[Problem], word: &str, colour: bool) -> String {
    let style = if colour { COLOUR } else { PLAIN };
    let blocks: Vec<String> = problems.iter().map(|problem| block(source, problem, word, &style)).collect();
    blocks.join("\n\n")
}

/// The `help:` line of an error that has no snippet.
pub(super) fn help_line(help: Option<&str>) -> String {
    help.map(|help| format!("\n  = help: {help}")).unwrap_or_default()
}

fn block(source: &Source, problem: &Problem, word: &str, style: &Style) -> String {
    let Style { blue, bold, reset, .. } = style;
    let said = if names_its_key(source, problem) { problem.message.clone() } else { problem.to_string() };
    let mut text = format!("{bold}{}: {word}{}{reset}", place(source, problem.at), printable(&said));
    let mut margin = 1;
    if let At::File(span) = problem.at
        && let Some(line) = source.text.lines().nth((span.line - 1) as usize)
    {
        margin = span.line.to_string().len();
        text.push_str(&snippet(line, span, style));
    }
    if let Some(help) = &problem.help {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{:margin$} {blue}={reset} help: {}", "", printable(help));
    }
    text
}

/// Whether the place says the key already: `-o reading.timeout=0`.
fn names_its_key(source: &Source, problem: &Problem) -> bool {
    let At::Override(n) = problem.at else { return false };
    let given = source.overrides.get(n).and_then(|given| given.split_once('=')).map_or("", |(key, _)| key.trim());
    problem.key == given || problem.key.strip_prefix("job.") == Some(given)
}

fn place(source: &Source, at: At) -> String {
    match at {
        At::File(span) => format!("{}:{}:{}", source.name, span.line, span.column),
        At::Override(n) => {
            let given = source.overrides.get(n).map_or("", String::as_str);
            format!("-o {}", shorten(&printable(given)))
        }
        At::Nowhere => source.name.clone(),
    }
}

fn snippet(line: &str, span: Span, style: &Style) -> String {
    let Style { red, blue, reset, .. } = style;
    let number = span.line.to_string();
    let margin = number.len();
    let before = (span.column as usize).saturating_sub(1);
    // A long line is shown from a little before the place.
    let skip = if before < MAX_SHOWN - 40 { 0 } else { before - 40 };
    let shown: String = line.chars().skip(skip).take(MAX_SHOWN).collect();
    let left = shown.chars().count().saturating_sub(before - skip);
    let carets = (span.len as usize).clamp(1, left.max(1));
    format!(
        "\n{:margin$} {blue}|{reset}\n{blue}{number} |{reset} {}\n{:margin$} {blue}|{reset} {}{red}{}{reset}",
        "",
        printable(&shown).trim_end(),
        "",
        " ".repeat(before - skip),
        "^".repeat(carets),
    )
}

/// Control characters would move the caret, or speak to the terminal: each becomes one space.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= MAX_SHOWN {
        return text.to_owned();
    }
    let head: String = text.chars().take(MAX_SHOWN).collect();
    format!("{head}…")
}
