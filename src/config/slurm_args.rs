//! `distribution.distributor_args` of the distributor `slurm`: video2dataset's names, and a few of sbatch's beside them.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value as Json;

use super::tree::nearest;
use super::validate::Found;

/// What a job asks Slurm for. What is not given is left to the template or to the cluster.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SlurmArgs {
    pub job_name: Option<String>,
    pub partition: Option<String>,
    pub account: Option<String>,
    pub qos: Option<String>,
    pub constraint: Option<String>,
    pub nodelist: Option<String>,
    pub exclude: Option<String>,
    pub comment: Option<String>,
    pub n_nodes: u32,
    #[serde(alias = "n_tasks_per_node")]
    pub tasks_per_node: u32,
    pub cpus_per_task: Option<u32>,
    pub gpus_per_node: u32,
    /// Over all nodes, as sbatch's `--gpus`.
    pub gpus: Option<Words>,
    pub mem: Option<Words>,
    /// Slurm's spelling, or minutes.
    pub time: Option<Words>,
    /// video2dataset's limit, seconds; `time` beats it.
    pub timeout: Option<f64>,
    /// Where the job's files go.
    pub cache_path: Option<PathBuf>,
    /// Has no effect: nobody waits.
    pub verbose_wait: bool,
}

/// A word, or a number that stands for one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Words {
    Text(String),
    Number(u64),
}

impl Default for SlurmArgs {
    fn default() -> Self {
        Self {
            job_name: None,
            partition: None,
            account: None,
            qos: None,
            constraint: None,
            nodelist: None,
            exclude: None,
            comment: None,
            n_nodes: 1,
            tasks_per_node: 1,
            cpus_per_task: None,
            gpus_per_node: 0,
            gpus: None,
            mem: None,
            time: None,
            timeout: None,
            cache_path: None,
            verbose_wait: false,
        }
    }
}

const NAMES: [&str; 19] = [
    "job_name",
    "partition",
    "account",
    "qos",
    "constraint",
    "nodelist",
    "exclude",
    "comment",
    "n_nodes",
    "tasks_per_node",
    "n_tasks_per_node",
    "cpus_per_task",
    "gpus_per_node",
    "gpus",
    "mem",
    "time",
    "timeout",
    "cache_path",
    "verbose_wait",
];

impl SlurmArgs {
    /// From the config's value; null is nothing given.
    ///
    /// # Errors
    /// What does not fit, for people.
    pub fn parse(given: Option<&Json>) -> Result<Self, String> {
        match given {
            None | Some(Json::Null) => Ok(Self::default()),
            Some(given) => serde_json::from_value(without_nulls(given)).map_err(|error| error.to_string()),
        }
    }

    /// The options of sbatch.
    pub fn options(&self) -> Vec<String> {
        let text = |name: &str, value: &Option<String>| value.as_ref().map(|value| format!("--{name}={value}"));
        let number = |name: &str, value: Option<u32>| value.map(|value| format!("--{name}={value}"));
        let words = |name: &str, value: &Option<Words>| {
            value.as_ref().map(|value| match value {
                Words::Text(text) => format!("--{name}={text}"),
                Words::Number(number) => format!("--{name}={number}"),
            })
        };
        // Slurm counts minutes, and a limit below one is none.
        let minutes = self.timeout.map(|seconds| Words::Number((seconds / 60.0).ceil().max(1.0) as u64));
        let time = self.time.clone().or(minutes);
        [
            text("job-name", &self.job_name),
            text("partition", &self.partition),
            text("account", &self.account),
            text("qos", &self.qos),
            text("constraint", &self.constraint),
            text("nodelist", &self.nodelist),
            text("exclude", &self.exclude),
            text("comment", &self.comment),
            number("nodes", Some(self.n_nodes)),
            number("ntasks-per-node", Some(self.tasks_per_node)),
            number("cpus-per-task", self.cpus_per_task),
            number("gpus-per-node", Some(self.gpus_per_node).filter(|gpus| *gpus > 0)),
            words("gpus", &self.gpus),
            words("mem", &self.mem),
            words("time", &time),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// video2dataset's configs write null for "not given".
fn without_nulls(given: &Json) -> Json {
    match given {
        Json::Object(map) => {
            map.iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect()
        }
        other => other.clone(),
    }
}

pub(super) fn check(given: Option<&Json>, found: &mut Found) {
    const KEY: &str = "distribution.distributor_args";
    let names = given.and_then(Json::as_object).into_iter().flatten().map(|(name, _)| name);
    let unknown: Vec<&String> = names.filter(|name| !NAMES.contains(&name.as_str())).collect();
    for name in &unknown {
        let help = match nearest(name, NAMES.into_iter()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known: {}", NAMES.join(", ")),
        };
        found.add(&format!("{KEY}.{name}"), format!("`{name}` is no argument for Slurm"), help);
    }
    if !unknown.is_empty() {
        return;
    }
    let args = match SlurmArgs::parse(given) {
        Ok(args) => args,
        Err(why) => return found.add(KEY, why, "see doc/launchers.md for the arguments and their types"),
    };
    let counts = [
        ("n_nodes", Some(args.n_nodes)),
        ("tasks_per_node", Some(args.tasks_per_node)),
        ("cpus_per_task", args.cpus_per_task),
    ];
    for (name, _) in counts.iter().filter(|(_, count)| *count == Some(0)) {
        found.add(&format!("{KEY}.{name}"), "must be at least 1", "leave it out for the default");
    }
    if args.timeout.is_some_and(|seconds| !(seconds > 0.0 && seconds <= 31_536_000.0)) {
        found.add(&format!("{KEY}.timeout"), "must be more than 0 and at most 31536000 seconds", "leave it out");
    }
    let empty = |option: &String| option.ends_with('=') || option.chars().any(char::is_control);
    for option in args.options().iter().filter(|option| empty(option)) {
        let name = option.split('=').next().unwrap_or_default();
        found.add(KEY, format!("the value for sbatch's {name} is empty, or holds control characters"), "leave it out");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn options(given: Json) -> String {
        SlurmArgs::parse(Some(&given)).unwrap().options().join(" ")
    }

    #[test]
    fn old_arguments_become_options_of_sbatch() {
        let old = json!({
            "cpus_per_task": 96, "job_name": "v2ds", "partition": "cpu64", "n_nodes": 6, "gpus_per_node": 8,
            "account": "laion", "tasks_per_node": 2, "nodelist": null, "constraint": "fast", "exclude": "n[1-2]",
            "cache_path": "/cache", "timeout": 3601, "verbose_wait": true
        });
        assert_eq!(
            options(old),
            "--job-name=v2ds --partition=cpu64 --account=laion --constraint=fast --exclude=n[1-2] --nodes=6 \
             --ntasks-per-node=2 --cpus-per-task=96 --gpus-per-node=8 --time=61"
        );
        assert_eq!(options(json!({})), "--nodes=1 --ntasks-per-node=1");
        let more =
            json!({"n_tasks_per_node": 4, "gpus": "a100:2", "time": "1-00:00:00", "timeout": 60, "comment": "x y"});
        assert_eq!(options(more), "--comment=x y --nodes=1 --ntasks-per-node=4 --gpus=a100:2 --time=1-00:00:00");
    }

    #[test]
    fn every_name_is_known_to_both() {
        for name in NAMES {
            let value = ["n_nodes", "tasks_per_node", "n_tasks_per_node", "cpus_per_task", "gpus_per_node", "timeout"];
            let value = match name {
                "verbose_wait" => json!(true),
                name if value.contains(&name) => json!(1),
                _ => json!("x"),
            };
            SlurmArgs::parse(Some(&json!({ name: value }))).unwrap();
        }
    }
}
