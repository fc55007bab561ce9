//! OpenSSH's extensions of the protocol, as far as they make sense here.

use russh_sftp::extensions::{LimitsExtension, Statvfs};
use russh_sftp::protocol::FileAttributes;

use super::MAX_PACKET;

/// Names and versions of what is understood, as they are announced.
pub const ANNOUNCED: [(&str, &str); 8] = [
    ("posix-rename@openssh.com", "1"),
    ("statvfs@openssh.com", "2"),
    ("fstatvfs@openssh.com", "2"),
    ("hardlink@openssh.com", "1"),
    ("fsync@openssh.com", "1"),
    ("lsetstat@openssh.com", "1"),
    ("limits@openssh.com", "1"),
    ("expand-path@openssh.com", "1"),
];

/// One extended request.
#[derive(Debug)]
pub enum Request {
    /// Rename over an existing target.
    Rename(String, String),
    /// Make a hard link from the first to the second.
    Link(String, String),
    /// Write a handle's data to the disk.
    Sync(String),
    /// Set attributes of a link itself.
    SetLink(String, Box<FileAttributes>),
    /// Say how large requests may be.
    Limits,
    /// Resolve a path in which `~` is a home.
    Expand(String),
    /// Describe the file system of a path.
    FileSystem(String),
    /// Describe the file system of a handle.
    FileSystemOf(String),
}

impl Request {
    /// Decodes a request; `None` when it is unknown or malformed.
    pub fn decode(name: &str, data: Vec<u8>) -> Option<Self> {
        let mut rest = data.as_slice();
        let mut text = || string(&mut rest);
        Some(match name {
            "posix-rename@openssh.com" => Self::Rename(text()?, text()?),
            "hardlink@openssh.com" => Self::Link(text()?, text()?),
            "fsync@openssh.com" => Self::Sync(text()?),
            "lsetstat@openssh.com" => Self::SetLink(text()?, Box::new(attributes(rest)?)),
            "limits@openssh.com" => Self::Limits,
            "expand-path@openssh.com" => Self::Expand(text()?),
            "statvfs@openssh.com" => Self::FileSystem(text()?),
            "fstatvfs@openssh.com" => Self::FileSystemOf(text()?),
            _ => return None,
        })
    }
}

/// A length and that many bytes.
fn string(data: &mut &[u8]) -> Option<String> {
    let (length, rest) = data.split_first_chunk::<4>()?;
    let (text, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *data = rest;
    Some(String::from_utf8_lossy(text).into_owned())
}

fn attributes(data: &[u8]) -> Option<FileAttributes> {
    russh_sftp::de::from_bytes(&mut data.to_vec().into()).ok()
}

/// OpenSSH's limits: a packet of 256 KiB, of which 1 KiB may be headers.
pub fn limits() -> LimitsExtension {
    let payload = u64::from(MAX_PACKET) - 1024;
    LimitsExtension {
        max_packet_len: MAX_PACKET.into(),
        max_read_len: payload,
        max_write_len: payload,
        max_open_handles: 0,
    }
}

/// What statvfs(3) says, in the order of the protocol.
pub fn file_system(stat: &nix::sys::statvfs::Statvfs) -> Statvfs {
    Statvfs {
        block_size: stat.block_size(),
        fragment_size: stat.fragment_size(),
        blocks: stat.blocks(),
        blocks_free: stat.blocks_free(),
        blocks_avail: stat.blocks_available(),
        inodes: stat.files(),
        inodes_free: stat.files_free(),
        inodes_avail: stat.files_available(),
        fs_id: stat.filesystem_id(),
        // The protocol knows two flags, with the values of ST_RDONLY and ST_NOSUID.
        flags: stat.flags().bits() & 3,
        name_max: stat.name_max(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_decoded_or_refused() {
        let two = b"\0\0\0\x02/a\0\0\0\x02/b".to_vec();
        assert!(matches!(
            Request::decode("posix-rename@openssh.com", two),
            Some(Request::Rename(from, to)) if from == "/a" && to == "/b"
        ));
        let mode = b"\0\0\0\x02/a\0\0\0\x04\0\0\x01\xff".to_vec();
        let decoded = Request::decode("lsetstat@openssh.com", mode);
        assert!(matches!(decoded, Some(Request::SetLink(_, wanted)) if wanted.permissions == Some(0o777)));
        for (name, data) in
            [("fsync@openssh.com", &b"\0\0\0\x09x"[..]), ("copy-data", b""), ("hardlink@openssh.com", b"")]
        {
            assert!(Request::decode(name, data.to_vec()).is_none(), "{name}");
        }
    }
}
