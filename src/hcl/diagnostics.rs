//! What is wrong with a text and where, and how it is shown.

use std::collections::HashSet;
use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

use unicode_width::UnicodeWidthStr;

/// Longer details are broken into lines of at most this many columns.
const WIDTH: usize = 80;
/// A source line longer than this is cut around the fault.
const MAX_SNIPPET: usize = 160;

/// What becomes of a text where it is shown.
pub type Mask<'m> = &'m dyn Fn(&str) -> String;

/// A source text, by its place in [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(u32);

/// The texts that diagnostics point into: files, and texts without a file such as a value from the command line.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<Source>,
}

#[derive(Debug, Clone)]
struct Source {
    name: String,
    text: Arc<str>,
}

impl Sources {
    /// Adds a text under the name that diagnostics show.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<Arc<str>>) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(Source { name: name.into(), text: text.into() });
        id
    }

    /// The name of a text; empty for an id of another set.
    pub fn name(&self, file: FileId) -> &str {
        self.get(file).map_or("", |source| &source.name)
    }

    /// A text; empty for an id of another set.
    pub fn text(&self, file: FileId) -> &str {
        self.get(file).map_or("", |source| &source.text)
    }

    /// Line and column, both from one, where a span starts; columns count characters.
    pub fn position(&self, span: &Span) -> (usize, usize) {
        let (number, _, column) = line_at(self.text(span.file), span.range.start);
        (number, column + 1)
    }

    /// A span in words: `file.hcl:3,5-9`.
    pub fn describe(&self, span: &Span) -> String {
        let (line, column) = self.position(span);
        let text = self.text(span.file);
        let end = span.range.end.min(text.len());
        let (last, _, end_column) = line_at(text, end);
        let until = if last == line { format!("{}", end_column + 1) } else { format!("{last},{}", end_column + 1) };
        format!("{}:{line},{column}-{until}", self.name(span.file))
    }

    /// The files in the order they were added, as id, name and text.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &str, &str)> {
        self.files.iter().zip(0_u32..).map(|(source, at)| (FileId(at), source.name.as_str(), &*source.text))
    }

    fn get(&self, file: FileId) -> Option<&Source> {
        self.files.get(usize::try_from(file.0).ok()?)
    }
}

/// A part of a source text, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Span {
    /// The text.
    pub file: FileId,
    /// The bytes; empty for a place between two characters.
    pub range: Range<usize>,
}

impl Span {
    /// A part of a text.
    pub fn new(file: FileId, range: Range<usize>) -> Self {
        Self { file, range }
    }

    /// From the start of this span to the end of another one.
    #[must_use]
    pub fn to(&self, other: &Span) -> Self {
        Self { file: self.file, range: self.range.start..other.range.end.max(self.range.end) }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The text cannot be used.
    Error,
    /// The text can be used, but probably means something else than intended.
    Warning,
}

/// How a place is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Quote {
    /// With its line and marks under the fault.
    #[default]
    Line,
    /// By its number only, in the words that scripts which read Packer's warnings know.
    Nothing,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in a few words and without a full stop.
    pub summary: String,
    /// The same in sentences; may be empty.
    pub detail: String,
    /// Where.
    pub span: Option<Span>,
    /// Whether the line at that place is shown.
    pub quote: Quote,
    /// What to do about it, as a fragment: `did you mean "x"?`
    pub hint: Option<String>,
    /// What the place belongs to: `provisioner "shell"`.
    pub context: Option<String>,
    /// Another place that has to do with it, and what is there: `First declared here`.
    pub other: Option<(String, Span)>,
}

impl Diagnostic {
    /// An error without a place yet.
    pub fn error(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            summary: summary.into(),
            detail: detail.into(),
            span: None,
            quote: Quote::Line,
            hint: None,
            context: None,
            other: None,
        }
    }

    /// A warning without a place yet.
    pub fn warning(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(summary, detail) }
    }

    /// With a place.
    #[must_use]
    pub fn at(mut self, span: &Span) -> Self {
        self.span = Some(span.clone());
        self
    }

    /// With a place whose line says nothing of the matter.
    #[must_use]
    pub fn at_line_of(self, span: &Span) -> Self {
        Self { quote: Quote::Nothing, ..self.at(span) }
    }

    /// With what the place belongs to; the innermost one stays.
    #[must_use]
    pub fn within(mut self, context: impl Into<String>) -> Self {
        self.context.get_or_insert_with(|| context.into());
        self
    }

    /// With another place that has to do with it, and what is there.
    #[must_use]
    pub fn beside(mut self, what: impl Into<String>, span: &Span) -> Self {
        self.other = Some((what.into(), span.clone()));
        self
    }

    /// With a hint, if there is one.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into();
        self
    }
}

/// Things that are wrong, in the order they were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    /// Adds several.
    pub fn extend(&mut self, other: impl IntoIterator<Item = Diagnostic>) {
        self.list.extend(other);
    }

    /// Whether any is an error.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Drops all after the first `len`.
    pub fn truncate(&mut self, len: usize) {
        self.list.truncate(len);
    }

    /// Each once.
    #[must_use]
    pub fn distinct(self) -> Self {
        let mut seen = HashSet::new();
        self.list.into_iter().filter(|found| seen.insert(found.clone())).collect()
    }

    /// In the order of the places in the texts; those without a place first.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.list.sort_by_key(|diagnostic| diagnostic.span.as_ref().map(|span| (span.file, span.range.start)));
        self
    }

    /// One after the other.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(list: I) -> Self {
        Self { list: list.into_iter().collect() }
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { list: vec![diagnostic] }
    }
}

/// All diagnostics as text, each followed by an empty line.
pub fn render(diagnostics: &Diagnostics, sources: &Sources) -> String {
    render_for(diagnostics, sources, &str::to_owned)
}

/// The same for a reader who sees every text only as `mask` leaves it: the marks stand under what is left then. Masking itself is up to
/// whoever shows the text.
pub fn render_for(diagnostics: &Diagnostics, sources: &Sources, mask: Mask<'_>) -> String {
    diagnostics.iter().map(|diagnostic| rendered(diagnostic, sources, mask)).collect()
}

/// One diagnostic as text, followed by an empty line.
pub fn render_one(diagnostic: &Diagnostic, sources: &Sources) -> String {
    rendered(diagnostic, sources, &str::to_owned)
}

fn rendered(diagnostic: &Diagnostic, sources: &Sources, mask: Mask<'_>) -> String {
    let mut text = match diagnostic.severity {
        Severity::Error => "Error: ",
        Severity::Warning => "Warning: ",
    }
    .to_owned();
    text.push_str(&diagnostic.summary);
    text.push_str("\n\n");
    if let Some(span) = &diagnostic.span {
        text.push_str(&match diagnostic.quote {
            Quote::Line => snippet(span, diagnostic.context.as_deref(), sources, mask),
            Quote::Nothing => line_only(span, sources),
        });
    }
    if !diagnostic.detail.is_empty() {
        text.push_str(&wrap(&diagnostic.detail));
        text.push_str("\n\n");
    }
    if let Some((what, span)) = &diagnostic.other {
        let _ = write!(text, "{what}:\n\n{}", snippet(span, None, sources, mask));
    }
    if let Some(hint) = &diagnostic.hint {
        let _ = write!(text, "{}\n\n", wrap(&format!("hint: {hint}")));
    }
    text
}

/// One diagnostic on one line: `file.hcl:3,5-9: Summary; Detail`.
pub fn render_line(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let place = diagnostic.span.as_ref().map(|span| format!("{}: ", sources.describe(span))).unwrap_or_default();
    let detail = if diagnostic.detail.is_empty() { String::new() } else { format!("; {}", diagnostic.detail) };
    format!("{place}{}{detail}", diagnostic.summary)
}

/// The place of a fault: file, line, column, the line itself and carets under the fault.
fn snippet(span: &Span, context: Option<&str>, sources: &Sources, mask: Mask<'_>) -> String {
    let text = sources.text(span.file);
    let name = sources.name(span.file);
    let start = span.range.start.min(text.len());
    let (number, line, column) = line_at(text, start);
    let context = context.map(|context| format!(", in {context}")).unwrap_or_default();
    let mut shown = format!("  on {name} line {number}, column {}{context}:\n", column + 1);
    let before: String = line.chars().take(column).collect();
    let rest = &line[before.len()..];
    let marked = &rest[..floor_boundary(rest, span.range.end.saturating_sub(start))];
    let (skipped, line) = shorten(line, before.len());
    let before = &before[skipped.min(before.len())..];
    let (before, shown_marked) = (mask(before), mask(marked.trim_end()));
    let carets = shown_marked.width().clamp(1, MAX_SNIPPET);
    // Tabs stay tabs in the line of carets, so that it fits under the source line at any tab width.
    let pad: String = before.chars().map(|c| if c == '\t' { "\t".into() } else { " ".repeat(width(c)) }).collect();
    let _ = writeln!(shown, "{number:4}: {}\n      {pad}{}\n", visible(line), "^".repeat(carets));
    shown
}

fn line_only(span: &Span, sources: &Sources) -> String {
    let text = sources.text(span.file);
    let (number, ..) = line_at(text, span.range.start.min(text.len()));
    format!("  on {} line {number}:\n  (source code not available)\n\n", sources.name(span.file))
}

/// A line without control characters but tabs, as a terminal would obey them: they are shown as pictures.
fn visible(line: &str) -> String {
    let shown = |c: char| match c {
        '\t' => c,
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\x7f' => '\u{2421}',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    line.chars().map(shown).collect()
}

fn width(character: char) -> usize {
    let mut buffer = [0; 4];
    character.encode_utf8(&mut buffer).width()
}

/// Cuts a very long line around the byte where the fault starts: what was cut off in front, and what is left.
fn shorten(line: &str, at: usize) -> (usize, &str) {
    if line.len() <= MAX_SNIPPET {
        return (0, line);
    }
    let from = floor_boundary(line, at.saturating_sub(MAX_SNIPPET / 2));
    let until = floor_boundary(line, (from + MAX_SNIPPET).min(line.len()));
    (from, &line[from..until])
}

/// The last character boundary at or before a byte.
fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// The line that holds a byte: its number from one, its text, and the byte's column from zero in characters.
fn line_at(text: &str, at: usize) -> (usize, &str, usize) {
    let at = floor_boundary(text, at);
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    let line = text[start..end].trim_end_matches('\r');
    let number = text[..start].bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = text[start..at].chars().count().min(line.chars().count());
    (number, line, column)
}

/// Breaks each line of a text at blanks; lines that start with a blank are kept as they are.
fn wrap(text: &str) -> String {
    text.lines().map(wrap_line).collect::<Vec<_>>().join("\n")
}

fn wrap_line(line: &str) -> String {
    if line.starts_with([' ', '\t']) || line.width() <= WIDTH {
        return line.to_owned();
    }
    let mut wrapped = String::new();
    let mut column = 0;
    for word in line.split(' ') {
        let space = usize::from(column > 0);
        if column + space + word.width() > WIDTH && column > 0 {
            wrapped.push('\n');
            column = 0;
        } else if space == 1 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += word.width();
    }
    wrapped
}

/// A hint that names the candidate that is [`nearest`] to the word, if there is one.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, candidates).map(|candidate| format!("did you mean {candidate:?}?"))
}

/// The candidate that was most likely meant: the same but for case and dashes, a few letters off, or the word with more before or after it.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = folded(word);
    let near =
        candidates.into_iter().filter_map(|candidate| Some((remoteness(&plain, &folded(candidate))?, candidate)));
    near.min().map(|(_, candidate)| candidate)
}

/// A name without the differences that people overlook.
fn folded(name: &str) -> Vec<char> {
    name.chars().flat_map(char::to_lowercase).map(|c| if c == '-' { '_' } else { c }).collect()
}

/// How unlikely it is that one was written for the other; none if it is too unlikely to say.
fn remoteness(word: &[char], candidate: &[char]) -> Option<usize> {
    let length = word.len();
    // A short word is soon another one: of three letters one may be off, and the first counts double.
    let allowed = match length {
        0 | 1 => 0,
        2 => usize::from(candidate.len() >= 2 && word.first() == candidate.first()),
        3 | 4 => 1 + usize::from(word.first() == candidate.first()),
        5..=9 => 2,
        _ => 3,
    };
    // A template can have thousands of names: most need no closer look.
    if candidate.len().abs_diff(length) <= allowed
        && let Some(edits) = Some(distance(word, candidate)).filter(|edits| *edits <= allowed)
    {
        return Some(edits);
    }
    let is_part = length >= 4 && (part(candidate, word) || part(word, candidate) && candidate.len() >= 4);
    // Any slip of the pen is likelier than a part left out; among those, the shorter part.
    is_part.then(|| 4 + candidate.len().abs_diff(length))
}

/// Whether a name is another one with more words before or after it.
fn part(long: &[char], short: &[char]) -> bool {
    let front = long.strip_prefix(short).is_some_and(|rest| rest.first() == Some(&'_'));
    front || long.strip_suffix(short).is_some_and(|rest| rest.last() == Some(&'_'))
}

/// The number of characters to insert, delete, change, or swap with their neighbour.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, l) in left.iter().enumerate() {
        let mut next = vec![at + 1];
        for (to, r) in right.iter().enumerate() {
            let mut best = (row[to] + usize::from(l != r)).min(row[to + 1] + 1).min(next[to] + 1);
            if at > 0 && to > 0 && left[at - 1] == *r && right[to - 1] == *l {
                best = best.min(before[to - 1] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, range: Range<usize>) -> String {
        let mut sources = Sources::default();
        let file = sources.add("a.hcl", text);
        snippet(&Span::new(file, range), None, &sources, &str::to_owned)
    }

    #[test]
    fn carets() {
        assert_eq!(
            shown("a = 1\n  bcd = 2\n", 8..11),
            "  on a.hcl line 2, column 3:\n   2:   bcd = 2\n        ^^^\n\n"
        );
        assert_eq!(shown("x", 9..12), "  on a.hcl line 1, column 2:\n   1: x\n       ^\n\n");
        assert_eq!(shown("", 0..0), "  on a.hcl line 1, column 1:\n   1: \n      ^\n\n");
        assert_eq!(shown("\té = {\r\n}\r\n", 6..12), "  on a.hcl line 1, column 6:\n   1: \té = {\n      \t    ^\n\n");
        assert_eq!(
            shown("a \0\x1b[31m", 2..3),
            "  on a.hcl line 1, column 3:\n   1: a \u{2400}\u{241b}[31m\n        ^\n\n"
        );
        let long = format!("{} here", "x".repeat(500));
        assert!(shown(&long, 501..505).contains("^^^^") && shown(&long, 501..505).len() < 400);
    }

    #[test]
    fn carets_below_masked_text() {
        let mut sources = Sources::default();
        let file = sources.add("a.hcl", "x = \"hunter2\" + 1");
        let diagnostic = Diagnostic::error("Wrong", "").at(&Span::new(file, 16..17));
        let mask = |text: &str| text.replace("hunter2", "<sensitive>");
        let text = mask(&render_for(&diagnostic.into(), &sources, &mask));
        assert!(text.contains("   1: x = \"<sensitive>\" + 1\n                          ^\n"), "{text}");
    }

    #[test]
    fn whole_text() {
        let mut sources = Sources::default();
        let file = sources.add("a.hcl", "foo = 1");
        let detail = format!("An argument {} is not expected here.", "word ".repeat(16).trim());
        let diagnostic = Diagnostic::error("Unsupported argument", detail)
            .at(&Span::new(file, 0..3))
            .hint(did_you_mean("foo", ["fooo", "bar"]));
        let text = render(&diagnostic.into(), &sources);
        assert!(
            text.starts_with(
                "Error: Unsupported argument\n\n  on a.hcl line 1, column 1:\n   1: foo = 1\n      ^^^\n\n"
            )
        );
        assert!(text.ends_with("\n\nhint: did you mean \"fooo\"?\n\n"), "{text}");
        assert!(text.lines().all(|line| line.len() <= 80));
    }

    #[test]
    fn suggestions() {
        assert_eq!(nearest("instance_typ", ["instance_type", "region"]), Some("instance_type"));
        for (word, candidates, wanted) in [
            ("regoin", &["region", "reason"][..], Some("region")),
            ("nil", &["null", "file"], Some("null")),
            ("Instance-Type", &["instance_type", "instance_types"], Some("instance_type")),
            ("username", &["ssh_username", "ssh_bastion_username"], Some("ssh_username")),
            ("instance", &["instance_type", "region"], Some("instance_type")),
            ("temporary_keypair_type", &["temporary_key_pair_type"], Some("temporary_key_pair_type")),
            ("text", &["set", "list", "string"], None),
            ("data", &["path", "region"], None),
            ("foo", &["for", "bar"], Some("for")),
            ("xy", &["ab", "x"], None),
            ("abc", &[], None),
        ] {
            assert_eq!(nearest(word, candidates.iter().copied()), wanted, "{word}");
        }
    }

    #[test]
    fn descriptions() {
        let mut sources = Sources::default();
        let file = sources.add("a.hcl", "ab\ncd\n");
        assert_eq!(sources.describe(&Span::new(file, 3..5)), "a.hcl:2,1-3");
        assert_eq!(sources.describe(&Span::new(file, 1..4)), "a.hcl:1,2-2,2");
    }
}
