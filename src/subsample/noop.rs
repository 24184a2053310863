//! Leaves the media as it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Needs, Subsampler};

/// No settings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {}

impl Subsampler for Settings {
    fn needs(&self, _: &mut Needs) {}
}
