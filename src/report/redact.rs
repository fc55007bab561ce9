//! Masks every registered secret in text: one pass with an automaton over all forms of all secrets.
//!
//! Where masks overlap, their union is masked: of two secrets that share a piece of text nothing is left over.
//! A secret that a command's output cuts into several lines is masked piece by piece ([`Redactor::line`]).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use aho_corasick::AhoCorasick;

use super::forms;
use crate::secret::{MASK, Secrets};

/// A line that ends with this many bytes (or more) of the beginning of a secret is masked there: the rest of the
/// secret may follow on the next line. Fewer bytes would hit ordinary words.
const SHORTEST_PIECE: usize = 8;

/// How much of a line's end is searched for the beginning of a secret, in bytes: bounds the work on long lines.
const LONGEST_PIECE: usize = 4096;

/// Masks the secrets of one registry.
pub struct Redactor {
    secrets: Secrets,
    known: usize,
    patterns: Patterns,
}

/// What goes over from one line of a stream to the next: the unmasked piece that may be the beginning of a secret.
#[derive(Default)]
pub struct Carry(String);

/// The forms of all secrets, ready for the search.
#[derive(Default)]
struct Patterns {
    /// `None` when the forms could not be compiled; they are then searched one by one.
    automaton: Option<AhoCorasick>,
    /// Finds where a form may begin, by its first [`SHORTEST_PIECE`] bytes. `None` when it could not be compiled.
    beginnings: Option<AhoCorasick>,
    /// Sorted.
    forms: Vec<String>,
    longest: usize,
}

impl Redactor {
    /// A redactor for the secrets that are registered now; [`Redactor::refresh`] adds later ones.
    pub fn new(secrets: Secrets) -> Self {
        let mut redactor = Self { secrets, known: 0, patterns: Patterns::default() };
        redactor.refresh();
        redactor
    }

    /// Takes in what was registered since the last call. Cheap when nothing was.
    pub fn refresh(&mut self) {
        let texts = self.secrets.texts();
        if texts.len() != self.known {
            self.known = texts.len();
            self.patterns = Patterns::new(&texts);
        }
    }

    /// The text with every secret replaced by [`MASK`].
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let found = self.patterns.find(text);
        if found.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(replace(text, 0, &found)) }
    }

    /// Masks one line of a stream, and remembers what its end may be the beginning of.
    pub fn line<'a>(&self, carry: &mut Carry, line: &'a str) -> Cow<'a, str> {
        let body = line.trim_end();
        let before = carry.0.len();
        let joined = if before == 0 { Cow::Borrowed(body) } else { Cow::Owned(format!("{}{body}", carry.0)) };
        let mut found = self.patterns.find(&joined);
        let piece = self.patterns.beginning_at_end(&joined);
        carry.0 = joined[piece.clone()].to_owned();
        if !piece.is_empty() {
            add(&mut found, piece);
        }
        found.retain(|range| range.end > before);
        if found.is_empty() {
            return Cow::Borrowed(line);
        }
        Cow::Owned(replace(&joined, before, &found) + &line[body.len()..])
    }
}

impl Patterns {
    fn new(secrets: &[String]) -> Self {
        let forms: BTreeSet<String> = secrets.iter().flat_map(|text| forms::of(text)).collect();
        let forms: Vec<String> = forms.into_iter().collect();
        let mut heads: Vec<&[u8]> = forms.iter().filter_map(|form| form.as_bytes().get(..SHORTEST_PIECE)).collect();
        heads.dedup();
        Self {
            automaton: AhoCorasick::new(&forms).ok(),
            beginnings: AhoCorasick::new(heads).ok(),
            longest: forms.iter().map(String::len).max().unwrap_or(0),
            forms,
        }
    }

    /// Where secrets stand, in order; ranges may touch but never overlap.
    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        if self.forms.is_empty() {
            return found;
        }
        match &self.automaton {
            Some(automaton) => automaton.find_overlapping_iter(text).for_each(|hit| add(&mut found, hit.range())),
            None => self.find_slowly(text, &mut found),
        }
        found
    }

    /// The same without an automaton, which does not compile for gigabytes of forms only: slow, but nothing leaks.
    fn find_slowly(&self, text: &str, found: &mut Vec<Range<usize>>) {
        let mut hits: Vec<Range<usize>> = Vec::new();
        for form in &self.forms {
            hits.extend(text.match_indices(form.as_str()).map(|(at, hit)| at..at + hit.len()));
        }
        hits.sort_by_key(|hit| hit.end);
        hits.into_iter().for_each(|hit| add(found, hit));
    }

    /// The longest end of the text that is the beginning, but not all, of a secret. Empty where there is none.
    fn beginning_at_end(&self, text: &str) -> Range<usize> {
        let end = text.len();
        // Without the automaton nothing is found here: whole forms are masked all the same.
        let Some(beginnings) = self.beginnings.as_ref().filter(|_| self.longest > SHORTEST_PIECE) else {
            return end..end;
        };
        let from = end.saturating_sub((self.longest - 1).min(LONGEST_PIECE));
        let mut starts = beginnings.find_overlapping_iter(&text.as_bytes()[from..]).map(|hit| from + hit.start());
        starts.find(|&start| text.get(start..).is_some_and(|piece| self.begins_a_form(piece))).unwrap_or(end)..end
    }

    fn begins_a_form(&self, piece: &str) -> bool {
        // The forms that begin with the piece follow it in the order; the piece itself, if it is one, comes first.
        let at = self.forms.partition_point(|form| form.as_str() <= piece);
        self.forms.get(at).is_some_and(|form| form.starts_with(piece))
    }
}

/// Adds a range that ends no earlier than the others, melting those that it overlaps into one.
fn add(found: &mut Vec<Range<usize>>, mut range: Range<usize>) {
    while let Some(last) = found.last().filter(|last| last.end > range.start) {
        range.start = range.start.min(last.start);
        found.pop();
    }
    found.push(range);
}

/// The text from `from` on, with the ranges masked.
fn replace(text: &str, from: usize, ranges: &[Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = from;
    for range in ranges {
        out.push_str(&text[at..range.start.max(at)]);
        out.push_str(MASK);
        at = range.end;
    }
    out.push_str(&text[at..]);
    out
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    fn redactor(secrets: &[&str]) -> Redactor {
        let registry = Secrets::default();
        secrets.iter().for_each(|text| registry.register(text));
        Redactor::new(registry)
    }

    fn stream(redactor: &Redactor, lines: &[&str]) -> Vec<String> {
        let mut carry = Carry::default();
        lines.iter().map(|line| redactor.line(&mut carry, line).into_owned()).collect()
    }

    #[test]
    fn masks_like_packer() {
        for (secrets, text, masked) in [
            (&["hunter2"][..], "hunter2 and xhunter2x", "<sensitive> and x<sensitive>x"),
            (&["hunter2"], "Hunter2", "Hunter2"),
            (&["hunter2"], "hunter2hunter2", "<sensitive><sensitive>"),
            (&["alpha line\nbeta line\n"], "alpha line", "<sensitive>"),
            (&["alpha line\nbeta line\n"], "pre beta line post", "pre <sensitive> post"),
            (&["alpha line\nbeta line\n"], "alpha", "alpha"),
            (&["alpha line\r\nbeta line"], "x alpha line\nbeta line x", "x <sensitive> x"),
            (&["a"], "banana", "b<sensitive>n<sensitive>n<sensitive>"),
            (&[], "anything", "anything"),
        ] {
            assert_eq!(redactor(secrets).mask(text), masked, "{secrets:?}");
        }
    }

    #[test]
    fn overlapping_secrets_leave_nothing() {
        let redactor = redactor(&["hunter2", "2secret", "secret"]);
        assert_eq!(redactor.mask("a hunter2secret b secret"), "a <sensitive> b <sensitive>");
    }

    #[test]
    fn encoded_secrets_are_masked() {
        let redactor = redactor(&["it's 100% <\"safe\">"]);
        for text in [
            r#"{"p":"it's 100% <\"safe\">"}"#,
            r#"{"p":"it's 100% \u003c\"safe\"\u003e"}"#,
            r#"'it'"'"'s 100% <"safe">'"#,
            r#"it\'s\ 100%\ \<\"safe\"\>"#,
            "?p=it%27s%20100%25%20%3C%22safe%22%3E",
            "?p=it%27s+100%25+%3c%22safe%22%3e",
        ] {
            let masked = redactor.mask(text);
            assert!(masked.contains(MASK) && !masked.contains("100"), "{text}: {masked}");
        }
    }

    #[test]
    fn later_secrets_count_after_a_refresh() {
        let secrets = Secrets::default();
        let mut redactor = Redactor::new(secrets.clone());
        assert_eq!(redactor.mask("hunter2"), "hunter2");
        secrets.register("hunter2");
        redactor.refresh();
        assert_eq!(redactor.mask("hunter2"), MASK);
    }

    #[test]
    fn a_secret_cut_by_line_ends_is_masked_in_pieces() {
        let redactor = redactor(&["correct-horse-battery-staple"]);
        assert_eq!(
            stream(&redactor, &["say correct-hor", "se-battery", "-staple, please", "-staple"]),
            ["say <sensitive>", "<sensitive>", "<sensitive>, please", "-staple"]
        );
        assert_eq!(stream(&redactor, &["say correct", "ly spelled"]), ["say correct", "ly spelled"]);
        assert_eq!(stream(&redactor, &["say correct-horse\r", " race"]), ["say <sensitive>\r", " race"]);
    }

    #[test]
    fn wrapped_base64_is_masked() {
        let secret = "0123456789".repeat(12);
        let redactor = redactor(&[&secret]);
        let digits = STANDARD.encode(&secret);
        let lines: Vec<&str> = [&digits[..76], &digits[76..152], &digits[152..]].into();
        assert_eq!(stream(&redactor, &lines), [MASK; 3]);
    }

    #[test]
    fn forms_are_found_without_an_automaton_too() {
        let mut redactor = redactor(&["hunter2", "2secret"]);
        redactor.patterns.automaton = None;
        assert_eq!(redactor.mask("a hunter2secret b hunter2"), "a <sensitive> b <sensitive>");
    }

    proptest! {
        // Upper-case secrets, because the mask itself is lower case.
        #[test]
        fn no_secret_survives(secrets in prop::collection::vec("[A-Z0-9 '\"é$]{1,12}", 1..5), text in "[A-Z0-9 '\"é$]{0,80}") {
            let redactor = redactor(&secrets.iter().map(String::as_str).collect::<Vec<_>>());
            let masked = redactor.mask(&text);
            for secret in &secrets {
                prop_assert!(!masked.contains(secret.as_str()), "{} in {}", secret, masked);
            }
        }

        #[test]
        fn text_without_secrets_is_untouched(text in "[a-z ]{0,80}") {
            prop_assert_eq!(redactor(&["SECRET-TEXT"]).mask(&text), text.as_str());
        }

        #[test]
        fn a_cut_secret_leaves_less_than_a_piece(cut in 0usize..30, before in "[a-z ]{0,9}") {
            let secret = "CORRECT-HORSE-BATTERY-STAPLE-X";
            let lines = [format!("{before}{}", &secret[..cut]), secret[cut..].to_owned()];
            let shown = stream(&redactor(&[secret]), &[&lines[0], &lines[1]]);
            let kept = shown[0].trim_start_matches(&before).replace(MASK, "");
            prop_assert!(kept.len() < SHORTEST_PIECE, "{:?}", shown);
        }

        #[test]
        fn base64_of_a_secret_within_a_text_never_decodes_to_it(before in "[a-z]{0,5}", after in "[a-z]{0,5}") {
            let secret = "CORRECT-HORSE";
            let masked = redactor(&[secret]).mask(&STANDARD.encode(format!("{before}{secret}{after}"))).into_owned();
            prop_assert!(masked.contains(MASK), "{}", masked);
        }
    }
}
