//! How the provisioners of a template stand, given what earlier processes of its run did to the machine. The template may have been edited since: they are
//! known by their content, and their places only tell which one was edited. What nobody can tell apart from a new one runs, since an image without it is
//! worse than one that got it twice.

use crate::engine::ledger::{Known, Progress};

/// A provisioner as the template has it today.
#[derive(Clone, Debug)]
pub struct Today {
    /// Its type, `shell` for one.
    pub kind: String,
    /// The digest of its inputs.
    pub digest: String,
}

/// How one of them stands. Indices are of what was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It ended well as it is.
    Done(usize),
    /// It ended well, and was edited after that.
    Edited(usize),
    /// It was there before and has not ended well.
    Due,
    /// It was not there before, or was edited before it ended well.
    New,
    /// It is new, or one that ended well and was edited after that.
    Unclear,
}

impl Standing {
    /// Whether the machine has what it did.
    pub fn is_over(self) -> bool {
        self.of().is_some()
    }

    fn of(self) -> Option<usize> {
        match self {
            Self::Done(was) | Self::Edited(was) => Some(was),
            Self::Due | Self::New | Self::Unclear => None,
        }
    }
}

/// How all of them stand.
#[derive(Debug, PartialEq, Eq)]
pub struct Review {
    /// One for each provisioner of the template.
    pub standings: Vec<Standing>,
    /// Those that ended well and that the template has no more.
    pub dropped: Vec<usize>,
}

impl Review {
    /// Compares what is known with the template of today.
    pub fn new(known: &[Known], today: &[Today]) -> Self {
        let same = unchanged(known, today);
        let rest = Rest::new(known, today, &same);
        let stand = |(index, same): (usize, &Option<usize>)| match same.map(|was| (was, &known[was])) {
            None => rest.standing(index),
            Some((_, Known { progress: Progress::Due, .. })) => Standing::Due,
            Some((was, Known { digest, .. })) if *digest == today[index].digest => Standing::Done(was),
            Some((was, _)) => Standing::Edited(was),
        };
        let standings: Vec<Standing> = same.iter().enumerate().map(stand).collect();
        let mut review = Self { standings, dropped: Vec::new() };
        let done = (0..known.len()).filter(|was| known[*was].progress == Progress::Done);
        review.dropped = done.filter(|was| !review.has(*was)).collect();
        review
    }

    /// Whether the template has that one, edited or not.
    fn has(&self, was: usize) -> bool {
        self.standings.iter().any(|standing| standing.of() == Some(was))
    }

    /// Whether provisioners that stand behind this one ended well before it.
    pub fn is_late(&self, index: usize) -> bool {
        !self.standings[index].is_over() && self.standings[index..].iter().any(|other| other.is_over())
    }

    /// What the next process has to know. What was dropped may come back.
    pub fn known(&self, known: &[Known], today: &[Today]) -> Vec<Known> {
        let of_today = self.standings.iter().zip(today).map(|(standing, Today { kind, digest })| {
            let (kind, digest) = (kind.clone(), digest.clone());
            match standing {
                Standing::Done(_) => Known { kind, digest, edited: None, progress: Progress::Done },
                Standing::Edited(was) => {
                    Known { edited: Some(digest), progress: Progress::Done, ..known[*was].clone() }
                }
                Standing::Due | Standing::New | Standing::Unclear => {
                    Known { kind, digest, edited: None, progress: Progress::Due }
                }
            }
        });
        let gone = (0..known.len()).filter(|was| known[*was].progress != Progress::Due && !self.has(*was));
        of_today.chain(gone.map(|was| Known { progress: Progress::Dropped, ..known[was].clone() })).collect()
    }
}

/// Which one of the known ones each of today's is; each counts once.
fn unchanged(known: &[Known], today: &[Today]) -> Vec<Option<usize>> {
    let mut taken = vec![false; known.len()];
    let is = |known: &Known, digest: &str| known.digest == digest || known.edited.as_deref() == Some(digest);
    let mut find = |digest: &str| {
        let found = (0..known.len()).find(|was| !taken[*was] && is(&known[*was], digest))?;
        taken[found] = true;
        Some(found)
    };
    today.iter().map(|one| find(&one.digest)).collect()
}

/// Those that are not as any of the others. Each lies in one of the gaps between those that are as they were: in the same gap, and of the same type, one of
/// today may be an edited one of before.
struct Rest {
    /// Of before: index, gap and type, and whether it ended well.
    before: Vec<(usize, (usize, String), bool)>,
    /// Of today: index, gap and type.
    today: Vec<(usize, (usize, String))>,
}

impl Rest {
    fn new(known: &[Known], today: &[Today], same: &[Option<usize>]) -> Self {
        let in_place = |was: &usize| known[*was].progress != Progress::Dropped;
        let pairs = same.iter().enumerate().filter_map(|(now, was)| Some((now, was.filter(in_place)?)));
        let anchors = longest_in_order(pairs);
        let before = (0..known.len()).filter(|was| !same.contains(&Some(*was))).filter(in_place).map(|was| {
            let gap = anchors.iter().filter(|(_, anchor)| *anchor < was).count();
            (was, (gap, known[was].kind.clone()), known[was].progress == Progress::Done)
        });
        let now = (0..today.len()).filter(|now| same[*now].is_none()).map(|now| {
            let gap = anchors.iter().filter(|(anchor, _)| *anchor < now).count();
            (now, (gap, today[now].kind.clone()))
        });
        Self { before: before.collect(), today: now.collect() }
    }

    fn standing(&self, index: usize) -> Standing {
        let Some((_, place)) = self.today.iter().find(|(now, _)| *now == index) else { return Standing::New };
        let rivals: Vec<usize> = self.today.iter().filter(|(_, other)| other == place).map(|(now, _)| *now).collect();
        let number = rivals.iter().filter(|now| **now < index).count();
        let before: Vec<_> = self.before.iter().filter(|(_, other, _)| other == place).collect();
        let all_done = before.iter().all(|(.., done)| *done);
        match before.get(number) {
            _ if !before.iter().any(|(.., done)| *done) => Standing::New,
            Some((was, _, done)) if before.len() == rivals.len() || (all_done && before.len() > rivals.len()) => {
                if *done {
                    Standing::Edited(*was)
                } else {
                    Standing::New
                }
            }
            _ => Standing::Unclear,
        }
    }
}

/// The most of these pairs, which are in order by their first, that are so by their second, too.
fn longest_in_order(pairs: impl Iterator<Item = (usize, usize)>) -> Vec<(usize, usize)> {
    // The longest one that ends with each of them.
    let mut ending: Vec<Vec<(usize, usize)>> = Vec::new();
    for pair in pairs {
        let before = ending.iter().filter(|row| row.last().is_some_and(|(_, was)| *was < pair.1));
        let mut row = before.max_by_key(|row| row.len()).cloned().unwrap_or_default();
        row.push(pair);
        ending.push(row);
    }
    ending.into_iter().max_by_key(Vec::len).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From words: `a` has ended well, `a=b` was made `b` after that, `-a` has not ended well, `~a` was dropped. A colon puts a type before a name; it is
    /// `shell` without one.
    fn known(text: &str) -> Vec<Known> {
        let one = |word: &str| {
            let (progress, word) = match word.as_bytes()[0] {
                b'-' => (Progress::Due, &word[1..]),
                b'~' => (Progress::Dropped, &word[1..]),
                _ => (Progress::Done, word),
            };
            let (word, edited) =
                word.split_once('=').map_or((word, None), |(word, edited)| (word, Some(edited.into())));
            let Today { kind, digest } = today(word).remove(0);
            Known { kind, digest, edited, progress }
        };
        text.split_whitespace().map(one).collect()
    }

    fn today(text: &str) -> Vec<Today> {
        let one = |word: &str| {
            let kind = word.split_once(':').map_or("shell", |(kind, _)| kind);
            Today { kind: kind.into(), digest: word.into() }
        };
        text.split_whitespace().map(one).collect()
    }

    fn shown(known: &[Known]) -> String {
        let mark = |progress| match progress {
            Progress::Due => "-",
            Progress::Done => "",
            Progress::Dropped => "~",
        };
        let edited = |one: &Known| one.edited.as_ref().map(|edited| format!("={edited}")).unwrap_or_default();
        let shown = |one: &Known| format!("{}{}{}", mark(one.progress), one.digest, edited(one));
        known.iter().map(shown).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_ended_well_is_known_by_its_content() {
        // Before, today, how each stands, what the next process knows.
        for (before, now, standings, then) in [
            // Nothing was edited.
            ("", "a b", "new new", "-a -b"),
            ("a b -c", "a b c", "done done due", "a b -c"),
            // The one that failed was mended, alone or with others.
            ("a b -c", "a b c2", "done done new", "a b -c2"),
            ("a b -c", "a c2", "done unclear", "a -c2 ~b"),
            ("a b -c", "b c2", "done new", "b -c2 ~a"),
            ("a b -c", "n a b c2", "late-new done done new", "-n a b -c2"),
            ("a b -c", "a b n c2", "done done new new", "a b -n -c2"),
            ("a b -c", "a2 b c2", "edited done new", "a=a2 b -c2"),
            ("a b -c", "a b2 c2", "done edited new", "a b=b2 -c2"),
            // One was removed.
            ("a b -c", "b c", "done due", "b -c ~a"),
            ("a b -c", "a c", "done due", "a -c ~b"),
            ("a b -c", "a b", "done done", "a b"),
            ("a b -c", "", "", "~a ~b"),
            ("a b c -d", "b2 c d", "edited done due", "a=b2 c -d ~b"),
            // One was inserted.
            ("a b -c", "n a b c", "late-new done done due", "-n a b -c"),
            ("a b -c", "a n b c", "done late-new done due", "a -n b -c"),
            ("a b -c", "a b n c", "done done new due", "a b -n -c"),
            // One was edited, and nobody can say which.
            ("a b -c", "n a2 b c", "late-unclear late-unclear done due", "-n -a2 b -c ~a"),
            ("a b -c", "n a b2 c", "late-new done edited due", "-n a b=b2 -c"),
            // One was edited before another edit.
            ("a=a2 b -c", "a2 n b c", "edited late-new done due", "a=a2 -n b -c"),
            ("a=a2 b -c", "n a3 b c", "late-unclear late-unclear done due", "-n -a3 b -c ~a=a2"),
            ("a=a2 b -c", "a b c", "done done due", "a b -c"),
            ("a=a2 b -c", "b a c", "done done due", "b a -c"),
            // Of another type: it can be none that was edited.
            ("a b -c", "file:n b c", "late-new done due", "-file:n b -c ~a"),
            ("a b -file:c", "a file:c2", "done new", "a -file:c2 ~b"),
            // In another order.
            ("a b -c", "c b a", "late-due done done", "-c b a"),
            ("a b -c", "c a2 b", "late-due edited done", "-c a=a2 b"),
            // Alike, each counts once.
            ("a a -b", "a a a b", "done done new due", "a a -a -b"),
            ("a b a -c", "a b c", "done done due", "a b -c ~a"),
            // Some failed and were gone on after.
            ("-a b -c", "a b c", "late-due done due", "-a b -c"),
            ("-a b -c", "a2 b c", "late-new done due", "-a2 b -c"),
            // Dropped ones come back, and take the place of none.
            ("b -c ~a", "a b c", "done done due", "a b -c"),
            ("b -c ~a", "b c n", "done due new", "b -c -n ~a"),
        ] {
            let (before, now) = (known(before), today(now));
            let review = Review::new(&before, &now);
            let told = review.standings.iter().enumerate().map(|(index, standing)| {
                let name = match standing {
                    Standing::Done(_) => "done",
                    Standing::Edited(_) => "edited",
                    Standing::Due => "due",
                    Standing::New => "new",
                    Standing::Unclear => "unclear",
                };
                format!("{}{name}", if review.is_late(index) { "late-" } else { "" })
            });
            let case = format!("{} -> {now:?}", shown(&before));
            assert_eq!(told.collect::<Vec<_>>().join(" "), standings, "{case}");
            assert_eq!(shown(&review.known(&before, &now)), then, "{case}");
        }
    }
}
