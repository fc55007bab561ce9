//! Which tokens of a line have a space between them.

use super::lexer::{Kind, Token};

/// Whether a space belongs between two neighbours; `before` stands in front of them.
pub fn is_spaced(before: Option<&Token>, left: &Token, right: &Token) -> bool {
    use Kind::{
        CloseBrace, CloseTemplate, Comma, Dot, DoubleColon, Ellipsis, Identifier, Newline, OpenBrace, OpenBracket,
        OpenParen, OpenTemplate,
    };
    match (left.kind, right.kind) {
        (_, Newline) | (Identifier, OpenParen | DoubleColon) | (DoubleColon, _) => false,
        (Dot, _) | (_, Dot) => false,
        (_, Comma | Ellipsis) => false,
        (Comma, _) => true,
        _ if touches_text(left.kind, right.kind) => false,
        // The list after `in` is no index, though it looks like one.
        (Identifier, _) if left.text == "in" && before.is_some_and(|token| token.kind == Identifier) => true,
        (left, OpenBracket) if matches!(left, Identifier | Kind::Number) || bracket(left) < 0 => false,
        (Kind::Bang, _) => false,
        (Kind::Minus, _) => before.is_some_and(|token| ends_operand(token.kind)),
        (OpenBrace, CloseBrace) => false,
        (OpenBrace, _) | (_, CloseBrace) => true,
        // The braces of an object stay apart from those of the interpolation.
        (CloseBrace, CloseTemplate) => true,
        (OpenTemplate, right) => right == OpenBrace,
        (CloseTemplate, OpenTemplate) => false,
        (left, right) => bracket(left) <= 0 && bracket(right) >= 0,
    }
}

/// By how much the token changes the number of open brackets.
pub fn bracket(kind: Kind) -> i32 {
    match kind {
        Kind::OpenBrace | Kind::OpenBracket | Kind::OpenParen | Kind::OpenTemplate => 1,
        Kind::CloseBrace | Kind::CloseBracket | Kind::CloseParen | Kind::CloseTemplate => -1,
        _ => 0,
    }
}

/// Whether one of them is template text, or the quotes and marks around it: there every blank counts.
fn touches_text(left: Kind, right: Kind) -> bool {
    matches!(left, Kind::Text | Kind::OpenQuote | Kind::OpenHeredoc)
        || matches!(right, Kind::Text | Kind::CloseQuote | Kind::CloseHeredoc)
}

/// Whether a minus after such a token subtracts. After the others it is the sign of what follows.
fn ends_operand(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::OpenParen
            | Kind::OpenBrace
            | Kind::OpenBracket
            | Kind::Equal
            | Kind::Colon
            | Kind::Comma
            | Kind::Question
            | Kind::Operator
            | Kind::Minus
            | Kind::Bang
    )
}
