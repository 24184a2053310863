//! What can be told of an expression's values without a sample.

use super::eval::as_number;
use super::tree::{Expr, Function, Operator};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    Bool,
    Number,
    Text,
    List,
}

impl Kind {
    fn words(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Bool => "true or false",
            Kind::Number => "a number",
            Kind::Text => "text",
            Kind::List => "a list",
        }
    }
}

/// None where only a sample can tell. Text that looks like a number may be used as one.
fn kind(part: &Expr) -> Option<Kind> {
    match part {
        Expr::Null => Some(Kind::Null),
        Expr::Bool(_) | Expr::Not(_) | Expr::Call(Function::Contains | Function::Has, _) => Some(Kind::Bool),
        Expr::Number(_) | Expr::Negative(_) | Expr::Call(Function::Len, _) => Some(Kind::Number),
        Expr::Text(text) if as_number(text).is_some() => None,
        Expr::Text(_) | Expr::Call(Function::Lower, _) => Some(Kind::Text),
        Expr::List(_) => Some(Kind::List),
        Expr::Path(_) => None,
        Expr::Binary(operator, ..) => {
            Some(if operator.rank() <= Operator::COMPARISON { Kind::Bool } else { Kind::Number })
        }
    }
}

fn is(part: &Expr, wanted: &[Kind]) -> bool {
    kind(part).is_none_or(|kind| wanted.contains(&kind))
}

fn described(part: &Expr) -> String {
    format!("`{part}` is {}", kind(part).map_or("unknown", Kind::words))
}

/// Whether it can be true or false.
pub fn condition(part: &Expr) -> Result<(), String> {
    let message = || format!("{}, where true or false is wanted", described(part));
    if is(part, &[Kind::Bool]) { Ok(()) } else { Err(message()) }
}

/// Whether the outermost operator can work with its operands; theirs were checked before.
pub fn check(part: &Expr) -> Result<(), String> {
    let number = |inner: &Expr| {
        let message = || format!("{}, where a number is wanted", described(inner));
        if is(inner, &[Kind::Number]) { Ok(()) } else { Err(message()) }
    };
    match part {
        Expr::Not(inner) => condition(inner),
        Expr::Negative(inner) => number(inner),
        Expr::Binary(Operator::And | Operator::Or, left, right) => condition(left).and_then(|()| condition(right)),
        Expr::Binary(Operator::Plus | Operator::Minus | Operator::Times | Operator::By, left, right) => {
            number(left).and_then(|()| number(right))
        }
        Expr::Binary(Operator::In, left, right) => inside(left, right),
        Expr::Binary(operator, left, right) => comparable(*operator, left, right),
        Expr::Call(Function::Contains, arguments) => match arguments.as_slice() {
            [whole, item] => inside(item, whole),
            _ => Ok(()),
        },
        Expr::Call(Function::Has, arguments) => match arguments.as_slice() {
            [Expr::Path(_)] => Ok(()),
            _ => Err("`has` takes the name of a field".into()),
        },
        Expr::Call(function, arguments) => {
            let wanted: &[Kind] = if *function == Function::Len { &[Kind::Text, Kind::List] } else { &[Kind::Text] };
            match arguments.iter().find(|argument| !is(argument, wanted)) {
                Some(argument) => Err(format!("{}, which `{}` cannot take", described(argument), function.name())),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn inside(item: &Expr, whole: &Expr) -> Result<(), String> {
    if !is(whole, &[Kind::Text, Kind::List]) {
        return Err(format!("{}, which holds nothing", described(whole)));
    }
    if kind(whole) == Some(Kind::Text) && !is(item, &[Kind::Text]) {
        return Err(format!("{}, which no text holds", described(item)));
    }
    Ok(())
}

fn comparable(operator: Operator, left: &Expr, right: &Expr) -> Result<(), String> {
    let is_order = !matches!(operator, Operator::Equal | Operator::NotEqual);
    if is_order && let Some(part) = [left, right].into_iter().find(|part| !is(part, &[Kind::Number, Kind::Text])) {
        return Err(format!("{}, which has no order", described(part)));
    }
    match (kind(left), kind(right)) {
        (Some(a), Some(b)) if a != b && a != Kind::Null && b != Kind::Null => {
            Err(format!("{} and {}: they never compare", described(left), described(right)))
        }
        _ => Ok(()),
    }
}
