//! The environment as a value, so that detection is a pure function of it.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::ClusterError;

/// A snapshot of the environment variables. An empty value counts as unset, as most launchers mean it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Env(BTreeMap<String, String>);

impl Env {
    /// What this process was started with. Names and values that are not UTF-8 are left out: no launcher sets such.
    pub fn from_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A variable that must be a number where it is set.
    ///
    /// # Errors
    /// [`ClusterError::BadVariable`] when it is set to something else.
    pub fn number<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, ClusterError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.trim().parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(ClusterError::BadVariable { name, value: value.to_owned() }),
        }
    }

    /// The first of these variables that is set.
    pub(crate) fn first_of<'a>(&self, names: &[&'a str]) -> Option<&'a str> {
        names.iter().copied().find(|name| self.has(name))
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}
