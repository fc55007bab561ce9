//! Reads a `printf` format: finds its verbs, their flags, and which argument each is for.

use super::value::{Flags, Writer};
use crate::text_template::data::Data;

/// Go's bound for widths and precisions; a larger one is taken for a slip.
const MAX_WIDTH: usize = 1_000_000;

pub struct Directives<'f> {
    format: &'f str,
    position: usize,
    arguments: &'f [Data],
    /// Index of the next argument.
    next: usize,
    /// Whether an index such as `[2]` was in order.
    good_index: bool,
    /// Whether any index was given: then it is no slip that some arguments are not used.
    reordered: bool,
    after_index: bool,
}

impl<'f> Directives<'f> {
    pub fn new(format: &'f str, arguments: &'f [Data]) -> Self {
        let (position, next) = (0, 0);
        Directives { format, position, arguments, next, good_index: true, reordered: false, after_index: false }
    }

    pub fn write(mut self, writer: &mut Writer) {
        while let Some(offset) = self.rest().find('%') {
            writer.out.push_str(&self.rest()[..offset]);
            self.position += offset + 1;
            self.directive(writer);
            if writer.out.len() > super::MAX_TEXT {
                writer.overflowed = true;
                return;
            }
        }
        writer.out.push_str(self.rest());
        if !self.reordered && self.next < self.arguments.len() {
            self.write_extra(writer);
        }
    }

    fn rest(&self) -> &'f str {
        &self.format[self.position..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn accept(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.position += if found { wanted.len_utf8() } else { 0 };
        found
    }

    fn directive(&mut self, writer: &mut Writer) {
        self.good_index = true;
        self.after_index = false;
        writer.flags = self.flags();
        self.index();
        self.width(writer);
        self.precision(writer);
        if !self.after_index {
            self.index();
        }
        let Some(verb) = self.peek() else {
            writer.out.push_str("%!(NOVERB)");
            return;
        };
        self.position += verb.len_utf8();
        self.verb(verb, writer);
    }

    fn verb(&mut self, verb: char, writer: &mut Writer) {
        if verb == '%' {
            writer.out.push('%');
            return;
        }
        if !self.good_index {
            writer.out.push_str(&format!("%!{verb}(BADINDEX)"));
            return;
        }
        let Some(argument) = self.arguments.get(self.next) else {
            writer.out.push_str(&format!("%!{verb}(MISSING)"));
            return;
        };
        self.next += 1;
        if verb == 'v' {
            writer.flags.source = std::mem::take(&mut writer.flags.sharp);
            writer.flags.plus = false;
        }
        writer.value(argument, verb);
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::default();
        loop {
            match self.peek() {
                Some('+') => flags.plus = true,
                Some('-') => flags.minus = true,
                Some('#') => flags.sharp = true,
                Some(' ') => flags.space = true,
                Some('0') => flags.zero = true,
                _ => return flags,
            }
            self.position += 1;
        }
    }

    fn width(&mut self, writer: &mut Writer) {
        if self.accept('*') {
            match self.star() {
                Some(width) => {
                    writer.flags.width = Some(width.unsigned_abs() as usize);
                    writer.flags.minus |= width < 0;
                }
                None => writer.out.push_str("%!(BADWIDTH)"),
            }
            self.after_index = false;
            return;
        }
        writer.flags.width = self.number();
        if self.after_index && writer.flags.width.is_some() {
            // `%[3]2d`: the index belongs before the verb.
            self.good_index = false;
        }
    }

    fn precision(&mut self, writer: &mut Writer) {
        if !self.accept('.') {
            return;
        }
        if self.after_index {
            self.good_index = false;
        }
        self.index();
        if self.accept('*') {
            writer.flags.precision = self.star().and_then(|precision| usize::try_from(precision).ok());
            if writer.flags.precision.is_none() {
                writer.out.push_str("%!(BADPREC)");
            }
            self.after_index = false;
        } else {
            writer.flags.precision = Some(self.number().unwrap_or(0));
        }
    }

    /// The argument that `*` stands for, if it is a number of reasonable size.
    fn star(&mut self) -> Option<i64> {
        let argument = self.arguments.get(self.next)?;
        self.next += 1;
        match argument {
            Data::Int(value) if value.unsigned_abs() <= MAX_WIDTH as u64 => Some(*value),
            _ => None,
        }
    }

    fn number(&mut self) -> Option<usize> {
        let length = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let digits = &self.rest()[..length];
        if length == 0 {
            return None;
        }
        match digits.parse::<usize>() {
            Ok(value) if value <= MAX_WIDTH => {
                self.position += length;
                Some(value)
            }
            // As in Go a number beyond reason swallows what is left of the format.
            _ => {
                self.position = self.format.len();
                None
            }
        }
    }

    /// `[2]`: the next argument is the second one.
    fn index(&mut self) {
        if self.peek() != Some('[') {
            return;
        }
        self.reordered = true;
        self.after_index = true;
        let Some(end) = self.rest().find(']') else {
            self.position += 1;
            self.good_index = false;
            return;
        };
        let number = self.rest()[1..end].parse::<usize>();
        self.position += end + 1;
        match number {
            Ok(number) if (1..=self.arguments.len()).contains(&number) => self.next = number - 1,
            _ => self.good_index = false,
        }
    }

    fn write_extra(&self, writer: &mut Writer) {
        writer.flags = Flags::default();
        writer.out.push_str("%!(EXTRA ");
        for (index, argument) in self.arguments[self.next..].iter().enumerate() {
            if index > 0 {
                writer.out.push_str(", ");
            }
            if *argument == Data::Nil {
                writer.out.push_str("<nil>");
                continue;
            }
            writer.out.push_str(argument.type_name());
            writer.out.push('=');
            writer.value(argument, 'v');
        }
        writer.out.push(')');
    }
}
