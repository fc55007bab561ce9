//! Makes a program look for its loader and libraries in another directory.
//!
//! Kiln's program is linked against the C library of the machine that it was built on. In an instance it runs over another's root, with a C library that may
//! be older (Ubuntu 20.04), another one (Alpine's), or lack what it needs. `ld.so --library-path` would do for a program that is started by hand, but not for
//! one that is setuid. So the copy that instances get names its own loader, and the directory with the libraries it was linked against.

/// In the 64-bit ELF header: where the program headers are, their size, their number.
const PROGRAM_HEADERS: (usize, usize, usize) = (0x20, 0x36, 0x38);
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const DT_STRTAB: u64 = 5;
const DT_RPATH: u64 = 15;
const DT_DEBUG: u64 = 21;
const DT_RUNPATH: u64 = 29;

/// A segment: where it lies in the file and in memory, and its length in the file.
#[derive(Clone, Copy)]
struct Segment {
    offset: usize,
    address: u64,
    length: usize,
}

/// Changes the program in place. `None`, with nothing changed, when it is static (and needs no change) or otherwise than linkers make programs today.
///
/// The new texts take the place of the old loader's path, which is mapped into memory anyway. A dynamic entry that only debuggers use becomes the one that
/// names the library path; its offset from the string table may be negative, which the loaders' arithmetic allows.
pub fn redirect(program: &mut [u8], loader: &str, libraries: &str) -> Option<()> {
    if program.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let interpreter = segment(program, PT_INTERP)?;
    let texts = [loader.as_bytes(), b"\0", libraries.as_bytes(), b"\0"].concat();
    if texts.len() > interpreter.length {
        return None;
    }
    let dynamic = segment(program, PT_DYNAMIC)?;
    let entry = |tag| entry(program, dynamic, tag);
    if entry(DT_RPATH).or_else(|| entry(DT_RUNPATH)).is_some() {
        return None;
    }
    let strings = number(program, entry(DT_STRTAB)? + 8)?;
    let debug = entry(DT_DEBUG)?;
    let path_address = interpreter.address + loader.len() as u64 + 1;
    let place = program.get_mut(interpreter.offset..interpreter.offset + interpreter.length)?;
    place.fill(0);
    place[..texts.len()].copy_from_slice(&texts);
    // The old kind, which holds for the libraries' own libraries too.
    program[debug..debug + 8].copy_from_slice(&DT_RPATH.to_le_bytes());
    program[debug + 8..debug + 16].copy_from_slice(&path_address.wrapping_sub(strings).to_le_bytes());
    Some(())
}

fn number(program: &[u8], at: usize) -> Option<u64> {
    program.get(at..at.checked_add(8)?)?.try_into().ok().map(u64::from_le_bytes)
}

fn short(program: &[u8], at: usize) -> Option<usize> {
    program.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes).map(usize::from)
}

fn segment(program: &[u8], kind: u32) -> Option<Segment> {
    let (table, size, count) = PROGRAM_HEADERS;
    let table = usize::try_from(number(program, table)?).ok()?;
    let (size, count) = (short(program, size)?, short(program, count)?);
    let header = (0..count)
        .map(|nth| table + nth * size)
        .find(|&at| program.get(at..at + 4) == Some(&kind.to_le_bytes()[..]))?;
    let field = |at| usize::try_from(number(program, header + at)?).ok();
    Some(Segment { offset: field(8)?, address: number(program, header + 16)?, length: field(32)? })
}

/// Where the dynamic entry of this tag is in the file.
fn entry(program: &[u8], dynamic: Segment, tag: u64) -> Option<usize> {
    let entries = (dynamic.offset..dynamic.offset + dynamic.length).step_by(16);
    entries.take_while(|&at| number(program, at).is_some_and(|t| t != 0)).find(|&at| number(program, at) == Some(tag))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn what_is_no_program_is_left_alone() {
        let mut text = b"#!/bin/sh\n".to_vec();
        assert!(redirect(&mut text, "/a", "/b").is_none());
        assert!(redirect(&mut b"\x7fELF\x02\x01".to_vec(), "/a", "/b").is_none());
        assert_eq!(text, b"#!/bin/sh\n");
    }

    #[test]
    fn a_redirected_program_wants_the_other_loader() {
        let mut program = fs::read("/proc/self/exe").unwrap();
        if segment(&program, PT_INTERP).is_none() {
            return; // A static test program has nothing to redirect.
        }
        redirect(&mut program, "/tmp/none/l", "/tmp/none").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("program");
        fs::write(&path, program).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        // The kernel does not find the loader.
        assert_eq!(Command::new(&path).spawn().unwrap_err().kind(), std::io::ErrorKind::NotFound);
    }
}
