//! Query parameters: a flat map of dotted names in which lists are numbered (`Filter.1.Value.2`), and typed ways to read it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Error, percent_decode};

/// The parameters of one request, or the part below one prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(BTreeMap<String, String>);

impl Params {
    /// Reads a form body or a query string. A repeated name keeps its last value.
    pub fn parse(form: &str) -> Self {
        let pairs = form.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (percent_decode(name, true), percent_decode(value.trim_end_matches(['\r', '\n']), true))
                })
                .collect(),
        )
    }

    /// The value; an empty one counts as absent, as EC2 treats it (Packer sends `SubnetId=` and friends).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.raw(name).filter(|value| !value.is_empty())
    }

    /// The value even when it is empty (tag values, `NoDevice`).
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value, or `MissingParameter`.
    pub fn need(&self, name: &str) -> Result<&str, Error> {
        self.get(name).ok_or_else(|| Error::missing(name))
    }

    /// A boolean, leniently (`True`, `1`).
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Error> {
        self.get(name)
            .map(|value| match value.to_ascii_lowercase().as_str() {
                "true" | "1" => Ok(true),
                "false" | "0" => Ok(false),
                _ => Err(Error::value(format!("Invalid value '{value}' for {name}. Must be 'true' or 'false'."))),
            })
            .transpose()
    }

    /// A whole number.
    pub fn int(&self, name: &str) -> Result<Option<i64>, Error> {
        self.get(name)
            .map(|value| {
                value.parse().map_err(|_| {
                    Error::value(format!("Value ({value}) for parameter {name} is invalid. Expected an integer."))
                })
            })
            .transpose()
    }

    /// The values of `name.1`, `name.2` …, by number; gaps are legal, empty values are left out. STS and IAM write `name.member.1`.
    pub fn list(&self, name: &str) -> Vec<String> {
        let mut found: Vec<(u32, &String)> = self
            .0
            .iter()
            .filter_map(|(key, value)| Some((key.strip_prefix(name)?.strip_prefix('.')?, value)))
            .filter_map(|(rest, value)| Some((rest.strip_prefix("member.").unwrap_or(rest).parse().ok()?, value)))
            .collect();
        found.sort_by_key(|(number, _)| *number);
        found.into_iter().map(|(_, value)| value.clone()).filter(|value| !value.is_empty()).collect()
    }

    /// The structures `name.1.*`, `name.2.*` …, by number.
    pub fn each(&self, name: &str) -> Vec<Params> {
        let numbers: BTreeSet<u32> = self
            .0
            .keys()
            .filter_map(|key| key.strip_prefix(name)?.strip_prefix('.'))
            .filter_map(|rest| rest.strip_prefix("member.").unwrap_or(rest).split('.').next()?.parse().ok())
            .collect();
        let read = |number: &u32| {
            let plain = self.sub(&format!("{name}.{number}"));
            if plain.is_empty() { self.sub(&format!("{name}.member.{number}")) } else { plain }
        };
        numbers.iter().map(read).collect()
    }

    /// The part below `name.`.
    pub fn sub(&self, name: &str) -> Params {
        let part = |(key, value): (&String, &String)| {
            Some((key.strip_prefix(name)?.strip_prefix('.')?.to_owned(), value.clone()))
        };
        Params(self.0.iter().filter_map(part).collect())
    }

    /// With one parameter more, or with another value.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Params {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With everything that another set has under a name.
    #[must_use]
    pub fn with_all(mut self, other: &Params, head: &str) -> Params {
        let is_below = |name: &str| name.split('.').next() == Some(head);
        self.0.extend(other.0.iter().filter(|(name, _)| is_below(name)).map(|(n, v)| (n.clone(), v.clone())));
        self
    }

    /// Without everything under a name.
    #[must_use]
    pub fn without(mut self, head: &str) -> Params {
        self.0.retain(|name, _| name.split('.').next() != Some(head));
        self
    }

    /// True without any parameter.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first segments of all names, each once: `Filter` for `Filter.1.Name`.
    pub fn heads(&self) -> BTreeSet<&str> {
        self.0.keys().filter_map(|key| key.split('.').next()).collect()
    }

    /// All names and values in the order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl FromIterator<(String, String)> for Params {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lists_structures_and_scalars() {
        let params = Params::parse(
            "Action=X&Filter.2.Name=b&Filter.1.Name=a%2A&Filter.1.Value.10=z&Filter.1.Value.2=y&SubnetId=&Tags.member.1.Key=k&N=7&B=True",
        );
        assert_eq!(params.get("SubnetId"), None);
        assert_eq!(params.raw("SubnetId"), Some(""));
        let filters = params.each("Filter");
        assert_eq!(filters[0].get("Name"), Some("a*"));
        assert_eq!(filters[0].list("Value"), ["y", "z"]);
        assert_eq!(filters[1].get("Name"), Some("b"));
        assert_eq!(params.each("Tags")[0].get("Key"), Some("k"));
        assert_eq!(params.int("N").unwrap(), Some(7));
        assert_eq!(params.flag("B").unwrap(), Some(true));
        assert!(params.flag("N").is_err());
        assert_eq!(params.heads(), BTreeSet::from(["Action", "B", "Filter", "N", "SubnetId", "Tags"]));
        assert_eq!(params.need("Nope").unwrap_err().code, "MissingParameter");
    }
}
