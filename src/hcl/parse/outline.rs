//! What a place in a text lies in: the blocks that are open there, the item that it belongs to, the bracket around it.
//!
//! Found from tokens alone, so that it can be asked of a text that the parser refuses.

use std::ops::Range;

use super::recover::{indentation, is_first};
use crate::hcl::format::{Kind, tokens_with_places};

/// What lies around a place.
#[derive(Debug, Default)]
pub(super) struct Outline {
    /// The blocks that are open, the outermost first.
    pub(super) blocks: Vec<Opened>,
    /// The argument or block that the place belongs to; none between two of them.
    pub(super) item: Option<Item>,
    /// The innermost bracket of the item that is open.
    pub(super) bracket: Option<usize>,
    /// The first brace whose closing brace stands further left than its line: that one probably closes another.
    pub(super) crossed: Option<Crossed>,
}

/// A block that is open.
#[derive(Debug, Clone)]
pub(super) struct Opened {
    /// Where its header starts.
    pub(super) start: usize,
    /// Its opening brace.
    pub(super) brace: usize,
}

/// An argument or a block that is begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    /// Its first byte.
    pub(super) start: usize,
    /// How far it is read.
    pub(super) part: Part,
}

/// A part of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Before an equals sign or an opening brace.
    Head,
    /// After the equals sign.
    Value,
    /// After its last brace: something stands behind a block.
    After,
}

/// A brace that another one's closing brace seems to close.
#[derive(Debug, Clone)]
pub(super) enum Crossed {
    /// Of a block.
    Block(Opened),
    /// Of an object.
    Object(usize),
}

/// What is open: a block, or a bracket within an item.
enum Frame {
    Block(Opened),
    Bracket(usize),
}

struct Reader<'t> {
    text: &'t str,
    frames: Vec<Frame>,
    item: Option<Item>,
    crossed: Option<Crossed>,
}

/// What lies around a place of a text.
pub(super) fn outline(text: &str, at: usize) -> Outline {
    let mut reader = Reader { text, frames: Vec::new(), item: None, crossed: None };
    for (kind, place) in tokens_with_places(text).take_while(|(_, place)| place.start <= at) {
        // What starts at the place belongs to it only if it begins an item.
        if place.start == at && reader.item.is_some() {
            break;
        }
        reader.token(kind, &place);
    }
    let mut outline = Outline { item: reader.item, crossed: reader.crossed, ..Outline::default() };
    for frame in reader.frames {
        match frame {
            Frame::Block(opened) => {
                outline.blocks.push(opened);
                outline.bracket = None;
            }
            Frame::Bracket(start) => outline.bracket = Some(start),
        }
    }
    let first = outline.blocks.first().map(|outermost| outermost.start);
    outline.crossed = outline.crossed.filter(|crossed| first.is_some_and(|first| crossed.start() > first));
    outline
}

impl Crossed {
    fn start(&self) -> usize {
        match self {
            Self::Block(opened) => opened.start,
            Self::Object(brace) => *brace,
        }
    }
}

impl Reader<'_> {
    fn token(&mut self, kind: Kind, place: &Range<usize>) {
        let in_body = !matches!(self.frames.last(), Some(Frame::Bracket(_)));
        match kind {
            Kind::Newline if in_body => self.item = None,
            Kind::Comment if in_body && self.text[place.clone()].ends_with('\n') => self.item = None,
            Kind::Newline | Kind::Comment | Kind::Text => {}
            Kind::OpenBrace if in_body => self.open_brace(place.start),
            Kind::OpenBrace | Kind::OpenBracket | Kind::OpenParen | Kind::OpenTemplate => {
                self.begin(place.start);
                self.frames.push(Frame::Bracket(place.start));
            }
            Kind::CloseBrace => self.close(place.start),
            Kind::CloseBracket | Kind::CloseParen | Kind::CloseTemplate => {
                if !in_body {
                    self.frames.pop();
                }
            }
            Kind::Equal if in_body => {
                if let Some(item) = self.item.as_mut().filter(|item| item.part == Part::Head) {
                    item.part = Part::Value;
                }
            }
            _ => self.begin(place.start),
        }
    }

    fn begin(&mut self, start: usize) {
        self.item.get_or_insert(Item { start, part: Part::Head });
    }

    /// A brace where no bracket is open: of a block, unless an equals sign stands before it.
    fn open_brace(&mut self, brace: usize) {
        match self.item {
            Some(Item { part: Part::Value, .. }) => self.frames.push(Frame::Bracket(brace)),
            item => {
                let start = item.map_or(brace, |item| item.start);
                self.frames.push(Frame::Block(Opened { start, brace }));
                self.item = None;
            }
        }
    }

    fn close(&mut self, brace: usize) {
        let Some(frame) = self.frames.pop() else { return self.begin(brace) };
        let (opener, crossed) = match frame {
            Frame::Bracket(start) => (start, Crossed::Object(start)),
            Frame::Block(opened) => {
                self.item = Some(Item { start: opened.start, part: Part::After });
                (opened.start, Crossed::Block(opened))
            }
        };
        if is_first(self.text, brace) && indentation(self.text, brace) < indentation(self.text, opener) {
            self.crossed.get_or_insert(crossed);
        }
    }
}
