//! Expressions as text, in the fewest brackets: what is printed is read as the same expression.

use std::fmt;

use super::lex::{KEYWORDS, begins_name, continues_name};
use super::tree::{Expr, Operator, Path, Step};

const ATOM: u8 = 8;

impl Expr {
    fn rank(&self) -> u8 {
        match self {
            Expr::Binary(operator, ..) => operator.rank(),
            Expr::Not(_) => Operator::NOT,
            Expr::Negative(_) => Operator::NEGATIVE,
            _ => ATOM,
        }
    }

    /// In brackets where it binds less tightly than that.
    fn write(&self, f: &mut fmt::Formatter<'_>, least: u8) -> fmt::Result {
        if self.rank() < least { write!(f, "({self})") } else { write!(f, "{self}") }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Null => f.write_str("null"),
            Expr::Bool(truth) => write!(f, "{truth}"),
            Expr::Number(number) => write!(f, "{number}"),
            Expr::Text(text) if text.contains('\'') => write!(f, "\"{text}\""),
            Expr::Text(text) => write!(f, "'{text}'"),
            Expr::List(items) => {
                f.write_str("[")?;
                list(f, items)?;
                f.write_str("]")
            }
            Expr::Path(path) => write!(f, "{path}"),
            Expr::Not(inner) => {
                f.write_str("not ")?;
                inner.write(f, Operator::NOT)
            }
            Expr::Negative(inner) => {
                f.write_str("-")?;
                inner.write(f, Operator::NEGATIVE)
            }
            Expr::Binary(operator, left, right) => {
                let rank = operator.rank();
                // Comparisons do not chain; all others are read from the left.
                left.write(f, rank + u8::from(rank == Operator::COMPARISON))?;
                write!(f, " {} ", operator.sign())?;
                right.write(f, rank + 1)
            }
            Expr::Call(function, arguments) => {
                write!(f, "{}(", function.name())?;
                list(f, arguments)?;
                f.write_str(")")
            }
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, items: &[Expr]) -> fmt::Result {
    for (n, item) in items.iter().enumerate() {
        f.write_str(if n == 0 { "" } else { ", " })?;
        write!(f, "{item}")?;
    }
    Ok(())
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        name(f, &self.root)?;
        for step in &self.steps {
            match step {
                Step::Name(inner) => {
                    f.write_str(".")?;
                    name(f, inner)?;
                }
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

fn name(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    let is_plain = name.starts_with(begins_name) && name.chars().all(continues_name) && !KEYWORDS.contains(&name);
    if is_plain { f.write_str(name) } else { write!(f, "`{name}`") }
}
