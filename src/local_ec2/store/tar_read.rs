//! Reads tar members from a stream, as any of the usual tars writes them: ustar, PAX, GNU long names and sparse files.
//! The `tar` crate's reader splits PAX records at newlines, which breaks binary values such as file capabilities.

use std::io::{self, Read};

use tar::{EntryType, Header};

use super::tar_write::TAR_BLOCK;

/// No name and no set of PAX records is longer: an archive that says so only wants memory.
const MAX_EXTENSION: u64 = 1 << 20;

/// Offset and length in the file of every piece that a sparse member has in the archive.
pub(super) type Pieces = Vec<(u64, u64)>;

/// One member without its data.
#[derive(Debug)]
pub(super) struct Entry {
    pub path: Vec<u8>,
    pub kind: EntryType,
    pub link: Vec<u8>,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: (i64, u32),
    pub device: (u32, u32),
    /// The length of the file. The data in the archive is shorter if the file is sparse.
    pub size: u64,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Of a sparse file.
    pub pieces: Option<Pieces>,
}

/// An archive being read. Between calls of [`TarReader::next`], it reads the data of the member that came last.
pub(super) struct TarReader<R> {
    input: R,
    /// Data of the current member that was not read, and the padding after it.
    left: u64,
    padding: u64,
}

impl<R: Read> TarReader<R> {
    /// Starts before the first member.
    pub(super) fn new(input: R) -> Self {
        Self { input, left: 0, padding: 0 }
    }

    /// The next member, or `None` at the end mark or the end of the input.
    pub(super) fn next(&mut self) -> io::Result<Option<Entry>> {
        let mut extensions = Extensions::default();
        loop {
            self.skip()?;
            let Some(header) = self.header()? else { return Ok(None) };
            let size = header.entry_size()?;
            match header.entry_type() {
                EntryType::XHeader => extensions.pax(&self.extension(size)?)?,
                // Global records change defaults that no archive of files has a use for.
                EntryType::XGlobalHeader => drop(self.extension(size)?),
                EntryType::GNULongName => extensions.path = Some(until_nul(self.extension(size)?)),
                EntryType::GNULongLink => extensions.link = Some(until_nul(self.extension(size)?)),
                _ => return self.entry(&header, extensions).map(Some),
            }
        }
    }

    /// The input, wherever the reader is.
    pub(super) fn into_inner(self) -> R {
        self.input
    }

    fn entry(&mut self, header: &Header, extensions: Extensions) -> io::Result<Entry> {
        let kind = header.entry_type();
        let mut stored = extensions.size.map_or_else(|| header.entry_size(), Ok)?;
        if matches!(kind, EntryType::Directory | EntryType::Symlink | EntryType::Link) {
            // Some tars record a size there that no data follows.
            stored = 0;
        }
        self.announce(stored)?;
        let (size, pieces) = self.sparse(header, &extensions, stored)?;
        let id = |pax: Option<u64>, header: io::Result<u64>| match pax.map_or(header, Ok) {
            Ok(id) => u32::try_from(id).map_err(|_| bad("has an owner that is out of range")),
            Err(error) => Err(error),
        };
        Ok(Entry {
            path: extensions.sparse_name.or(extensions.path).unwrap_or_else(|| header.path_bytes().into_owned()),
            kind: effective_kind(header),
            link: extensions.link.or_else(|| header.link_name_bytes().map(Into::into)).unwrap_or_default(),
            mode: header.mode()?,
            uid: id(extensions.uid, header.uid())?,
            gid: id(extensions.gid, header.gid())?,
            mtime: extensions.mtime.unwrap_or((header.mtime().unwrap_or(0).cast_signed(), 0)),
            device: (
                header.device_major().ok().flatten().unwrap_or(0),
                header.device_minor().ok().flatten().unwrap_or(0),
            ),
            size,
            xattrs: extensions.xattrs,
            pieces,
        })
    }

    /// The real size and the pieces of a sparse file, in GNU's old form or in its PAX form 1.0.
    fn sparse(&mut self, header: &Header, extensions: &Extensions, stored: u64) -> io::Result<(u64, Option<Pieces>)> {
        if header.entry_type() == EntryType::GNUSparse {
            let gnu = header.as_gnu().ok_or_else(|| bad("is sparse in an unknown way"))?;
            let mut pieces = Vec::new();
            for piece in gnu.sparse.iter().filter(|piece| !piece.is_empty()) {
                pieces.push((piece.offset()?, piece.length()?));
            }
            let mut extended = gnu.is_extended();
            while extended {
                let mut more = tar::GnuExtSparseHeader::new();
                self.input.read_exact(more.as_mut_bytes())?;
                for piece in more.sparse().iter().filter(|piece| !piece.is_empty()) {
                    pieces.push((piece.offset()?, piece.length()?));
                }
                if pieces.len() > MAX_EXTENSION as usize {
                    return Err(bad("has too many pieces"));
                }
                extended = more.is_extended();
            }
            return Ok((gnu.real_size()?, Some(pieces)));
        }
        match extensions.sparse_major {
            None => Ok((stored, None)),
            Some(1) => Ok((extensions.sparse_size.unwrap_or(stored), Some(self.sparse_map()?))),
            Some(_) => Err(bad("is sparse in an old PAX form; write it with --sparse-version=1.0")),
        }
    }

    /// The map in front of the data: a count, then offset and length of each piece, a decimal line each.
    fn sparse_map(&mut self) -> io::Result<Pieces> {
        let before = self.left;
        let count = self.decimal_line()?;
        if count > MAX_EXTENSION {
            return Err(bad("has too many pieces"));
        }
        let mut pieces = Vec::new();
        for _ in 0..count {
            pieces.push((self.decimal_line()?, self.decimal_line()?));
        }
        let used = before - self.left;
        let rest = used.next_multiple_of(TAR_BLOCK) - used;
        self.read_exact(&mut [0; TAR_BLOCK as usize][..rest as usize])?;
        Ok(pieces)
    }

    fn decimal_line(&mut self) -> io::Result<u64> {
        let mut number: u64 = 0;
        loop {
            let mut byte = [0];
            self.read_exact(&mut byte)?;
            match byte[0] {
                b'\n' => return Ok(number),
                digit @ b'0'..=b'9' if number < 1 << 58 => number = number * 10 + u64::from(digit - b'0'),
                _ => return Err(bad("has a malformed sparse map")),
            }
        }
    }

    fn header(&mut self) -> io::Result<Option<Header>> {
        let mut header = Header::new_old();
        let bytes = header.as_mut_bytes();
        let mut filled = 0;
        while filled < bytes.len() {
            match self.input.read(&mut bytes[filled..])? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => filled += count,
            }
        }
        if bytes.iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        check_sum(&header)?;
        Ok(Some(header))
    }

    fn extension(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > MAX_EXTENSION {
            return Err(bad("has an extended header of more than 1 MiB"));
        }
        self.announce(size)?;
        let mut bytes = vec![0; size as usize];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Says how much data comes next.
    fn announce(&mut self, size: u64) -> io::Result<()> {
        // No file is larger, and the sums below stay in range.
        if size > i64::MAX as u64 {
            return Err(bad("has an impossible size"));
        }
        (self.left, self.padding) = (size, size.next_multiple_of(TAR_BLOCK) - size);
        Ok(())
    }

    fn skip(&mut self) -> io::Result<()> {
        let skip = self.left + self.padding;
        if io::copy(&mut (&mut self.input).take(skip), &mut io::sink())? < skip {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        (self.left, self.padding) = (0, 0);
        Ok(())
    }
}

impl<R: Read> Read for TarReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let want = into.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if want == 0 {
            return Ok(0);
        }
        match self.input.read(&mut into[..want])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.left -= count as u64;
                Ok(count)
            }
        }
    }
}

/// Before POSIX, a directory was a file whose name ends in a slash.
fn effective_kind(header: &Header) -> EntryType {
    match header.entry_type() {
        EntryType::Regular if header.as_bytes()[156] == 0 && header.path_bytes().ends_with(b"/") => {
            EntryType::Directory
        }
        EntryType::GNUSparse | EntryType::Continuous => EntryType::Regular,
        kind => kind,
    }
}

fn check_sum(header: &Header) -> io::Result<()> {
    let bytes = header.as_bytes();
    let others = bytes[..148].iter().chain(&bytes[156..]);
    let sum = others.map(|&byte| u32::from(byte)).sum::<u32>() + 8 * 32;
    if header.cksum()? == sum { Ok(()) } else { Err(bad("has a wrong checksum: this is no tar, or a damaged one")) }
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len()));
    bytes
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a tar member {what}"))
}

/// What precedes a member's header and overrides it.
#[derive(Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    mtime: Option<(i64, u32)>,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    sparse_major: Option<u64>,
    sparse_name: Option<Vec<u8>>,
    sparse_size: Option<u64>,
}

impl Extensions {
    /// Takes over PAX records: `LENGTH KEY=VALUE\n` each, where the value may hold any byte.
    fn pax(&mut self, mut records: &[u8]) -> io::Result<()> {
        while !records.is_empty() {
            let malformed = || bad("has malformed PAX records");
            let blank = records.iter().position(|&byte| byte == b' ').ok_or_else(malformed)?;
            let length = decimal(&records[..blank]).and_then(|length| usize::try_from(length).ok());
            let length = length.filter(|length| (blank + 2..=records.len()).contains(length)).ok_or_else(malformed)?;
            let (record, rest) = records.split_at(length);
            let record = record[blank + 1..].strip_suffix(b"\n").ok_or_else(malformed)?;
            let equals = record.iter().position(|&byte| byte == b'=').ok_or_else(malformed)?;
            self.record(&record[..equals], &record[equals + 1..]).ok_or_else(malformed)?;
            records = rest;
        }
        Ok(())
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => self.size = Some(decimal(value)?),
            b"uid" => self.uid = Some(decimal(value)?),
            b"gid" => self.gid = Some(decimal(value)?),
            b"mtime" => self.mtime = Some(time(value)?),
            b"GNU.sparse.major" => self.sparse_major = Some(decimal(value)?),
            b"GNU.sparse.map" | b"GNU.sparse.numblocks" => self.sparse_major = Some(0),
            b"GNU.sparse.name" => self.sparse_name = Some(value.to_vec()),
            b"GNU.sparse.realsize" => self.sparse_size = Some(decimal(value)?),
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    self.xattrs.push((name.to_vec(), value.to_vec()));
                }
            }
        }
        Some(())
    }
}

fn decimal(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Decimal seconds with up to nine digits that count; before 1970, the nanoseconds count forward from the second before.
fn time(text: &[u8]) -> Option<(i64, u32)> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    let digits: String = part.chars().chain("000000000".chars()).take(9).collect();
    let nanoseconds: u32 = digits.parse().ok()?;
    match (whole.starts_with('-'), nanoseconds) {
        (true, 1..) => Some((seconds.checked_sub(1)?, 1_000_000_000 - nanoseconds)),
        _ => Some((seconds, nanoseconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local_ec2::store::blocks::blocks;
    use crate::local_ec2::store::tar_write::{Member, TarWriter};

    fn archive(members: &[(Member<'_>, &[u8])]) -> Vec<u8> {
        let (out, mut reader) = blocks();
        let mut tar = TarWriter::new(out);
        for (member, data) in members {
            tar.member(member).unwrap();
            tar.data(&mut &**data, data.len() as u64).unwrap();
        }
        let length = tar.finish().unwrap();
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, length);
        bytes
    }

    #[test]
    fn reads_what_the_writer_writes() {
        let long = vec![b'n'; 300];
        let xattrs = [(b"user.x".to_vec(), b"a\nb=\0c".to_vec())];
        let member = Member {
            path: &long,
            uid: 3_000_000,
            gid: 7,
            mode: 0o4755,
            mtime: (-5, 25),
            size: 3,
            xattrs: &xattrs,
            ..Member::marker(b"")
        };
        let bytes = archive(&[(member, b"abc"), (Member::marker(b"next"), b"")]);
        let mut tar = TarReader::new(bytes.as_slice());
        let entry = tar.next().unwrap().unwrap();
        assert_eq!((entry.path, entry.xattrs), (long, xattrs.to_vec()));
        assert_eq!((entry.uid, entry.gid, entry.mode, entry.mtime), (3_000_000, 7, 0o4755, (-5, 25)));
        let mut data = String::new();
        tar.read_to_string(&mut data).unwrap();
        assert_eq!(data, "abc");
        assert_eq!(tar.next().unwrap().unwrap().path, b"next");
        assert!(tar.next().unwrap().is_none());
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic() {
        let member = Member { size: 3, path: &[b'n'; 200], ..Member::marker(b"") };
        let bytes = archive(&[(member, b"abc")]);
        for length in 1..1537 + 512 {
            let mut tar = TarReader::new(&bytes[..length]);
            while let Ok(Some(_)) = tar.next() {}
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x15;
            let mut tar = TarReader::new(damaged.as_slice());
            while let Ok(Some(_)) = tar.next() {}
        }
        assert!(TarReader::new([7; 600].as_slice()).next().is_err());
    }

    #[test]
    fn times_keep_their_nanoseconds() {
        let cases = [
            ("12", (12, 0)),
            ("1.5", (1, 500_000_000)),
            ("-1.5", (-2, 500_000_000)),
            ("3.1234567891", (3, 123_456_789)),
        ];
        for (text, expected) in cases {
            assert_eq!(time(text.as_bytes()), Some(expected), "{text}");
        }
    }
}
