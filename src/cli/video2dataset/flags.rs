//! Splits the words of a command line into flags and values, by the rules of Python Fire, which video2dataset uses.

use serde_json::Value;

use super::literal::{self, LiteralError};
use super::table::{Kind, Meaning, find};

/// What is wrong with a command line.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum FlagError {
    #[error("there is no flag --{flag}; {}", near.map_or("`--help` lists them".to_owned(), |near| format!("did you mean --{near}?")))]
    Unknown { flag: String, near: Option<&'static str> },
    #[error("--{flag} needs a value: --{flag}=VALUE")]
    NoValue { flag: &'static str },
    #[error("--{flag}: `{text}` is not a value in Python's spelling: {why}")]
    NotLiteral { flag: &'static str, text: String, why: LiteralError },
    #[error("--{flag}: `{text}` is neither True nor False")]
    NotBool { flag: &'static str, text: String },
    #[error("--{flag} is no flag of video2dataset 1.3 any more: it became {instead}, see doc/subsamplers.md")]
    Moved { flag: &'static str, instead: &'static str },
    #[error("`{word}`: flags of one letter are not available, write the flag's whole name")]
    Letter { word: String },
    #[error("`{word}` belongs to no flag: only the url_list and the output_folder may stand without one")]
    Stray { word: String },
    #[error("`--`: what follows it are flags of Python Fire, which clipmill has not; remove it")]
    Fire,
    #[error("no input: give --url_list=TABLE")]
    NoInput,
    #[error("--config: the built-in config `caption` makes captions with a model, which this version does not do")]
    NoCaptions,
    #[error("--config: must be a name, a path, or a dict with the sections of a config")]
    NotConfig,
}

/// What the command line says, in the order of its words.
#[derive(Debug, Default, PartialEq)]
pub struct Flags {
    /// Keys of the config with their values; a key may stand twice, and the last one counts.
    pub keys: Vec<(&'static str, Value)>,
    /// `--config`: a text or a mapping.
    pub config: Option<Value>,
    /// `-o`, as it stands.
    pub overrides: Vec<String>,
    pub dry_run: bool,
}

/// Reads the words behind `clipmill video2dataset`.
///
/// # Errors
/// The first word that means nothing.
pub fn parse(words: &[String]) -> Result<Flags, FlagError> {
    let mut flags = Flags::default();
    let mut positional = ["url_list", "output_folder"].into_iter();
    let mut words = words.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        let (name, mut value) = match split(word)? {
            Some((name, value)) => (name, value),
            None => {
                let name = positional.next().ok_or_else(|| FlagError::Stray { word: word.to_owned() })?;
                (name, Some(word))
            }
        };
        if value.is_none() {
            value = words.next_if(|next| !is_flag(next));
        }
        flags.set(name, value)?;
    }
    Ok(flags)
}

/// `--name`, `--name=value`, `-o`, or none for a word that is no flag.
fn split(word: &str) -> Result<Option<(&str, Option<&str>)>, FlagError> {
    if word == "--" {
        return Err(FlagError::Fire);
    }
    if !is_flag(word) {
        return Ok(None);
    }
    let Some(long) = word.strip_prefix("--") else {
        return match word.strip_prefix("-o") {
            Some("") => Ok(Some(("override", None))),
            Some(given) => Ok(Some(("override", Some(given.strip_prefix('=').unwrap_or(given))))),
            None => Err(FlagError::Letter { word: word.to_owned() }),
        };
    };
    Ok(Some(long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)))))
}

/// Whether a word begins a flag, and so is no value: `--name`, or `-x` with a letter. `-5` is a value.
fn is_flag(word: &str) -> bool {
    let letter = word.strip_prefix('-').and_then(|rest| rest.chars().next());
    word.starts_with("--") || letter.is_some_and(char::is_alphabetic)
}

impl Flags {
    fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), FlagError> {
        let (flag, meaning, denied) = find(name)?;
        let needed = || value.ok_or(FlagError::NoValue { flag });
        match meaning {
            Meaning::Moved(instead) => return Err(FlagError::Moved { flag, instead }),
            Meaning::DryRun => self.dry_run = truth(flag, value)?,
            Meaning::Override => self.overrides.push(needed()?.to_owned()),
            Meaning::Config => self.config = Some(text_or_literal(flag, needed()?)?),
            Meaning::Key(key, Kind::Bool) => self.keys.push((key, (truth(flag, value)? != denied).into())),
            Meaning::Key(key, Kind::Text) => self.keys.push((key, text_or_literal(flag, needed()?)?)),
            Meaning::Key(key, Kind::Literal) => self.keys.push((key, read_literal(flag, needed()?)?)),
        }
        Ok(())
    }
}

fn truth(flag: &'static str, value: Option<&str>) -> Result<bool, FlagError> {
    match value {
        None | Some("True" | "true" | "1") => Ok(true),
        Some("False" | "false" | "0" | "None") => Ok(false),
        Some(text) => Err(FlagError::NotBool { flag, text: text.to_owned() }),
    }
}

fn read_literal(flag: &'static str, text: &str) -> Result<Value, FlagError> {
    literal::parse(text).map_err(|why| FlagError::NotLiteral { flag, text: text.to_owned(), why })
}

/// A text that only looks like a number stays one: `--url_col 5` names the column `5`.
fn text_or_literal(flag: &'static str, text: &str) -> Result<Value, FlagError> {
    let quoted = text.len() > 1 && ['\'', '"'].iter().any(|quote| text.starts_with(*quote) && text.ends_with(*quote));
    // A brace alone begins a pattern of names: `{00000..00004}.tar`.
    let literal = quoted || text == "None" || text.starts_with('[') || (text.starts_with('{') && text.ends_with('}'));
    if literal { read_literal(flag, text) } else { Ok(text.into()) }
}
