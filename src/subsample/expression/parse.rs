//! Words to an expression: recursive descent, one function for each rule of the grammar.

use super::SyntaxError;
use super::kind;
use super::lex::{Token, lex};
use super::tree::{Expr, Function, Operator, Path, Step};

/// Deeper nesting is refused: recursion needs stack.
const DEEPEST: usize = 40;
/// More parts are refused.
const MOST_PARTS: usize = 300;

const COMPARISONS: [Operator; 7] = {
    use Operator::*;
    [Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual, In]
};

type Parsed = Result<Expr, SyntaxError>;
/// What else is to be said against a part that the grammar allows.
type Check = fn(&Expr) -> Result<(), String>;

/// Reads a whole expression, which has to be a condition.
pub fn parse(text: &str) -> Parsed {
    let root = whole(text, kind::check)?;
    kind::condition(&root).map_err(|message| SyntaxError { column: 1, message })?;
    Ok(root)
}

/// Reads whatever the grammar allows.
#[cfg(test)]
pub fn grammar(text: &str) -> Parsed {
    whole(text, |_| Ok(()))
}

fn whole(text: &str, check: Check) -> Parsed {
    let mut parser = Parser { tokens: lex(text)?, at: 0, depth: 0, parts: 0, check };
    let root = parser.or()?;
    if *parser.peek() != Token::End {
        return Err(parser.unexpected("an operator or the end"));
    }
    Ok(root)
}

struct Parser {
    /// With columns.
    tokens: Vec<(Token, usize)>,
    at: usize,
    depth: usize,
    parts: usize,
    check: Check,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(token, _)| token)
    }

    fn column(&self) -> usize {
        self.tokens.get(self.at).map_or(1, |(_, column)| *column)
    }

    fn take(&mut self, word: &str) -> bool {
        let is_it = matches!(self.peek(), Token::Word(found) if *found == word);
        self.at += usize::from(is_it);
        is_it
    }

    fn want(&mut self, word: &str) -> Result<(), SyntaxError> {
        if self.take(word) { Ok(()) } else { Err(self.unexpected(&format!("`{word}`"))) }
    }

    fn unexpected(&self, wanted: &str) -> SyntaxError {
        let found = match self.peek() {
            Token::End => "the end".to_owned(),
            Token::Word(word) => format!("`{word}`"),
            Token::Number(number) => format!("`{number}`"),
            Token::Name(name) => format!("`{name}`"),
            Token::Text(_) => "a text".to_owned(),
        };
        self.error(self.column(), format!("expected {wanted}, found {found}"))
    }

    fn error(&self, column: usize, message: impl Into<String>) -> SyntaxError {
        SyntaxError { column, message: message.into() }
    }

    fn part(&mut self, part: Expr, column: usize) -> Parsed {
        self.parts += 1;
        if self.parts > MOST_PARTS {
            return Err(self.error(column, format!("the expression has more than {MOST_PARTS} parts")));
        }
        (self.check)(&part).map_err(|message| self.error(column, message))?;
        Ok(part)
    }

    fn deeper(&mut self, rule: fn(&mut Self) -> Parsed) -> Parsed {
        if self.depth == DEEPEST {
            return Err(self.error(self.column(), format!("nested more than {DEEPEST} deep")));
        }
        self.depth += 1;
        let parsed = rule(self);
        self.depth -= 1;
        parsed
    }

    /// Operands with operators of one rank between them, read from the left.
    fn chain(&mut self, operators: &[Operator], operand: fn(&mut Self) -> Parsed) -> Parsed {
        let mut left = operand(self)?;
        loop {
            let column = self.column();
            let Some(operator) = operators.iter().find(|operator| self.take(operator.sign())) else { return Ok(left) };
            let right = operand(self)?;
            left = self.part(Expr::Binary(*operator, Box::new(left), Box::new(right)), column)?;
        }
    }

    fn or(&mut self) -> Parsed {
        self.chain(&[Operator::Or], Self::and)
    }

    fn and(&mut self) -> Parsed {
        self.chain(&[Operator::And], Self::not)
    }

    fn not(&mut self) -> Parsed {
        let column = self.column();
        if !self.take("not") {
            return self.comparison();
        }
        let inner = self.deeper(Self::not)?;
        self.part(Expr::Not(Box::new(inner)), column)
    }

    fn comparison(&mut self) -> Parsed {
        let left = self.sum()?;
        let column = self.column();
        let is_not = self.take("not");
        let operator = COMPARISONS.into_iter().find(|operator| self.take(operator.sign()));
        let operator = match operator {
            Some(Operator::In) => Operator::In,
            _ if is_not => return Err(self.unexpected("`in` behind `not`")),
            Some(operator) => operator,
            None => return Ok(left),
        };
        let right = self.sum()?;
        let whole = self.part(Expr::Binary(operator, Box::new(left), Box::new(right)), column)?;
        let next = self.column();
        if COMPARISONS.into_iter().any(|operator| self.take(operator.sign())) {
            return Err(self.error(next, "comparisons do not chain; write `a < b and b < c`"));
        }
        if is_not { self.part(Expr::Not(Box::new(whole)), column) } else { Ok(whole) }
    }

    fn sum(&mut self) -> Parsed {
        self.chain(&[Operator::Plus, Operator::Minus], Self::product)
    }

    fn product(&mut self) -> Parsed {
        self.chain(&[Operator::Times, Operator::By], Self::unary)
    }

    fn unary(&mut self) -> Parsed {
        let column = self.column();
        if !self.take("-") {
            return self.primary();
        }
        let inner = self.deeper(Self::unary)?;
        self.part(Expr::Negative(Box::new(inner)), column)
    }

    fn primary(&mut self) -> Parsed {
        let column = self.column();
        if self.take("(") {
            let inner = self.deeper(Self::or)?;
            self.want(")")?;
            return Ok(inner);
        }
        if self.take("[") {
            let items = self.items("]")?;
            return self.part(Expr::List(items), column);
        }
        let atom = match self.peek().clone() {
            Token::Number(number) => Expr::Number(number),
            Token::Text(text) => Expr::Text(text),
            Token::Word("null") => Expr::Null,
            Token::Word("true") => Expr::Bool(true),
            Token::Word("false") => Expr::Bool(false),
            Token::Name(name) => return self.named(name, column),
            _ => return Err(self.unexpected("a value")),
        };
        self.at += 1;
        self.part(atom, column)
    }

    /// Items with commas between them, up to the closing sign.
    fn items(&mut self, close: &str) -> Result<Vec<Expr>, SyntaxError> {
        let mut items = Vec::new();
        while !self.take(close) {
            if !items.is_empty() {
                self.want(",")?;
            }
            items.push(self.deeper(Self::or)?);
        }
        Ok(items)
    }

    /// A call or a path.
    fn named(&mut self, name: String, column: usize) -> Parsed {
        self.at += 1;
        if !self.take("(") {
            let path = self.path(name)?;
            return self.part(Expr::Path(path), column);
        }
        let Some(function) = Function::ALL.into_iter().find(|function| function.name() == name) else {
            let known = Function::ALL.map(Function::name).join(", ");
            return Err(self.error(column, format!("there is no function `{name}`; there are {known}")));
        };
        let arguments = self.items(")")?;
        if arguments.len() != function.arity() {
            let (wanted, got) = (function.arity(), arguments.len());
            return Err(self.error(column, format!("`{name}` takes {wanted} arguments, not {got}")));
        }
        self.part(Expr::Call(function, arguments), column)
    }

    fn path(&mut self, root: String) -> Result<Path, SyntaxError> {
        let mut steps = Vec::new();
        loop {
            if self.take(".") {
                let Token::Name(name) = self.peek().clone() else { return Err(self.unexpected("a name behind `.`")) };
                self.at += 1;
                steps.push(Step::Name(name));
            } else if self.take("[") {
                let index = match self.peek() {
                    Token::Number(number) if number.fract() == 0.0 && *number < 1e9 => *number as usize,
                    _ => return Err(self.unexpected("a number from 0 on")),
                };
                self.at += 1;
                self.want("]")?;
                steps.push(Step::Index(index));
            } else {
                return Ok(Path { root, steps });
            }
            if steps.len() > DEEPEST {
                return Err(self.error(self.column(), format!("nested more than {DEEPEST} deep")));
            }
        }
    }
}
