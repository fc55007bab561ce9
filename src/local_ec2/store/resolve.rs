//! Finds the directories that an instance's root is stacked from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::distribution::{Distribution, distance, family};
use super::error::Error;
use super::lock::Lock;
use super::{HOST, SCRATCH, SCRATCH_DIR, Store, digest};

/// The prefix of a base that is only described: `wish:ubuntu:22.04`, or `wish:ubuntu` for any version.
const WISH: &str = "wish:";

/// What a base is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseKind {
    /// The root of this machine, which holds secrets: an instance must not see all of it.
    Host,
    /// A directory of the store, as it was added.
    Directory,
}

/// A root to be stacked.
#[derive(Clone, Debug)]
pub struct ResolvedRoot {
    /// The lowest directory.
    pub base_dir: PathBuf,
    /// What it is.
    pub base: BaseKind,
    /// [`HOST`], [`SCRATCH`] or the name of a base.
    pub base_name: String,
    /// What the stack is, from the uppermost `os-release`.
    pub distribution: Distribution,
    /// The unpacked layers, lowest first.
    pub layer_dirs: Vec<PathBuf>,
    /// Whom people log in as, on EC2, on the distribution that was wished for or else is there.
    pub login_user: String,
    /// Where a wish was not granted to the letter: `ubuntu 22.04 is played by debian 12 (this host)`. To be shown once.
    pub note: Option<String>,
    /// Keeps the base and the layers in the store: to be held as long as anything is mounted over them.
    pub in_use: InUse,
}

/// A claim on a base and layers, by this process. It ends when the last clone is dropped, or with the process.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "held for its drop")]
pub struct InUse(Arc<Vec<Lock>>);

/// A base that a wish may be granted with.
struct Candidate {
    name: String,
    distribution: Distribution,
}

impl Store {
    /// Finds a base, unpacks the layers that are not yet, and claims them all.
    ///
    /// `base` is [`HOST`], [`SCRATCH`] (or empty), the name of a base, or a wish: `wish:ID:VERSION` is granted with the
    /// same version of the same distribution, or else the nearest version, or else a distribution of the same family, or
    /// else the host.
    pub fn resolve(&self, base: &str, layers: &[String]) -> Result<ResolvedRoot, Error> {
        let (base_name, wished, note) = match base.strip_prefix(WISH) {
            Some(wish) => self.grant(wish)?,
            None if base.is_empty() => (SCRATCH.to_owned(), None, None),
            None => (base.to_owned(), None, None),
        };
        let (base_dir, kind, lock) = self.claim_base(&base_name)?;
        let mut locks = Vec::from_iter(lock);
        let mut layer_dirs = Vec::new();
        for layer in layers {
            locks.push(Lock::shared(&self.lock_path(digest::hex(layer)?))?);
            layer_dirs.push(self.unpack(layer)?);
        }
        let top_first = layer_dirs.iter().rev().chain([&base_dir]);
        let distribution = Distribution::of_roots(top_first.map(PathBuf::as_path));
        let login_user = wished.as_ref().unwrap_or(&distribution).login_user().to_owned();
        let in_use = InUse(Arc::new(locks));
        Ok(ResolvedRoot { base_dir, base: kind, base_name, distribution, layer_dirs, login_user, note, in_use })
    }

    fn claim_base(&self, name: &str) -> Result<(PathBuf, BaseKind, Option<Lock>), Error> {
        match name {
            HOST => Ok((self.host_root().to_owned(), BaseKind::Host, None)),
            SCRATCH => Ok((self.dir().join("bases").join(SCRATCH_DIR), BaseKind::Directory, None)),
            _ => {
                let dir = self.base_dir(name)?;
                let lock = Lock::shared(&self.base_lock(name))?;
                if dir.is_dir() {
                    Ok((dir, BaseKind::Directory, Some(lock)))
                } else {
                    Err(Error::BaseMissing(name.to_owned()))
                }
            }
        }
    }

    pub(super) fn host_root(&self) -> &Path {
        &self.0.host_root
    }

    /// The base for a wish, the distribution wished for, and a note where they differ.
    fn grant(&self, wish: &str) -> Result<(String, Option<Distribution>, Option<String>), Error> {
        let (id, version) = wish.split_once(':').unwrap_or((wish, ""));
        let wished = Distribution { id: id.to_lowercase(), version_id: version.to_owned(), ..Distribution::unknown() };
        let mut candidates: Vec<_> = self.list_bases()?.into_iter().map(Candidate::from).collect();
        let host = Distribution::of_roots([self.host_root()]);
        candidates.push(Candidate { name: HOST.to_owned(), distribution: host });
        let best = best(&wished, candidates);
        let note = note(&wished, &best);
        Ok((best.name, Some(wished), note))
    }
}

impl From<super::Base> for Candidate {
    fn from(base: super::Base) -> Self {
        Self { name: base.name, distribution: base.distribution }
    }
}

/// The last candidate is the host, which serves where nothing comes near.
fn best(wished: &Distribution, mut candidates: Vec<Candidate>) -> Candidate {
    let host = candidates.len() - 1;
    let rank = |nth: usize, candidate: &Candidate| {
        let has = &candidate.distribution;
        if has.id == wished.id {
            return (0, distance(&wished.version_id, &has.version_id), newest(&has.version_id), nth);
        }
        match has.family() {
            // Versions of different distributions do not compare: the host, which was installed for a purpose, comes
            // first there, then the newest.
            Some(found) if family(&wished.id) == Some(found) => {
                (1, (u64::from(nth != host), 0), newest(&has.version_id), nth)
            }
            _ => (2, (u64::from(nth != host), 0), (u64::MAX, u64::MAX), nth),
        }
    };
    let nearest = (0..candidates.len()).min_by_key(|&nth| rank(nth, &candidates[nth])).unwrap_or(host);
    candidates.swap_remove(nearest)
}

/// Smaller for newer versions.
fn newest(version: &str) -> (u64, u64) {
    let (major, minor) = distance("0", version);
    (u64::MAX - major, u64::MAX - minor)
}

fn note(wished: &Distribution, granted: &Candidate) -> Option<String> {
    let has = &granted.distribution;
    let same_version = wished.version_id.is_empty() || wished.version_id == has.version_id;
    if has.id == wished.id && same_version {
        return None;
    }
    let place = match granted.name.as_str() {
        HOST => "this host".to_owned(),
        name => format!("base {name}"),
    };
    Some(format!("{} is played by {} ({place})", wished.short(), has.short()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distribution(text: &str) -> Distribution {
        let (id, version) = text.split_once(' ').unwrap_or((text, ""));
        Distribution { id: id.to_owned(), version_id: version.to_owned(), ..Distribution::unknown() }
    }

    #[test]
    fn wishes_are_granted_with_the_nearest() {
        let cases = [
            ("ubuntu 22.04", &["ubuntu 24.04", "ubuntu 22.04", "debian 12"][..], "ubuntu 22.04", None),
            ("ubuntu 22.04", &["debian 12"], "debian 12", Some("ubuntu 22.04 is played by debian 12 (this host)")),
            ("ubuntu", &["ubuntu 22.04", "ubuntu 24.04", "debian 12"], "ubuntu 24.04", None),
            (
                "debian 13",
                &["debian 10", "debian 12", "amzn 2023"],
                "debian 12",
                Some("debian 13 is played by debian 12 (base b1)"),
            ),
            (
                "rhel 9",
                &["debian 12", "rocky 9.4", "debian 11"],
                "rocky 9.4",
                Some("rhel 9 is played by rocky 9.4 (base b1)"),
            ),
            (
                "ubuntu 24.04",
                &["debian 13", "debian 12"],
                "debian 12",
                Some("ubuntu 24.04 is played by debian 12 (this host)"),
            ),
            (
                "amzn 2023",
                &["debian 13", "debian 12"],
                "debian 12",
                Some("amzn 2023 is played by debian 12 (this host)"),
            ),
            ("debian 12", &["debian 12", "debian 12"], "debian 12", None),
        ];
        for (wish, there, expected, sentence) in cases {
            let mut candidates: Vec<_> = there
                .iter()
                .enumerate()
                .map(|(nth, text)| Candidate { name: format!("b{nth}"), distribution: distribution(text) })
                .collect();
            candidates.last_mut().unwrap().name = HOST.to_owned();
            let granted = best(&distribution(wish), candidates);
            assert_eq!(granted.distribution, distribution(expected), "{wish}");
            assert_eq!(note(&distribution(wish), &granted).as_deref(), sentence, "{wish}");
        }
    }
}
