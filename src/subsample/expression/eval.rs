//! An expression's value for one sample.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::Clash;
use super::tree::{Expr, Function, Operator, Path, Step};
use crate::subsample::clips;

/// A value; what the sample holds is borrowed.
#[derive(Debug, Clone)]
enum Is<'a> {
    /// A missing field, and whatever is worked out with one.
    Nothing,
    Null,
    Bool(bool),
    Number(f64),
    Text(Cow<'a, str>),
    List(Vec<Is<'a>>),
    /// A list or a mapping of the sample.
    Json(&'a Value),
}

type Worked<'a> = Result<Is<'a>, Clash>;

/// Whether the condition is met.
pub fn holds(part: &Expr, meta: &Map<String, Value>) -> Result<bool, Clash> {
    match eval(part, meta)? {
        Is::Bool(truth) => Ok(truth),
        Is::Nothing | Is::Null => Ok(false),
        other => Err(clash(part, format!("it is {}, where true or false is wanted", other.words()))),
    }
}

/// The number that a text looks like: decimal digits with sign, point and exponent, blanks around.
pub fn as_number(text: &str) -> Option<f64> {
    let text = text.trim();
    // `inf` and `nan` are words to people.
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    text.parse().ok().filter(|number: &f64| is_plain && number.is_finite())
}

fn clash(part: &Expr, what: impl Into<String>) -> Clash {
    Clash { part: part.to_string(), what: what.into() }
}

impl<'a> Is<'a> {
    fn of(value: &'a Value) -> Self {
        match value {
            Value::Null => Is::Null,
            Value::Bool(truth) => Is::Bool(*truth),
            Value::Number(number) => number.as_f64().map_or(Is::Nothing, Is::Number),
            Value::String(text) => Is::Text(Cow::Borrowed(text)),
            Value::Array(_) | Value::Object(_) => Is::Json(value),
        }
    }

    fn words(&self) -> &'static str {
        match self {
            Is::Nothing => "missing",
            Is::Null => "null",
            Is::Bool(_) => "true or false",
            Is::Number(_) => "a number",
            Is::Text(_) => "text",
            Is::List(_) | Is::Json(Value::Array(_)) => "a list",
            Is::Json(_) => "a mapping",
        }
    }

    fn is_missing(&self) -> bool {
        matches!(self, Is::Nothing | Is::Null)
    }

    fn number(&self) -> Option<f64> {
        match self {
            Is::Number(number) => Some(*number),
            Is::Text(text) => as_number(text),
            _ => None,
        }
    }

    /// Values of different kinds are not equal, but for text that looks like the number.
    fn equals(&self, other: &Is<'_>) -> bool {
        match (self, other) {
            (Is::Null, Is::Null) => true,
            (Is::Bool(a), Is::Bool(b)) => a == b,
            (Is::Text(a), Is::Text(b)) => a == b,
            (Is::Number(_), Is::Number(_) | Is::Text(_)) | (Is::Text(_), Is::Number(_)) => {
                self.number().is_some() && self.number() == other.number()
            }
            (Is::Json(Value::Object(a)), Is::Json(Value::Object(b))) => a == b,
            _ => match (self.items(), other.items()) {
                (Some(a), Some(b)) => a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.equals(b)),
                _ => false,
            },
        }
    }

    fn items(&self) -> Option<Vec<Is<'a>>> {
        match self {
            Is::List(items) => Some(items.clone()),
            Is::Json(Value::Array(items)) => Some(items.iter().map(Is::of).collect()),
            _ => None,
        }
    }
}

fn eval<'a>(part: &'a Expr, meta: &'a Map<String, Value>) -> Worked<'a> {
    Ok(match part {
        Expr::Null => Is::Null,
        Expr::Bool(truth) => Is::Bool(*truth),
        Expr::Number(number) => Is::Number(*number),
        Expr::Text(text) => Is::Text(Cow::Borrowed(text)),
        Expr::List(items) => Is::List(items.iter().map(|item| eval(item, meta)).collect::<Result<_, _>>()?),
        Expr::Path(path) => field(path, meta),
        Expr::Not(inner) => Is::Bool(!holds(inner, meta)?),
        Expr::Negative(inner) => arithmetic(part, &eval(inner, meta)?, &Is::Number(-1.0), |a, b| a * b)?,
        // The right side counts only where the left one has not decided.
        Expr::Binary(Operator::And, left, right) => Is::Bool(holds(left, meta)? && holds(right, meta)?),
        Expr::Binary(Operator::Or, left, right) => Is::Bool(holds(left, meta)? || holds(right, meta)?),
        Expr::Binary(operator, left, right) => binary(part, *operator, &eval(left, meta)?, &eval(right, meta)?)?,
        Expr::Call(function, arguments) => {
            let arguments = arguments.iter().map(|argument| eval(argument, meta)).collect::<Result<Vec<_>, _>>()?;
            call(part, *function, &arguments)?
        }
    })
}

fn field<'a>(path: &Path, meta: &'a Map<String, Value>) -> Is<'a> {
    let mut value = meta.get(&path.root);
    if path.root == "duration" && path.steps.is_empty() && value.is_none_or(Value::is_null) {
        return duration(meta);
    }
    for step in &path.steps {
        value = value.and_then(|value| match step {
            Step::Name(name) => value.get(name),
            Step::Index(index) => value.get(index),
        });
    }
    value.map_or(Is::Nothing, Is::of)
}

/// Of the clip, if the sample is one; else of the whole media.
fn duration(meta: &Map<String, Value>) -> Is<'_> {
    let spans = meta.get("clips").and_then(|clips| clips::parse(clips).ok()).map(|spans| spans.spans);
    if let Some([(start, end)]) = spans.as_deref() {
        // Arithmetic leaves noise behind: 0.3 - 0.1 is less than 0.2.
        return Is::Number(((end - start) * 1e6).round() / 1e6);
    }
    let of_media = meta.get("video_metadata").and_then(|probe| probe.get("format")?.get("duration"));
    of_media.map_or(Is::Nothing, Is::of)
}

fn binary<'a>(part: &Expr, operator: Operator, left: &Is<'_>, right: &Is<'_>) -> Worked<'a> {
    let order = |wanted: fn(Ordering) -> bool| {
        let order = compare(part, left, right)?;
        Ok(Is::Bool(order.is_some_and(wanted)))
    };
    match operator {
        Operator::Plus => arithmetic(part, left, right, |a, b| a + b),
        Operator::Minus => arithmetic(part, left, right, |a, b| a - b),
        Operator::Times => arithmetic(part, left, right, |a, b| a * b),
        Operator::By => arithmetic(part, left, right, |a, b| a / b),
        Operator::In => inside(part, left, right).map(Is::Bool),
        // What is missing compares to nothing.
        _ if matches!((left, right), (Is::Nothing, _) | (_, Is::Nothing)) => Ok(Is::Bool(false)),
        Operator::Equal => Ok(Is::Bool(left.equals(right))),
        Operator::NotEqual => Ok(Is::Bool(!left.equals(right))),
        Operator::Less => order(Ordering::is_lt),
        Operator::LessOrEqual => order(Ordering::is_le),
        Operator::Greater => order(Ordering::is_gt),
        Operator::GreaterOrEqual => order(Ordering::is_ge),
        Operator::And | Operator::Or => Ok(Is::Nothing),
    }
}

/// None with a null; two texts by their letters, and anything with a number as numbers.
fn compare(part: &Expr, left: &Is<'_>, right: &Is<'_>) -> Result<Option<Ordering>, Clash> {
    if left.is_missing() || right.is_missing() {
        return Ok(None);
    }
    if let (Is::Text(left), Is::Text(right)) = (left, right) {
        return Ok(Some(left.cmp(right)));
    }
    match (left.number(), right.number()) {
        (Some(left), Some(right)) => Ok(left.partial_cmp(&right)),
        _ => Err(clash(part, format!("{} and {} have no order", left.words(), right.words()))),
    }
}

/// Nothing where a side is missing, or the result is no number, as after a division by zero.
fn arithmetic<'a>(part: &Expr, left: &Is<'_>, right: &Is<'_>, work: fn(f64, f64) -> f64) -> Worked<'a> {
    if left.is_missing() || right.is_missing() {
        return Ok(Is::Nothing);
    }
    let number = |side: &Is<'_>| {
        side.number().ok_or_else(|| clash(part, format!("{} is no number to calculate with", side.words())))
    };
    let result = work(number(left)?, number(right)?);
    Ok(if result.is_finite() { Is::Number(result) } else { Is::Nothing })
}

fn inside(part: &Expr, item: &Is<'_>, whole: &Is<'_>) -> Result<bool, Clash> {
    match (item, whole) {
        (Is::Nothing, _) | (_, Is::Nothing | Is::Null) => Ok(false),
        (_, Is::List(items)) => Ok(items.iter().any(|other| item.equals(other))),
        (_, Is::Json(Value::Array(items))) => Ok(items.iter().any(|other| item.equals(&Is::of(other)))),
        (Is::Null, _) => Ok(false),
        (Is::Text(item), Is::Text(whole)) => Ok(whole.contains(item.as_ref())),
        (Is::Text(item), Is::Json(whole)) => Ok(whole.get(item.as_ref()).is_some()),
        _ => Err(clash(part, format!("{} holds no {}", whole.words(), item.words().trim_start_matches("a ")))),
    }
}

fn call<'a>(part: &Expr, function: Function, arguments: &[Is<'a>]) -> Worked<'a> {
    match (function, arguments) {
        (Function::Has, [field]) => Ok(Is::Bool(!field.is_missing())),
        (Function::Contains, [whole, item]) => inside(part, item, whole).map(Is::Bool),
        (_, [Is::Nothing | Is::Null]) => Ok(Is::Nothing),
        (Function::Lower, [Is::Text(text)]) => Ok(Is::Text(Cow::Owned(text.to_lowercase()))),
        (Function::Len, [Is::Text(text)]) => Ok(Is::Number(text.chars().count() as f64)),
        (Function::Len, [Is::List(items)]) => Ok(Is::Number(items.len() as f64)),
        (Function::Len, [Is::Json(Value::Array(items))]) => Ok(Is::Number(items.len() as f64)),
        (Function::Len, [Is::Json(Value::Object(map))]) => Ok(Is::Number(map.len() as f64)),
        _ => {
            let words = arguments.first().map_or("nothing", Is::words);
            Err(clash(part, format!("{} cannot take {words}", function.name())))
        }
    }
}
