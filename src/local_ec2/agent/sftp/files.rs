//! The open files and directories of one SFTP client.

use std::collections::HashMap;
use std::fs::{File, ReadDir};
use std::path::PathBuf;

/// Something a client has open.
pub enum Open {
    /// A file.
    File(File),
    /// A directory that is being listed.
    Directory(Listing),
}

/// A directory and how far it was listed. `.` and `..` come first: std leaves them out, clients expect them.
pub struct Listing {
    /// The directory.
    pub path: PathBuf,
    /// Its remaining entries.
    pub entries: ReadDir,
    /// Whether `.` and `..` are still to come.
    pub starts: bool,
}

/// Handles by their names. A name is never used twice, so a late request cannot reach another file.
#[derive(Default)]
pub struct Table {
    open: HashMap<String, Open>,
    next: u64,
}

impl Table {
    /// Files `open` and names it.
    pub fn add(&mut self, open: Open) -> String {
        self.next += 1;
        let name = self.next.to_string();
        self.open.insert(name.clone(), open);
        name
    }

    /// The file of that handle.
    pub fn file(&mut self, handle: &str) -> Option<&mut File> {
        match self.open.get_mut(handle)? {
            Open::File(file) => Some(file),
            Open::Directory(_) => None,
        }
    }

    /// The listing of that handle.
    pub fn listing(&mut self, handle: &str) -> Option<&mut Listing> {
        match self.open.get_mut(handle)? {
            Open::Directory(listing) => Some(listing),
            Open::File(_) => None,
        }
    }

    /// Closes a handle; false when there is none of that name.
    pub fn close(&mut self, handle: &str) -> bool {
        self.open.remove(handle).is_some()
    }
}
