//! From a file and overrides to a validated configuration.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::error::{At, ConfigError, Problem, Source};
use super::expand::{self, Lookup};
use super::node::{Node, Value};
use super::syntax::parse;
use super::{Config, InputFormat, infer, read, render, tree, validate};

/// A configuration that may be used, and where each of its values came from.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    source: Arc<Source>,
    tree: Node,
    warnings: Vec<Problem>,
}

/// Reads, merges and validates: the file (or the shipped config of that name), then each `key=value` in order.
///
/// # Errors
/// [`ConfigError::Read`] when the file cannot be read, [`ConfigError::Invalid`] with every problem that one pass finds.
pub fn load(path: &Path, overrides: &[String]) -> Result<Loaded, ConfigError> {
    from_source(read::read(path, overrides)?, &expand::environment)
}

impl Loaded {
    /// The file as the user named it.
    pub fn name(&self) -> &str {
        &self.source.name
    }

    /// What the user should know although nothing is wrong; each with its place, ready to print.
    pub fn warnings(&self, colour: bool) -> Option<String> {
        (!self.warnings.is_empty()).then(|| render::warnings(&self.source, &self.warnings, colour))
    }

    /// An error that points at a key, for what only shows later (a column that the table does not have).
    pub fn refuse(&self, key: &str, message: impl Into<String>, help: impl Into<String>) -> ConfigError {
        let problem = Problem::new(key, At::Nowhere, message).help(help);
        ConfigError::invalid(&self.source, located(vec![problem], &self.tree))
    }

    /// A run needs a table; a config that leaves it to `-o` is valid without.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] when `job.url_list` names nothing.
    pub fn require_input(&self) -> Result<(), ConfigError> {
        if self.config.job.url_list.is_empty() {
            return Err(self.refuse("job.url_list", "no input table", "give one: `-o url_list=table.csv`"));
        }
        Ok(())
    }
}

impl Config {
    /// Checks a configuration that was not loaded from a file; [`load`] has done it.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with every range and combination that cannot be.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let problems = validate::problems(self);
        if problems.is_empty() {
            return Ok(());
        }
        let source = Source { name: "configuration".into(), ..Source::default() };
        Err(ConfigError::invalid(&Arc::new(source), problems))
    }
}

fn from_source(source: Source, lookup: Lookup<'_>) -> Result<Loaded, ConfigError> {
    let source = Arc::new(source);
    let merged = merge(&source).and_then(|mut tree| {
        let mut config = Config::deserialize(&tree).map_err(|problem| vec![problem])?;
        let problems = complete(&mut config, &mut tree, lookup);
        if problems.is_empty() { Ok((config, tree)) } else { Err(located(problems, &tree)) }
    });
    let (config, tree) = merged.map_err(|problems| ConfigError::invalid(&source, problems))?;
    let warnings = located(validate::warnings(&config), &tree);
    Ok(Loaded { config, source, tree, warnings })
}

/// The file's tree with all overrides laid over it, and every name in it known.
fn merge(source: &Source) -> Result<Node, Vec<Problem>> {
    let mut tree = parse(&source.text).map_err(|problem| vec![problem])?;
    if !matches!(tree.value, Value::Null | Value::Map(_)) {
        let problem = Problem::new("", tree.at, "a config is a mapping of sections, not a list or a single value");
        return Err(vec![
            problem.help("sections: job, subsampling, reading, storage, distribution, encoding, limits, telemetry"),
        ]);
    }
    for (n, given) in source.overrides.iter().enumerate() {
        tree::lay_over(&mut tree, n, given).map_err(|problem| vec![problem])?;
    }
    let unknown = tree::check_names(&mut tree);
    if unknown.is_empty() { Ok(tree) } else { Err(unknown) }
}

/// Expands paths, fills in what depends on other keys, and validates.
fn complete(config: &mut Config, tree: &mut Node, lookup: Lookup<'_>) -> Vec<Problem> {
    let mut problems = expand::paths(config, lookup);
    if tree.find("job.input_format").is_none() {
        match infer::input_format(&config.job.url_list) {
            Ok(Some(format)) => config.job.input_format = format,
            // A folder's name tells nothing, the stage does.
            Ok(None) if config.job.stage.as_deref() == Some("subset") => {
                config.job.input_format = InputFormat::Webdataset;
            }
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    // A path that could not be expanded would only be complained about twice.
    if problems.is_empty() { validate::problems(config) } else { problems }
}

/// Gives each problem the place of its key, or of the nearest section above that was written down.
fn located(problems: Vec<Problem>, tree: &Node) -> Vec<Problem> {
    let mut problems: Vec<Problem> = problems.into_iter().map(|problem| locate(problem, tree)).collect();
    problems.sort_by_key(|problem| problem.at);
    problems
}

fn locate(mut problem: Problem, tree: &Node) -> Problem {
    let written = |key: &&str| tree.find(key).is_some();
    // Where two keys do not fit together, the one that was written down is the one to look at.
    let mut key = [problem.key.as_str()].into_iter().chain(problem.other_key).find(written).unwrap_or(&problem.key);
    loop {
        if let Some(at) = tree.place_of(key) {
            problem.at = at;
            break;
        }
        match key.rsplit_once('.') {
            Some((above, _)) => key = above,
            None => break,
        }
    }
    // An index served to find the item of a list; the place says it better.
    if let Some((list, item)) = problem.key.rsplit_once('.')
        && item.bytes().all(|byte| byte.is_ascii_digit())
    {
        problem.key = list.to_owned();
    }
    problem
}
