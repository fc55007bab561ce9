//! Version numbers and constraints on them: `>= 1.2, < 2.0`, `~> 1.4`.

use std::cmp::Ordering;
use std::fmt;

/// A version: numbers, and perhaps what comes before the release they name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    numbers: Vec<u64>,
    prerelease: String,
}

/// One condition on a version.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    operator: &'static str,
    version: Version,
}

/// Conditions that must all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Constraints(Vec<Condition>);

/// The text is no constraint.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a version constraint such as \">= 1.2, < 2.0\"")]
pub struct ConstraintError(String);

/// Longer ones first: `>` is also the start of `>=`.
const OPERATORS: [&str; 7] = [">=", "<=", "!=", "~>", "=", ">", "<"];

/// Whether a version fits a constraint. The pre-release of a version fits where the version does.
///
/// # Errors
/// When the constraint is none.
pub fn version_fits(version: &str, constraint: &str) -> Result<bool, ConstraintError> {
    let constraints = Constraints::parse(constraint)?;
    Ok(Version::parse(version).is_some_and(|version| constraints.allow(&version.released())))
}

impl Version {
    /// Reads `1.2.3-beta1+build`, a leading `v` allowed.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = text.split_once('+').map_or(text, |(text, _)| text);
        let (numbers, prerelease) = text.split_once('-').unwrap_or((text, ""));
        let tag_fits = prerelease.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '~'));
        if !tag_fits || (prerelease.is_empty() && text.contains('-')) {
            return None;
        }
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten();
        let numbers: Vec<u64> = numbers.split('.').map(digits).collect::<Option<_>>()?;
        Some(Self { numbers, prerelease: prerelease.to_owned() })
    }

    /// The version as if it were released.
    pub fn released(mut self) -> Self {
        self.prerelease.clear();
        self
    }

    fn number(&self, at: usize) -> u64 {
        self.numbers.get(at).copied().unwrap_or(0)
    }

    fn compare(&self, other: &Self) -> Ordering {
        let length = self.numbers.len().max(other.numbers.len());
        let numbers = (0..length).map(|at| self.number(at).cmp(&other.number(at)));
        numbers.fold(Ordering::Equal, Ordering::then).then_with(|| compare_tags(&self.prerelease, &other.prerelease))
    }
}

/// A release comes after its pre-releases; their parts compare as numbers where both are.
fn compare_tags(left: &str, right: &str) -> Ordering {
    match (left.is_empty(), right.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let part = |left: &str, right: &str| match (left.parse::<u64>(), right.parse::<u64>()) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => left.cmp(right),
    };
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(left), Some(right)) if part(left, right) == Ordering::Equal => {}
            (Some(left), Some(right)) => return part(left, right),
        }
    }
}

impl Constraints {
    /// Reads conditions separated by commas; one without an operator means equality.
    pub fn parse(text: &str) -> Result<Self, ConstraintError> {
        let condition = |part: &str| {
            let part = part.trim();
            let operator = OPERATORS.into_iter().find(|operator| part.starts_with(operator));
            let version = Version::parse(&part[operator.map_or(0, str::len)..])?;
            Some(Condition { operator: operator.unwrap_or("="), version })
        };
        text.split(',').map(condition).collect::<Option<_>>().map(Self).ok_or_else(|| ConstraintError(text.to_owned()))
    }

    /// Whether all conditions hold.
    pub fn allow(&self, version: &Version) -> bool {
        self.0.iter().all(|condition| condition.holds(version))
    }

    /// Whether any condition names a pre-release.
    pub fn has_prerelease(&self) -> bool {
        self.0.iter().any(|condition| !condition.version.prerelease.is_empty())
    }
}

impl Condition {
    fn holds(&self, version: &Version) -> bool {
        let order = version.compare(&self.version);
        match self.operator {
            "=" => order == Ordering::Equal,
            "!=" => order != Ordering::Equal,
            ">" => order == Ordering::Greater,
            ">=" => order != Ordering::Less,
            "<" => order == Ordering::Less,
            "<=" => order != Ordering::Greater,
            _ => {
                // All numbers but the last one given must be the same, and the last one may be larger.
                let fixed = self.version.numbers.len().saturating_sub(1);
                order != Ordering::Less && (0..fixed).all(|at| version.number(at) == self.version.number(at))
            }
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.numbers.iter().map(u64::to_string).collect();
        let dash = if self.prerelease.is_empty() { "" } else { "-" };
        write!(f, "{}{dash}{}", numbers.join("."), self.prerelease)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints() {
        let version = Version::parse("1.16.0").unwrap();
        let allowed = [
            ">= 1.2.8",
            " >= 1.2.8",
            ">=v1.0.0",
            "~>1",
            "~> 1",
            "~> 1.16.0",
            "~> 1.15",
            ">= 1.0, < 2.0",
            "= 1.16",
            "1.16.0",
            "!= 1.2",
            "> 1.16.0-beta1",
            "<= 1.16.0",
        ];
        for text in allowed {
            assert!(Constraints::parse(text).unwrap().allow(&version), "{text}");
        }
        for text in [">= 99.0", "~> 1.15.0", "< 1.0", "1", "!= 1.16.0", "< 1.16.0-rc.1"] {
            assert!(!Constraints::parse(text).unwrap().allow(&version), "{text}");
        }
        for text in ["", "latest", ">= ", "1.x", ">= 1.0 < 2", "1.0-"] {
            assert!(Constraints::parse(text).is_err(), "{text}");
        }
        assert!(Constraints::parse(">= 1.0.0-beta1").unwrap().has_prerelease());
    }
}
