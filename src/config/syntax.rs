//! YAML text to a tree, with the parser's complaints in the words of a config.

use serde_saphyr::Error;

use super::error::{At, Problem};
use super::node::{Node, place};

/// Parses one YAML document; an empty one is null.
///
/// The limits are far above any real config and far below what an alias bomb needs.
pub(super) fn parse(text: &str) -> Result<Node, Problem> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: 64, max_events: 200_000, max_nodes: 100_000 },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 20_000 },
        // `no` and `on` are words where a word is wanted; `de` takes them for booleans where one is wanted.
        strict_booleans: true,
        // YAML 1.1 reads 010 as 8, YAML 1.2 as 10: taken as text, so that it is refused where a number is wanted.
        leading_zero_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        return Ok(Node::null(At::Nowhere));
    }
    serde_saphyr::from_str_with_options::<Node>(text, options).map_err(|error| problem(&error))
}

fn problem(error: &Error) -> Problem {
    let mut inner = error.without_snippet();
    while let Error::AliasError { error, .. } = inner {
        inner = error.without_snippet();
    }
    let at = error.location().map_or(At::Nowhere, place);
    let (message, help) = in_words(inner);
    Problem { help, ..Problem::new("", at, message) }
}

fn in_words(error: &Error) -> (String, Option<String>) {
    let (message, help) = match error {
        Error::DuplicateMappingKey { key: Some(key), .. } => (format!("the key `{key}` stands here twice"), "keep one"),
        Error::DuplicateMappingKey { .. } => ("a key stands here twice".into(), "keep one"),
        Error::MultipleDocuments { .. } => {
            ("a second YAML document begins".into(), "one config, one document: remove the `---` and what follows")
        }
        Error::NonFiniteFloat { .. } => ("not a finite number".into(), "write a finite number"),
        Error::UnknownAnchor { .. } => {
            ("an alias to an anchor that does not exist".into(), "text that starts with `*` needs quotes")
        }
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            ("aliases expand to too much".into(), "write the values out; no config needs that many")
        }
        Error::Budget { .. } => ("too large or nested too deeply for a config".into(), "is this the right file?"),
        Error::NullIntoString { .. } => ("null cannot be a key".into(), "put it in quotes if it is a name"),
        other => return parser_words(other),
    };
    (message, Some(help.to_owned()))
}

/// The parser's own text, without the place, which the report's first line says already.
fn parser_words(error: &Error) -> (String, Option<String>) {
    let options = serde_saphyr::render_options! { snippets: serde_saphyr::SnippetMode::Off };
    let text = error.render_with_options(options);
    let end = [" at line ", ": line "].iter().filter_map(|mark| text.rfind(mark)).max();
    let message = text.get(..end.unwrap_or(text.len())).unwrap_or(&text).to_owned();
    let help = message.starts_with("tabs ").then(|| "indent with spaces".to_owned());
    (message, help)
}
