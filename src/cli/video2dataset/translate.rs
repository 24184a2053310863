//! Flags of video2dataset to a config and its overrides.

use std::path::PathBuf;

use serde_json::Value;

use super::flags::{FlagError, Flags};
use crate::cli::common::shell_word;

/// What `clipmill run` is given.
#[derive(Debug, PartialEq)]
pub struct Translated {
    pub config: PathBuf,
    pub overrides: Vec<String>,
    pub dry_run: bool,
}

/// Where video2dataset's default is another than clipmill's. `input_format` is not among them: its default, csv, is what
/// clipmill falls back to where the names tell nothing.
const DEFAULTS: [(&str, &str); 2] = [
    ("output_format", "files"),
    // Recipes of Kinetics and MSR-VTT name files in their tables.
    ("reading.allow_local_paths", "true"),
];

/// Keys whose `$` clipmill would expand; video2dataset does not.
const PATHS: [&str; 3] = ["url_list", "output_folder", "tmp_dir"];

/// # Errors
/// No input, or a config that there is not.
pub fn translate(flags: Flags) -> Result<Translated, FlagError> {
    // Also `-o url_list=…` will do.
    let names_input = |given: &String| given.starts_with("url_list=") || given.starts_with("job.url_list=");
    if !flags.keys.iter().any(|(key, _)| *key == "url_list") && !flags.overrides.iter().any(names_input) {
        return Err(FlagError::NoInput);
    }
    let (config, sections) = config(flags.config)?;
    let mut overrides = sections;
    for (key, default) in DEFAULTS {
        if !flags.keys.iter().any(|(given, _)| *given == key) {
            overrides.push(format!("{key}={default}"));
        }
    }
    for (n, (key, value)) in flags.keys.iter().enumerate() {
        let again = flags.keys.iter().skip(n + 1).any(|(later, _)| later == key);
        if !again {
            overrides.push(format!("{key}={}", written(key, value)));
        }
    }
    overrides.extend(flags.overrides);
    Ok(Translated { config, overrides, dry_run: flags.dry_run })
}

/// The config's name or path, and the overrides that a dict becomes.
fn config(given: Option<Value>) -> Result<(PathBuf, Vec<String>), FlagError> {
    match given {
        // All its values are the defaults, as video2dataset's `default` has them.
        None | Some(Value::Null) => Ok(("download".into(), Vec::new())),
        Some(Value::String(name)) => match name.as_str() {
            "default" => Ok(("download".into(), Vec::new())),
            "caption" => Err(FlagError::NoCaptions),
            _ => Ok((name.into(), Vec::new())),
        },
        Some(Value::Object(sections)) => {
            let sections = sections.iter().map(|(name, section)| format!("{name}={section}"));
            Ok(("download".into(), sections.collect()))
        }
        Some(_) => Err(FlagError::NotConfig),
    }
}

/// A value as YAML; JSON is YAML, and short words need no quotes.
fn written(key: &str, value: &Value) -> String {
    match value {
        Value::String(text) => {
            let text = if PATHS.contains(&key) { text.replace('$', "$$") } else { text.clone() };
            if is_plain(&text) { text } else { Value::from(text).to_string() }
        }
        other => other.to_string(),
    }
}

/// Whether YAML takes the text for itself. Numbers, dates and words with a meaning are not plain.
fn is_plain(text: &str) -> bool {
    let meaningful = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && text.chars().all(|one| one.is_ascii_alphanumeric() || "/._-{}$".contains(one))
        && !meaningful.contains(&text.to_ascii_lowercase().as_str())
}

/// The `clipmill run` line, as a shell would take it.
pub fn command_line(config: &std::path::Path, overrides: &[String]) -> String {
    let mut line = format!("clipmill run {}", shell_word(&config.to_string_lossy()));
    for given in overrides {
        line += " -o ";
        line += &shell_word(given);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::super::flags::parse;
    use super::*;

    fn line(words: &[&str]) -> Result<String, FlagError> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let Translated { config, overrides, .. } = parse(&words).and_then(translate)?;
        Ok(command_line(&config, &overrides))
    }

    #[test]
    fn flags_become_overrides() {
        let files = "-o output_format=files -o reading.allow_local_paths=true";
        for (words, want) in [
            (&["--url_list=a.csv"][..], format!("download {files} -o url_list=a.csv")),
            (&["a.csv", "out"], format!("download {files} -o url_list=a.csv -o output_folder=out")),
            (
                &["--url-list", "a.csv", "--encode-formats", "{'video': 'mp4'}", "--enable_wandb"],
                format!(
                    r#"download {files} -o url_list=a.csv -o 'encode_formats={{"video":"mp4"}}' -o enable_wandb=true"#
                ),
            ),
            (
                &["--url_list", "d/{00000..00004}.tar", "--noenable_wandb", "--config=downsample_ml"],
                format!("downsample_ml {files} -o 'url_list=d/{{00000..00004}}.tar' -o enable_wandb=false"),
            ),
            (
                &["--url_list=a.csv", "--url_col", "5", "--caption_col=None", "--clip_col='on'"],
                format!(
                    r#"download {files} -o url_list=a.csv -o 'url_col="5"' -o caption_col=null -o 'clip_col="on"'"#
                ),
            ),
            (
                &["--url_list=it's $5.csv", "--url_list=b$.csv", "--config", "{'storage': {'oom_shard_count': 6}}"],
                format!(r#"download -o 'storage={{"oom_shard_count":6}}' {files} -o 'url_list=b$$.csv'"#),
            ),
            (
                &[
                    "--url_list=a.csv",
                    "--number_sample_per_shard=10",
                    "-o",
                    "reading.retries=0",
                    "--output_format",
                    "webdataset",
                ],
                "download -o reading.allow_local_paths=true -o url_list=a.csv -o storage.number_sample_per_shard=10 \
                 -o output_format=webdataset -o reading.retries=0"
                    .to_owned(),
            ),
        ] {
            assert_eq!(line(words), Ok(format!("clipmill run {want}")), "{words:?}");
        }
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for (words, want) in [
            (&["--url_list=a", "--ouput_folder=o"][..], "did you mean --output_folder?"),
            (&["--url_list=a", "--frobnicate"], "`--help` lists them"),
            (&["--url_list"], "--url_list needs a value"),
            (&["--output_folder=o"], "give --url_list=TABLE"),
            (&["--url_list=a", "--encode_formats={'video'"], "it ends too early"),
            (&["--url_list=a", "--enable_wandb=maybe"], "neither True nor False"),
            (&["--url_list=a", "--nourl_list"], "no flag --nourl_list"),
            (&["--url_list=a", "--video_height=360"], "ResolutionSubsampler"),
            (&["--url_list=a", "-u", "b"], "whole name"),
            (&["a", "b", "files"], "`files` belongs to no flag"),
            (&["--url_list=a", "--", "--trace"], "Python Fire"),
            (&["--url_list=a", "--config=caption"], "captions"),
            (&["--url_list=a", "--config=[1]"], "must be a name"),
        ] {
            let said = line(words).unwrap_err().to_string();
            assert!(said.contains(want), "{words:?}: {said}");
        }
    }
}
