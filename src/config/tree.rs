//! Checks the names in a tree, and lays `-o key=value` over it.

use super::error::{At, Problem};
use super::keys::{self, Key};
use super::node::{Entry, Node, Value};
use super::syntax;

/// Lays the n-th override over the tree; sections that it needs are made.
pub(super) fn lay_over(root: &mut Node, n: usize, given: &str) -> Result<(), Problem> {
    let at = At::Override(n);
    let Some((key, text)) = given.split_once('=') else {
        return Err(Problem::new("", at, "not of the form key=value").help("write `-o storage.oom_shard_count=5`"));
    };
    let key = full_key(key.trim());
    if key.split('.').any(str::is_empty) {
        return Err(Problem::new("", at, "the key has an empty name in it").help("write `section.key=value`"));
    }
    let mut value = syntax::parse(text).map_err(|problem| {
        Problem::new(&key, at, format!("the value is not YAML: {}", problem.message))
            .help("text with special characters needs quotes of its own: `-o 'key=\"te: xt\"'`")
    })?;
    value.relocate(at);
    set(root, &key, value, at)
}

/// `url_list` is short for `job.url_list`, as on video2dataset's command line.
fn full_key(key: &str) -> String {
    let first = key.split('.').next().unwrap_or(key);
    let is_section = keys::names("").any(|name| name == first);
    let is_job_key = keys::names("job").any(|name| name == first);
    if !is_section && is_job_key { format!("job.{key}") } else { key.to_owned() }
}

fn set(root: &mut Node, key: &str, value: Node, at: At) -> Result<(), Problem> {
    let mut node = root;
    for name in key.split('.') {
        if node.value == Value::Null {
            node.value = Value::Map(Vec::new());
        }
        let Value::Map(entries) = &mut node.value else {
            return Err(Problem::new(key, at, format!("cannot set `{name}` inside a value that is not a mapping"))
                .help("override the whole value"));
        };
        let index = entries.iter().position(|entry| entry.key == name).unwrap_or_else(|| {
            entries.push(Entry { key: name.to_owned(), key_at: at, node: Node::null(at) });
            entries.len() - 1
        });
        // The index was found or made just above.
        let Some(entry) = entries.get_mut(index) else { return Ok(()) };
        node = &mut entry.node;
    }
    *node = value;
    Ok(())
}

/// Reports keys that do not exist, and drops those set to null where null means "the default".
pub(super) fn check_names(root: &mut Node) -> Vec<Problem> {
    let mut problems = Vec::new();
    check_section(root, "", &mut problems);
    problems
}

fn check_section(node: &mut Node, section: &str, problems: &mut Vec<Problem>) {
    let Value::Map(entries) = &mut node.value else { return };
    let open = keys::key(section).is_some_and(|key| key.open);
    entries.retain_mut(|entry| {
        let path = if section.is_empty() { entry.key.clone() } else { format!("{section}.{}", entry.key) };
        // A dot inside a name would look like a key of a section.
        let Some(key) = keys::key(&path).filter(|_| !entry.key.contains('.')) else {
            if !open {
                problems.push(unknown(entry, section));
            }
            return true;
        };
        if entry.node.value == Value::Null && !key.nullable {
            return false;
        }
        if key.section {
            check_section(&mut entry.node, &path, problems);
        }
        true
    });
}

fn unknown(entry: &Entry, section: &str) -> Problem {
    let name = &entry.key;
    let place = if section.is_empty() { "at the top level".to_owned() } else { format!("in `{section}`") };
    let problem = Problem::new("", entry.key_at, format!("unknown key `{name}` {place}"));
    problem.help(remedy(name, section))
}

fn remedy(name: &str, section: &str) -> String {
    if let Some((above, last)) = name.rsplit_once('.')
        && keys::key(name).is_some()
    {
        return format!("in the file, write `{last}` inside the section `{above}`; only `-o` takes dots");
    }
    let elsewhere = |key: &&Key| !key.section && key.path.rsplit('.').next() == Some(name);
    if let Some(key) = keys::keys().iter().find(elsewhere) {
        return format!("the full key is `{}`: move it into that section, or give it with `-o`", key.path);
    }
    if let Some(near) = nearest(name, keys::names(section)) {
        return format!("did you mean `{near}`?");
    }
    let last = |key: &'static Key| key.path.rsplit('.').next().unwrap_or(&key.path);
    if let Some(near) = nearest(name, keys::keys().iter().map(last))
        && let Some(key) = keys::keys().iter().find(|key| last(key) == near)
    {
        return format!("did you mean `{}`?", key.path);
    }
    let known: Vec<&str> = keys::names(section).collect();
    format!("known keys here: {}", known.join(", "))
}

/// The nearest of `known`, if it is near enough to be a slip of the hand.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let folded = |text: &str| text.to_lowercase().replace(['-', ' '], "_");
    let name = folded(name);
    let scored = known.map(|one| (strsim::damerau_levenshtein(&name, &folded(one)), one));
    let (distance, near) = scored.min_by_key(|(distance, _)| *distance)?;
    let longest = name.chars().count().max(near.chars().count());
    (distance * 3 <= longest).then_some(near)
}
