//! Mounts that show files with other owners: a directory is cloned as a mount through which id 0 on disk is seen as the instance's root.
//!
//! That is what lets an instance run in a range of ids of its own while its files, and so the layers baked from them, keep their true owners.
//! With an identity map, root inside would be root's user id on the host as well, and the kernel lets that id write `/proc/sys` and `/sys` whatever
//! its capabilities: `kernel.core_pattern` is enough to run a program on the host. Needs Linux 5.19 and ext4, xfs, btrfs (or tmpfs from 6.3).

use std::ffi::CString;
use std::fs;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use libcontainer::syscall::SyscallError;
use libcontainer::syscall::linux::{AT_EMPTY_PATH, MOVE_MOUNT_F_EMPTY_PATH, MountAttr};
use libcontainer::syscall::syscall::create_syscall;
use nix::libc;
use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Gid, Uid, fork, pipe, read, setfsgid, setfsuid};

/// How many ids an instance has: the 16-bit range that every distribution stays in.
pub const ID_COUNT: u32 = 65_536;

/// From `linux/mount.h`.
const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;

/// A user namespace whose ids 0.. are the host's `id_base`.., to be named in an id-mapped mount.
///
/// # Errors
/// When namespaces or maps are refused. Must be called while the process has one thread.
pub fn user_namespace(id_base: u32) -> io::Result<OwnedFd> {
    let (ready_read, ready_write) = pipe()?;
    let (hold_read, hold_write) = pipe()?;
    // SAFETY: this process is single-threaded by contract, so the child may run any code; it only waits and leaves.
    match unsafe { fork() }? {
        ForkResult::Child => {
            drop((ready_read, hold_write));
            let entered = unshare(CloneFlags::CLONE_NEWUSER).is_ok();
            let _ = nix::unistd::write(&ready_write, &[u8::from(entered)]);
            let _ = read(&hold_read, &mut [0]);
            // SAFETY: leaves without running the parent's destructors.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            drop((ready_write, hold_read));
            let mut entered = [0];
            let result = match read(&ready_read, &mut entered) {
                Ok(1) if entered == [1] => map_and_open(child.as_raw(), id_base),
                _ => Err(io::Error::from_raw_os_error(libc::EPERM)),
            };
            drop(hold_write);
            let _ = waitpid(child, None);
            result
        }
    }
}

fn map_and_open(pid: i32, id_base: u32) -> io::Result<OwnedFd> {
    let map = format!("0 {id_base} {ID_COUNT}\n");
    fs::write(format!("/proc/{pid}/uid_map"), &map)?;
    fs::write(format!("/proc/{pid}/gid_map"), &map)?;
    Ok(fs::File::open(format!("/proc/{pid}/ns/user"))?.into())
}

/// Clones what lies at `path` as a mount that is nowhere yet; submounts are left out. With `users`, its ids are mapped through that namespace.
pub fn detached(path: &Path, users: Option<&OwnedFd>) -> io::Result<OwnedFd> {
    let syscall = create_syscall();
    let text = path.to_str().ok_or_else(|| io::Error::other("the path is not UTF-8"))?;
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC;
    let tree = syscall.open_tree(libc::AT_FDCWD, Some(text), flags).map_err(to_io)?;
    if let Some(users) = users {
        let userns_fd = u64::try_from(users.as_raw_fd()).map_err(io::Error::other)?;
        let map = MountAttr { attr_set: MOUNT_ATTR_IDMAP, attr_clr: 0, propagation: 0, userns_fd };
        syscall
            .mount_setattr(tree.as_fd(), Path::new(""), AT_EMPTY_PATH, &map, mem::size_of::<MountAttr>())
            .map_err(to_io)?;
    }
    Ok(tree)
}

/// Attaches a detached mount at `target`, which must exist and be of the same kind (file or directory).
pub fn attach(tree: &OwnedFd, target: &Path) -> io::Result<()> {
    let place = fs::File::open(target)?;
    let flags = MOVE_MOUNT_F_EMPTY_PATH | libcontainer::syscall::linux::MOVE_MOUNT_T_EMPTY_PATH;
    create_syscall().move_mount(tree.as_fd(), None, place.as_fd(), None, flags).map_err(to_io)
}

/// Mounts an overlay whose own files (work directories, copied-up files) belong to `owner` and not to the host's root: the kernel keeps the
/// credentials of whoever mounts for all the overlay's own writes.
pub fn mount_overlay_as(owner: u32, target: &Path, options: &str) -> io::Result<()> {
    let data = CString::new(options).map_err(io::Error::other)?;
    let flags = nix::mount::MsFlags::empty();
    acting_as(owner, || {
        nix::mount::mount(Some("overlay"), target, Some("overlay"), flags, Some(data.as_c_str()))
            .map_err(io::Error::from)
    })
}

/// Does something with `owner` as the id that new files get. An id that a file system's user namespace, or a mapped mount, doesn't know can't create a
/// file there (EOVERFLOW), and the host's root is such an id. The capabilities that the kernel would drop with the change are kept.
pub fn acting_as<T>(owner: u32, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    if owner == 0 {
        return act();
    }
    keep_capabilities(true)?;
    let group = setfsgid(Gid::from_raw(owner));
    let user = setfsuid(Uid::from_raw(owner));
    let done = act();
    setfsuid(user);
    setfsgid(group);
    keep_capabilities(false)?;
    done
}

fn keep_capabilities(on: bool) -> io::Result<()> {
    let bits: libc::c_ulong = if on { 1 << 2 } else { 0 }; // SECBIT_NO_SETUID_FIXUP
    // SAFETY: takes plain numbers, changes only this thread's secure bits.
    if unsafe { libc::prctl(libc::PR_SET_SECUREBITS, bits, 0, 0, 0) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn to_io(error: SyscallError) -> io::Error {
    match error {
        SyscallError::Nix(errno) => io::Error::from_raw_os_error(errno as i32),
        SyscallError::IO(error) => error,
        other => io::Error::other(other),
    }
}
