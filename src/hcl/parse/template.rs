//! Templates: escapes, white-space markers, heredoc indentation.
//!
//! A template is first laid out flat (texts, interpolations, directives), because `~` and the indentation of a heredoc
//! do not stop at the directives that texts are nested in; then put together again.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;

use hcl::edit::Span as _;
use hcl::edit::template::{Directive, Element, Strip, Template};

use super::lower::Lower;
use crate::hcl::ast::{Expr, ForPart, IfPart, Part};
use crate::hcl::diagnostics::Diagnostic;

/// How the text of a template is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Between quotes: backslash escapes.
    Quoted,
    /// Lines as they are.
    Lines,
    /// Lines without the indentation they have in common.
    IndentedLines,
}

/// A piece of the flat layout.
enum Piece {
    Text(String),
    Interpolation(Expr),
    If(Expr),
    Else,
    EndIf,
    For(Box<ForPart>),
    EndFor,
}

/// The flat layout with, for each piece, the sides on which it takes white space away.
struct Flat<'l, 'a> {
    lower: &'l mut Lower<'a>,
    style: Style,
    pieces: Vec<(Piece, Strip)>,
}

impl<'a> Lower<'a> {
    /// The parts of a template.
    pub(super) fn template(&mut self, template: &Template, style: Style) -> Vec<Part> {
        let mut flat = Flat { lower: self, style, pieces: Vec::new() };
        flat.template(template);
        let mut pieces = stripped(flat.pieces);
        if style == Style::IndentedLines {
            unindent(&mut pieces);
        }
        build(&mut pieces.into())
    }
}

impl Flat<'_, '_> {
    fn template(&mut self, template: &Template) {
        template.iter().for_each(|element| self.element(element));
    }

    fn element(&mut self, element: &Element) {
        match element {
            Element::Literal(literal) => {
                let range = literal.span().unwrap_or_default();
                self.text(&range);
            }
            Element::Interpolation(interpolation) => {
                let expr = self.lower.expr(&interpolation.expr);
                self.pieces.push((Piece::Interpolation(expr), interpolation.strip));
            }
            Element::Directive(directive) => self.directive(directive),
        }
    }

    fn directive(&mut self, directive: &Directive) {
        match directive {
            Directive::If(directive) => {
                let condition = self.lower.expr(&directive.if_expr.cond_expr);
                self.pieces.push((Piece::If(condition), directive.if_expr.strip));
                self.template(&directive.if_expr.template);
                if let Some(otherwise) = &directive.else_expr {
                    self.pieces.push((Piece::Else, otherwise.strip));
                    self.template(&otherwise.template);
                }
                self.pieces.push((Piece::EndIf, directive.endif_expr.strip));
            }
            Directive::For(directive) => {
                let head = &directive.for_expr;
                let part = ForPart {
                    key_name: head.key_var.as_ref().map(|name| name.as_str().to_owned()),
                    value_name: head.value_var.as_str().to_owned(),
                    collection: self.lower.expr(&head.collection_expr),
                    parts: Vec::new(),
                };
                self.pieces.push((Piece::For(Box::new(part)), head.strip));
                self.template(&head.template);
                self.pieces.push((Piece::EndFor, directive.endfor_expr.strip));
            }
        }
    }

    /// Adds a text: one piece between quotes, a piece a line elsewhere, since `~` reaches to the end of a line there.
    fn text(&mut self, range: &Range<usize>) {
        let text = undoubled(self.lower.source(range));
        if self.style != Style::Quoted {
            let lines = text.split_inclusive('\n');
            self.pieces.extend(lines.map(|line| (Piece::Text(line.to_owned()), Strip::None)));
            return;
        }
        let text = unescaped(&text).unwrap_or_else(|| {
            let detail = "After a backslash only n, r, t, \", \\, u and U are allowed.";
            let span = self.lower.span(range.clone());
            self.lower.report(Diagnostic::error("Invalid escape sequence", detail).at(&span));
            text.into_owned()
        });
        self.pieces.push((Piece::Text(text), Strip::None));
    }
}

/// A text with `$${` and `%%{` as what they stand for.
fn undoubled(text: &str) -> Cow<'_, str> {
    if !text.contains('{') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace("$${", "${").replace("%%{", "%{"))
}

/// A quoted text with its backslash escapes replaced; none if one is wrong.
fn unescaped(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return Some(text.to_owned());
    }
    let mut result = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            result.push(c);
            continue;
        }
        result.push(match rest.next()? {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '"' => '"',
            '\\' => '\\',
            'u' => code_point(&mut rest, 4)?,
            'U' => code_point(&mut rest, 8)?,
            _ => return None,
        });
    }
    Some(result)
}

fn code_point(rest: &mut std::str::Chars<'_>, digits: usize) -> Option<char> {
    let hex: String = rest.take(digits).collect();
    if hex.len() != digits {
        return None;
    }
    char::from_u32(u32::from_str_radix(&hex, 16).ok()?)
}

/// Takes away the white space that markers ask for.
fn stripped(pieces: Vec<(Piece, Strip)>) -> Vec<Piece> {
    let mut result: Vec<Piece> = Vec::with_capacity(pieces.len());
    let mut strip_next = false;
    for (mut piece, strip) in pieces {
        if strip.strip_start()
            && let Some(Piece::Text(text)) = result.last_mut()
        {
            text.truncate(text.trim_end().len());
        }
        if strip_next && let Piece::Text(text) = &mut piece {
            *text = text.trim_start().to_owned();
        }
        strip_next = strip.strip_end();
        result.push(piece);
    }
    result
}

/// Removes the smallest indentation of the lines that are not blank, counted in characters.
fn unindent(pieces: &mut [Piece]) {
    let mut line_starts = true;
    let mut starts = Vec::new();
    let mut smallest = usize::MAX;
    for (at, piece) in pieces.iter().enumerate() {
        let text = if let Piece::Text(text) = piece { text.as_str() } else { "" };
        if line_starts {
            let indentation = text.chars().take_while(|c| c.is_whitespace()).count();
            let blank = text.trim().is_empty() && text.ends_with('\n');
            if !blank {
                smallest = smallest.min(indentation);
                starts.push(at);
            }
        }
        line_starts = text.ends_with('\n');
    }
    for at in starts {
        if let Some(Piece::Text(text)) = pieces.get_mut(at) {
            *text = text.chars().skip(smallest).collect();
        }
    }
}

/// Puts the flat layout together; stops after the piece that ends the part it is in.
fn build(pieces: &mut VecDeque<Piece>) -> Vec<Part> {
    let mut parts = Vec::new();
    while let Some(piece) = pieces.pop_front() {
        parts.push(match piece {
            Piece::Text(text) => Part::Literal(text),
            Piece::Interpolation(expr) => Part::Interpolation(expr),
            Piece::If(condition) => {
                let yes = build(pieces);
                let no = if matches!(pieces.front(), Some(Piece::Else)) {
                    pieces.pop_front();
                    build(pieces)
                } else {
                    Vec::new()
                };
                pieces.pop_front();
                Part::If(Box::new(IfPart { condition, yes, no }))
            }
            Piece::For(mut part) => {
                part.parts = build(pieces);
                pieces.pop_front();
                Part::For(part)
            }
            end @ (Piece::Else | Piece::EndIf | Piece::EndFor) => {
                pieces.push_front(end);
                break;
            }
        });
    }
    parts
}
