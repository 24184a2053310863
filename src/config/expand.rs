//! `${VAR}` and `~/` in paths.

use std::path::PathBuf;

use super::Config;
use super::error::{At, Problem};

/// Looks up an environment variable: `Ok(None)` where it is not set, `Err` where it is not UTF-8.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Result<Option<String>, ()>;

/// The process's environment.
pub(super) fn environment(name: &str) -> Result<Option<String>, ()> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(()),
    }
}

/// Expands the keys that hold paths.
pub(super) fn paths(config: &mut Config, lookup: Lookup<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let job = &mut config.job;
    for (n, path) in job.url_list.iter_mut().enumerate() {
        expand_in_place(path, &format!("job.url_list.{n}"), lookup, &mut problems);
    }
    let sites = &mut config.reading.yt_args;
    let paths = [
        ("job.output_folder", Some(&mut job.output_folder)),
        ("job.tmp_dir", job.tmp_dir.as_mut()),
        ("telemetry.metrics_file", config.telemetry.metrics_file.as_mut()),
        ("reading.yt_args.program", sites.program.as_mut()),
        ("reading.yt_args.cookies", sites.cookies.as_mut()),
        ("reading.yt_args.cache_dir", sites.cache_dir.as_mut()),
    ];
    for (key, folder) in paths {
        let Some(folder) = folder else { continue };
        // A path from YAML is always UTF-8.
        let mut text = folder.to_string_lossy().into_owned();
        expand_in_place(&mut text, key, lookup, &mut problems);
        *folder = PathBuf::from(text);
    }
    problems
}

fn expand_in_place(text: &mut String, key: &str, lookup: Lookup<'_>, problems: &mut Vec<Problem>) {
    match expand(text, lookup) {
        Ok(expanded) => *text = expanded,
        Err((message, help)) => problems.push(Problem::new(key, At::Nowhere, message).help(help)),
    }
}

/// Expands a leading `~` or `~/`, then every `${VAR}`; `$$` is one `$`. The error is a message and what to do.
fn expand(text: &str, lookup: Lookup<'_>) -> Result<String, (String, String)> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    if let Some(after) = text.strip_prefix('~') {
        if !after.is_empty() && !after.starts_with('/') {
            return Err(("`~name` is not expanded".into(), "write the full path, or `./~name` for a file here".into()));
        }
        out.push_str(&variable("HOME", lookup)?);
        rest = after;
    }
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = match after.chars().next() {
            Some('$') => {
                out.push('$');
                after.get(1..).unwrap_or("")
            }
            Some('{') => {
                let (name, after) = braced(after)?;
                out.push_str(&variable(name, lookup)?);
                after
            }
            _ => return Err(("a single `$` in a path".into(), "write `${NAME}` for a variable, `$$` for `$`".into())),
        };
    }
    out.push_str(rest);
    Ok(out)
}

/// Splits `{NAME}rest`.
fn braced(text: &str) -> Result<(&str, &str), (String, String)> {
    let inside = text.strip_prefix('{').unwrap_or(text);
    let (name, after) =
        inside.split_once('}').ok_or_else(|| ("`${` without `}`".to_owned(), "write `${NAME}`".to_owned()))?;
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(word) || name.starts_with(|c: char| c.is_ascii_digit()) {
        let message = format!("`${{{name}}}` does not name a variable");
        return Err((message, "a name has letters, digits and `_`; defaults (`:-`) are not supported".into()));
    }
    Ok((name, after))
}

fn variable(name: &str, lookup: Lookup<'_>) -> Result<String, (String, String)> {
    let set = format!("set it (`export {name}=…`), or write the path out");
    match lookup(name) {
        Ok(Some(value)) if !value.is_empty() => Ok(value),
        // An empty one would turn `${SCRATCH}/out` into `/out`.
        Ok(Some(_)) => Err((format!("the environment variable {name} is empty"), set)),
        Ok(None) => Err((format!("the environment variable {name} is not set"), set)),
        Err(()) => Err((format!("the environment variable {name} is not UTF-8"), set)),
    }
}

/// The text that [`expand`] turns into `path`.
pub(super) fn escape(path: &str) -> String {
    path.replace('$', "$$")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Result<Option<String>, ()> {
        match name {
            "HOME" => Ok(Some("/home/ada".into())),
            "SCRATCH" => Ok(Some("/scratch/$x".into())),
            "EMPTY" => Ok(Some(String::new())),
            "BAD" => Err(()),
            _ => Ok(None),
        }
    }

    #[test]
    fn expands_variables_and_home() {
        let ok = |text| expand(text, &lookup).unwrap();
        assert_eq!(ok("${SCRATCH}/a/${HOME}"), "/scratch/$x/a//home/ada");
        assert_eq!(ok("~/data"), "/home/ada/data");
        assert_eq!(ok("~"), "/home/ada");
        assert_eq!(ok("a~/b"), "a~/b");
        assert_eq!(ok("cost$$5"), "cost$5");
        assert_eq!(ok("$${HOME}"), "${HOME}");
        assert_eq!(ok(""), "");
        assert_eq!(ok("ü/${HOME}é"), "ü//home/adaé");
    }

    #[test]
    fn refuses_what_it_cannot_expand() {
        let message = |text| expand(text, &lookup).unwrap_err().0;
        assert_eq!(message("${NOPE}/x"), "the environment variable NOPE is not set");
        assert_eq!(message("${EMPTY}/x"), "the environment variable EMPTY is empty");
        assert_eq!(message("${BAD}"), "the environment variable BAD is not UTF-8");
        assert_eq!(message("$HOME/x"), "a single `$` in a path");
        assert_eq!(message("x$"), "a single `$` in a path");
        assert_eq!(message("${HOME"), "`${` without `}`");
        assert_eq!(message("${A:-b}"), "`${A:-b}` does not name a variable");
        assert_eq!(message("${}"), "`${}` does not name a variable");
        assert_eq!(message("~bob/x"), "`~name` is not expanded");
    }

    #[test]
    fn escaped_paths_expand_to_themselves() {
        for path in ["a$b", "$$", "${HOME}", "plain"] {
            assert_eq!(expand(&escape(path), &lookup).unwrap(), path);
        }
    }
}
