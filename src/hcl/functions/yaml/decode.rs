//! YAML text to values.

use std::collections::{BTreeMap, BTreeSet};

use granit_parser::{Event, Options, Parser, ScanError, Span, StrInput, Tag};

use super::scalar;
use crate::hcl::value::Value;

/// Values that a text may have once its aliases are followed. A few lines of aliases can stand for billions.
const MAX_VALUES: usize = 1_000_000;

/// The value of a text with one YAML document; an error says what is wrong and in which line.
pub(super) fn decode(text: &str) -> Result<Value, String> {
    let mut decoder = Decoder {
        text,
        parser: Parser::new_from_str_with_options(text, Options::default()),
        anchors: BTreeMap::new(),
        open: BTreeSet::new(),
        values: 0,
    };
    decoder.document()
}

struct Decoder<'t> {
    text: &'t str,
    parser: Parser<'t, StrInput<'t>>,
    /// Anchored values by id, each with the number of values in it.
    anchors: BTreeMap<usize, (Value, usize)>,
    /// Anchors whose values are still being read.
    open: BTreeSet<usize>,
    values: usize,
}

type Decoded<T = Value> = Result<T, String>;

impl<'t> Decoder<'t> {
    fn document(&mut self) -> Decoded {
        let mut value = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(..) if value.is_some() => {
                    return Err(at(&span, "only one document is allowed"));
                }
                Event::DocumentStart(..) => {
                    let (event, span) = self.next()?;
                    self.check_indentation(&span)?;
                    value = Some(self.node(event, &span)?);
                }
                Event::StreamEnd => return value.ok_or_else(|| "there is no value in the text".into()),
                _ => return Err(at(&span, "there is text after the value")),
            }
        }
    }

    /// The parser refuses tabs as indentation everywhere but before the first value.
    fn check_indentation(&self, span: &Span) -> Decoded<()> {
        let line = self.text.lines().nth(span.start.line().saturating_sub(1)).unwrap_or_default();
        let mut blanks = line.chars().take_while(|c| c.is_whitespace());
        if blanks.any(|c| c == '\t') { Err(at(span, "tabs cannot indent")) } else { Ok(()) }
    }

    /// The next event that is no comment.
    fn next(&mut self) -> Decoded<(Event<'t>, Span)> {
        loop {
            match self.parser.next_event() {
                None => return Err("the text ends too early".into()),
                Some(Err(error)) => return Err(broken(&error)),
                Some(Ok((event, span))) => {
                    if event.is_node() || is_structure(&event) {
                        return Ok((event, span));
                    }
                }
            }
        }
    }

    fn node(&mut self, event: Event<'t>, span: &Span) -> Decoded {
        self.values += 1;
        let before = self.values;
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (anchor, scalar::resolve(&text, style, tag.as_deref()).map_err(|message| at(span, &message))?)
            }
            Event::SequenceStart(_, anchor, tag) => {
                check_tag(tag.as_deref(), "seq", span)?;
                self.open.insert(anchor);
                (anchor, self.sequence()?)
            }
            Event::MappingStart(_, anchor, tag) => {
                check_tag(tag.as_deref(), "map", span)?;
                self.open.insert(anchor);
                (anchor, self.mapping()?)
            }
            Event::Alias(anchor) => return self.alias(anchor, span),
            _ => return Err(at(span, "a value is expected")),
        };
        if anchor != 0 {
            self.open.remove(&anchor);
            self.anchors.insert(anchor, (value.clone(), self.values - before + 1));
        }
        Ok(value)
    }

    fn alias(&mut self, anchor: usize, span: &Span) -> Decoded {
        if self.open.contains(&anchor) {
            return Err(at(span, "an alias stands inside of what it refers to"));
        }
        let (value, size) =
            self.anchors.get(&anchor).cloned().ok_or_else(|| at(span, "an alias refers to nothing before it"))?;
        self.values = self.values.saturating_add(size);
        if self.values > MAX_VALUES {
            return Err(at(span, &format!("with its aliases the text has more than {MAX_VALUES} values")));
        }
        Ok(value)
    }

    fn sequence(&mut self) -> Decoded {
        let mut values = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::tuple(values)),
                (event, span) => values.push(self.node(event, &span)?),
            }
        }
    }

    /// Of a repeated key the last one counts, merged ones included.
    fn mapping(&mut self) -> Decoded {
        let mut values = BTreeMap::new();
        loop {
            let (event, span) = self.next()?;
            let Event::Scalar(text, style, _, tag) = event else {
                if matches!(event, Event::MappingEnd) {
                    return Ok(Value::object(values));
                }
                return Err(at(&span, "only text can be a key"));
            };
            let merges = text == "<<" && scalar::is_plain(style) && tag.is_none();
            let key = scalar::resolve(&text, style, tag.as_deref()).map_err(|message| at(&span, &message))?;
            let (event, value_span) = self.next()?;
            let value = self.node(event, &value_span)?;
            if merges {
                let merged = value.as_mapping().ok_or_else(|| at(&value_span, "only a mapping can be merged"))?;
                values.extend(merged.iter().map(|(key, value)| (key.clone(), value.clone())));
                continue;
            }
            let key = key.to_text().ok_or_else(|| at(&span, "null is no key"))?;
            values.insert(key, value);
        }
    }
}

fn is_structure(event: &Event<'_>) -> bool {
    matches!(
        event,
        Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd
    )
}

/// A collection may have the tag of its kind, or none.
fn check_tag(tag: Option<&Tag>, kind: &str, span: &Span) -> Decoded<()> {
    match tag {
        Some(tag) if tag.core_suffix() != Some(kind) => {
            Err(at(span, &format!("the tag {} is not supported here", tag.original())))
        }
        _ => Ok(()),
    }
}

fn at(span: &Span, message: &str) -> String {
    format!("line {}: {message}", span.start.line())
}

fn broken(error: &ScanError) -> String {
    format!("line {}: {}", error.marker().line(), error.info())
}
