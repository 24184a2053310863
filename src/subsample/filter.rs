//! Keeps the samples that meet a condition on their JSON; the others have the status `filtered`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::expression::Expression;
use super::{Needs, Problem, Subsampler};
use crate::sample::{Failure, FailureClass};

/// Settings of `FilterSubsampler`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The condition that a sample or a clip has to meet, e.g. `duration >= 2 and motion > 0.03`.
    #[schemars(with = "Option<String>")]
    pub expression: Option<Expression>,
}

impl Settings {
    /// The fields that the condition looks at.
    pub fn looks_at(&self) -> Vec<&str> {
        self.expression.as_ref().map(Expression::fields).unwrap_or_default()
    }
}

/// Whether a field is made by watching the video, so that it is known only after a decode.
fn is_watched(field: &str) -> bool {
    matches!(field, "cuts" | "motion" | "motion_max") || field.starts_with("black_") || field.starts_with("static_")
}

impl Subsampler for Settings {
    fn needs(&self, needs: &mut Needs) {
        needs.decides |= self.looks_at().into_iter().any(is_watched);
    }

    fn problems(&self) -> Vec<Problem> {
        if self.expression.is_none() {
            let help = "write a condition: `duration >= 2`";
            return vec![Problem::new("args.expression", "there is nothing to filter by", help)];
        }
        if self.looks_at().contains(&"clip") {
            let help = "look at `duration` or `clips`, which are known before";
            return vec![Problem::new("args.expression", "`clip` is made after the filter's turn", help)];
        }
        Vec::new()
    }

    fn keeps(&self, meta: &Map<String, Value>) -> Result<bool, Failure> {
        let Some(expression) = &self.expression else { return Ok(true) };
        let failed = |clash| Failure::new(FailureClass::BadRow, format!("FilterSubsampler: {clash}"));
        expression.holds(meta).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::subsample::registry;

    fn settings(expression: &str) -> Settings {
        serde_json::from_value(json!({ "expression": expression })).unwrap()
    }

    #[test]
    fn mistakes_stand_at_the_expression_with_their_column() {
        let problems = |args: Value| registry::problems("FilterSubsampler", &args);
        let found = problems(json!({"expression": "duration >"}));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].key, "args.expression");
        assert_eq!(found[0].message, "column 11: expected a value, found the end");
        assert_eq!(problems(json!({}))[0].message, "there is nothing to filter by");
        assert_eq!(
            problems(json!({"expression": "clip.frames > 3"}))[0].message,
            "`clip` is made after the filter's turn"
        );
        assert!(problems(json!({"expression": "duration >= 2 and motion > 0.3"})).is_empty());
    }

    #[test]
    fn only_what_is_watched_makes_others_wait() {
        let decides = |expression: &str| {
            let mut needs = Needs::default();
            settings(expression).needs(&mut needs);
            needs.decides
        };
        assert!(!decides("duration >= 2 and video_metadata.streams[0].width > 1 and caption != 'motion'"));
        for field in ["motion", "motion_max", "cuts.original_fps", "black_ratio", "static_segments[0][0]"] {
            assert!(decides(&format!("likes > 3 or {field} > 1")), "{field}");
        }
    }

    #[test]
    fn a_clash_is_the_samples_failure() {
        let filter = settings("likes > 3");
        let keeps = |meta: Value| filter.keeps(meta.as_object().unwrap());
        assert_eq!(keeps(json!({"likes": 4})), Ok(true));
        assert_eq!(keeps(json!({"likes": "2"})), Ok(false));
        assert_eq!(keeps(json!({})), Ok(false));
        let failure = keeps(json!({"likes": "many"})).unwrap_err();
        assert_eq!(failure.class, FailureClass::BadRow);
        assert_eq!(
            failure.message,
            "FilterSubsampler: `likes > 3` cannot be worked out: text and a number have no order"
        );
    }
}
