//! Writes tar members in the POSIX form (ustar, with PAX records for what does not fit), byte for byte the same for the
//! same input. The `tar` crate's builder copies through small buffers and takes no extended attributes, so only its
//! header type is used.

use std::io::{self, Read, Write};

use tar::{EntryType, Header};

use super::blocks::BlockWriter;

/// Tar works in blocks of this size.
pub(super) const TAR_BLOCK: u64 = 512;
/// The largest number in the 7 octal digits that ustar has for ids, and in the 11 for sizes and times.
const MAX_ID: u64 = 0o7_777_777;
const MAX_LONG: u64 = 0o77_777_777_777;

/// One member without its data.
#[derive(Debug)]
pub(super) struct Member<'a> {
    pub path: &'a [u8],
    pub kind: EntryType,
    /// The target of a symbolic or hard link.
    pub link: &'a [u8],
    /// Permission bits, with setuid, setgid and sticky.
    pub mode: u32,
    pub uid: u64,
    pub gid: u64,
    /// Seconds since 1970 and nanoseconds after that second.
    pub mtime: (i64, u32),
    pub size: u64,
    /// Major and minor number.
    pub device: (u32, u32),
    pub xattrs: &'a [(Vec<u8>, Vec<u8>)],
}

impl<'a> Member<'a> {
    /// An empty regular file that says something by its name alone, such as a whiteout.
    pub(super) fn marker(path: &'a [u8]) -> Self {
        let (uid, gid, mtime, size, device) = (0, 0, (0, 0), 0, (0, 0));
        Self { path, kind: EntryType::Regular, link: b"", mode: 0, uid, gid, mtime, size, device, xattrs: &[] }
    }
}

/// A tar stream in the making.
pub(super) struct TarWriter {
    out: BlockWriter,
    /// Bytes so far.
    written: u64,
}

impl TarWriter {
    /// An empty archive.
    pub(super) fn new(out: BlockWriter) -> Self {
        Self { out, written: 0 }
    }

    /// Adds a member without data, or with the data that [`TarWriter::data`] adds right after.
    pub(super) fn member(&mut self, member: &Member<'_>) -> io::Result<()> {
        let records = pax_records(member);
        if !records.is_empty() {
            let mut header = header(b"././@PaxHeader", EntryType::XHeader);
            header.set_mode(0o644);
            self.write(&sealed(header, records.len() as u64))?;
            self.write(&records)?;
            self.pad(records.len() as u64)?;
        }
        let mut header = header(member.path, member.kind);
        set_bytes(&mut header.as_mut_bytes()[157..257], member.link);
        header.set_mode(member.mode);
        header.set_uid(fitting(member.uid, MAX_ID));
        header.set_gid(fitting(member.gid, MAX_ID));
        header.set_mtime(fitting(u64::try_from(member.mtime.0).unwrap_or(0), MAX_LONG));
        if member.device != (0, 0) {
            header.set_device_major(member.device.0)?;
            header.set_device_minor(member.device.1)?;
        }
        self.write(&sealed(header, fitting(member.size, MAX_LONG)))
    }

    /// Adds the data of the member just added: exactly `size` bytes. A file that shrank meanwhile (its instance
    /// still runs) is filled up with zeros, as a snapshot of a live disk might show it.
    pub(super) fn data(&mut self, input: &mut impl Read, size: u64) -> io::Result<()> {
        let copied = self.out.copy_from(input, size)?;
        self.out.copy_from(&mut io::repeat(0), size - copied)?;
        self.written += size;
        self.pad(size)
    }

    /// Writes the end mark, and gives the length of the whole archive.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        self.write(&[0; 2 * TAR_BLOCK as usize])?;
        self.out.finish()?;
        Ok(self.written)
    }

    fn pad(&mut self, length: u64) -> io::Result<()> {
        let pad = length.next_multiple_of(TAR_BLOCK) - length;
        self.write(&[0; TAR_BLOCK as usize][..pad as usize])
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}

fn header(path: &[u8], kind: EntryType) -> Header {
    let mut header = Header::new_ustar();
    set_bytes(&mut header.as_mut_bytes()[..100], path);
    header.set_entry_type(kind);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

/// Fills a field of the header, cut where it is too long: then a PAX record has the whole.
fn set_bytes(field: &mut [u8], bytes: &[u8]) {
    let count = field.len().min(bytes.len());
    field[..count].copy_from_slice(&bytes[..count]);
}

fn sealed(mut header: Header, size: u64) -> [u8; TAR_BLOCK as usize] {
    header.set_size(size);
    header.set_cksum();
    *header.as_bytes()
}

fn fitting(number: u64, max: u64) -> u64 {
    if number <= max { number } else { 0 }
}

fn pax_records(member: &Member<'_>) -> Vec<u8> {
    let mut records = Vec::new();
    if member.path.len() > 100 {
        record(&mut records, b"path", member.path);
    }
    if member.link.len() > 100 {
        record(&mut records, b"linkpath", member.link);
    }
    for (key, number, max) in
        [("uid", member.uid, MAX_ID), ("gid", member.gid, MAX_ID), ("size", member.size, MAX_LONG)]
    {
        if number > max {
            record(&mut records, key.as_bytes(), number.to_string().as_bytes());
        }
    }
    let (seconds, nanoseconds) = member.mtime;
    if nanoseconds != 0 || u64::try_from(seconds).map_or(true, |seconds| seconds > MAX_LONG) {
        record(&mut records, b"mtime", pax_time(seconds, nanoseconds).as_bytes());
    }
    for (name, value) in member.xattrs {
        record(&mut records, &[b"SCHILY.xattr.", name.as_slice()].concat(), value);
    }
    records
}

/// `LENGTH KEY=VALUE\n`, where the length counts itself.
fn record(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(format!("{length} ").as_bytes());
    records.extend_from_slice(key);
    records.push(b'=');
    records.extend_from_slice(value);
    records.push(b'\n');
}

/// Decimal seconds. Before 1970, the nanoseconds count forward from the second before.
fn pax_time(seconds: i64, nanoseconds: u32) -> String {
    let total = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
    let sign = if total < 0 { "-" } else { "" };
    let (whole, part) = (total.unsigned_abs() / 1_000_000_000, total.unsigned_abs() % 1_000_000_000);
    let text = format!("{sign}{whole}.{part:09}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_own_length() {
        for (value, expected) in [("a", "9 k_y=a\n".len()), (&"x".repeat(92), 102)] {
            let mut records = Vec::new();
            record(&mut records, b"k_y", value.as_bytes());
            let text = String::from_utf8(records).unwrap();
            let length: usize = text.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(length, text.len(), "{text:?}");
            assert!(expected.abs_diff(length) <= 1, "{text:?}");
        }
    }

    #[test]
    fn times_are_decimal_and_may_lie_before_the_epoch() {
        let cases = [((1, 500_000_000), "1.5"), ((-2, 500_000_000), "-1.5"), ((-1, 0), "-1"), ((0, 1), "0.000000001")];
        for ((seconds, nanoseconds), text) in cases {
            assert_eq!(pax_time(seconds, nanoseconds), text);
        }
    }
}
