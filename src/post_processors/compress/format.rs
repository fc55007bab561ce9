//! What the name of an archive says of its format.

use std::thread::available_parallelism;

/// What is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A tar archive, compressed or not.
    Tar(Option<Algorithm>),
    /// A zip archive.
    Zip,
    /// One file, compressed.
    Single(Algorithm),
}

/// How bytes are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// gzip, by all cores.
    Gzip,
    /// LZ4 frames.
    Lz4,
    /// gzip in small blocks that can be found again, by all cores.
    Bgzf,
    /// xz.
    Xz,
    /// bzip2.
    Bzip2,
}

impl Format {
    /// What the last two ends of a name say. Ends are a dot and lower-case letters or digits, wherever they are; a template in the name is not rendered
    /// for this, so `{{.BuildName}}` has no say.
    pub fn of(name: &str) -> Self {
        let ends = ends(name);
        let (previous, last) = match ends.as_slice() {
            [] => ("", ""),
            [last] => ("", *last),
            [.., previous, last] => (*previous, *last),
        };
        match (last, Algorithm::of(last)) {
            ("tar", _) => Self::Tar(None),
            ("zip", _) => Self::Zip,
            (_, Some(algorithm)) if previous == "tar" => Self::Tar(Some(algorithm)),
            (_, Some(algorithm)) => Self::Single(algorithm),
            (_, None) => Self::Tar(Some(Algorithm::Gzip)),
        }
    }

    /// `tar`, `zip` or nothing.
    pub fn archive_name(self) -> &'static str {
        match self {
            Self::Tar(_) => "tar",
            Self::Zip => "zip",
            Self::Single(_) => "",
        }
    }

    /// The algorithm; a zip archive has its own.
    pub fn algorithm(self) -> Option<Algorithm> {
        match self {
            Self::Tar(algorithm) => algorithm,
            Self::Zip => None,
            Self::Single(algorithm) => Some(algorithm),
        }
    }
}

fn ends(name: &str) -> Vec<&str> {
    let end = |part: &'_ str| part.find(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit()).unwrap_or(part.len());
    name.split('.').skip(1).map(|part| &part[..end(part)]).filter(|end| !end.is_empty()).collect()
}

impl Algorithm {
    fn of(end: &str) -> Option<Self> {
        match end {
            "gz" => Some(Self::Gzip),
            "lz4" => Some(Self::Lz4),
            "bgzf" => Some(Self::Bgzf),
            "xz" => Some(Self::Xz),
            "bzip2" => Some(Self::Bzip2),
            _ => None,
        }
    }

    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "pgzip",
            Self::Lz4 => "lz4",
            Self::Bgzf => "bgzf",
            Self::Xz => "xz",
            Self::Bzip2 => "bzip2",
        }
    }

    /// Whether all cores work on it.
    fn is_parallel(self) -> bool {
        matches!(self, Self::Gzip | Self::Bgzf)
    }

    /// `pgzip compression with 8 cores`.
    pub fn announced(self) -> String {
        let cores = if self.is_parallel() { cores() } else { 1 };
        format!("{} compression with {cores} core{}", self.name(), if cores == 1 { "" } else { "s" })
    }

    /// Why only one core works, where people wonder.
    pub fn remark(self) -> &'static str {
        match self {
            Self::Xz | Self::Bzip2 => " (library does not support MT)",
            _ => "",
        }
    }
}

/// How many cores there are.
pub fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_two_ends_decide() {
        for (name, format) in [
            ("x.tar", Format::Tar(None)),
            ("x.gz.tar", Format::Tar(None)),
            ("x.tar.zip", Format::Zip),
            ("x.tar.gz", Format::Tar(Some(Algorithm::Gzip))),
            ("x.tar.lz4", Format::Tar(Some(Algorithm::Lz4))),
            ("v1.2/x.img.xz", Format::Single(Algorithm::Xz)),
            ("{{.BuildName}}.bgzf", Format::Single(Algorithm::Bgzf)),
            ("x.tar.bzip2", Format::Tar(Some(Algorithm::Bzip2))),
            ("x.tar.bz2", Format::Tar(Some(Algorithm::Gzip))),
            ("x.tgz", Format::Tar(Some(Algorithm::Gzip))),
            ("x.GZ", Format::Tar(Some(Algorithm::Gzip))),
            ("packer_{{.BuildName}}_{{.BuilderType}}", Format::Tar(Some(Algorithm::Gzip))),
            ("", Format::Tar(Some(Algorithm::Gzip))),
        ] {
            assert_eq!(Format::of(name), format, "{name}");
        }
    }
}
