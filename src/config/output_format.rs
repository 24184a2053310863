//! The formats of shards, and what they do not go together with.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::validate::Found;
use super::{IncrementalMode, Job};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OutputFormat {
    /// `00000.tar`.
    Webdataset,
    /// `00000.h5`: a group for each sample.
    Hdf5,
    /// `00000.tfrecord`: a `tf.train.Example` for each sample.
    Tfrecord,
    /// No samples: the counts alone.
    Dummy,
}

impl OutputFormat {
    /// Those that are files of their own, and made of the tar.
    pub const RENDERED: [Self; 2] = [OutputFormat::Hdf5, OutputFormat::Tfrecord];

    /// The extension of a shard's file of samples; `None`: the format has no such file.
    pub fn suffix(self) -> Option<&'static str> {
        match self {
            OutputFormat::Webdataset => Some("tar"),
            OutputFormat::Hdf5 => Some("h5"),
            OutputFormat::Tfrecord => Some("tfrecord"),
            OutputFormat::Dummy => None,
        }
    }
}

/// What only tars can do: be read back.
pub(super) fn check(job: &Job, found: &mut Found) {
    let suffixes = OutputFormat::RENDERED.into_iter().filter_map(OutputFormat::suffix);
    for suffix in suffixes {
        for (n, path) in job.url_list.iter().enumerate() {
            if path.to_ascii_lowercase().ends_with(&format!(".{suffix}")) {
                found.add(
                    &format!("job.url_list.{n}"),
                    format!("`.{suffix}` shards cannot be read back"),
                    "name the table, or the tars of a job with `output_format: webdataset`",
                );
            }
        }
    }
    if job.output_format != OutputFormat::Webdataset && job.incremental_mode == IncrementalMode::RetryFailed {
        found.add_both(
            "job.incremental_mode",
            "job.output_format",
            "retry_failed reads shards back, which only `webdataset` shards can be",
            "set incremental_mode: overwrite to make them anew, or output_format: webdataset in a folder of its own",
        );
    }
}
