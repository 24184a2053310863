//! What an expression consists of.

/// A part of an expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    Null,
    Bool(bool),
    /// Not negative: signs are operators.
    Number(f64),
    /// With at most one of the two kinds of quotes inside.
    Text(String),
    List(Vec<Expr>),
    Path(Path),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    Call(Function, Vec<Expr>),
}

/// A field, and the way into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    pub root: String,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Name(String),
    /// From 0.
    Index(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Plus,
    Minus,
    Times,
    By,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    Len,
    Lower,
    Contains,
    Has,
}

impl Operator {
    pub fn sign(self) -> &'static str {
        match self {
            Operator::Or => "or",
            Operator::And => "and",
            Operator::Equal => "==",
            Operator::NotEqual => "!=",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            Operator::In => "in",
            Operator::Plus => "+",
            Operator::Minus => "-",
            Operator::Times => "*",
            Operator::By => "/",
        }
    }

    /// How tightly it binds.
    pub fn rank(self) -> u8 {
        match self {
            Operator::Or => 1,
            Operator::And => 2,
            Operator::Plus | Operator::Minus => 5,
            Operator::Times | Operator::By => 6,
            _ => Self::COMPARISON,
        }
    }

    pub const NOT: u8 = 3;
    pub const COMPARISON: u8 = 4;
    pub const NEGATIVE: u8 = 7;
}

impl Function {
    pub const ALL: [Function; 4] = [Function::Len, Function::Lower, Function::Contains, Function::Has];

    pub fn name(self) -> &'static str {
        match self {
            Function::Len => "len",
            Function::Lower => "lower",
            Function::Contains => "contains",
            Function::Has => "has",
        }
    }

    /// How many arguments it takes.
    pub fn arity(self) -> usize {
        if self == Function::Contains { 2 } else { 1 }
    }
}

impl Expr {
    /// Shows it, then all its parts.
    pub fn visit<'e>(&'e self, see: &mut impl FnMut(&'e Expr)) {
        see(self);
        match self {
            Expr::Not(inner) | Expr::Negative(inner) => inner.visit(see),
            Expr::Binary(_, left, right) => {
                left.visit(see);
                right.visit(see);
            }
            Expr::List(items) | Expr::Call(_, items) => items.iter().for_each(|item| item.visit(see)),
            Expr::Null | Expr::Bool(_) | Expr::Number(_) | Expr::Text(_) | Expr::Path(_) => {}
        }
    }
}
