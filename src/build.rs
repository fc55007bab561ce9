//! Link options of the binary. All make it smaller, and none is needed for it to work.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=src/build.rs");
    if loader_knows_packed_relocations() {
        // Two and a half megabytes of relocations become thirty kilobytes. A linker that does not know the option ignores it.
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    if linker_is_lld() {
        // Generic code for different types is often the same code.
        println!("cargo:rustc-link-arg-bins=-Wl,--icf=all");
        drop_unwind_tables();
    }
}

/// Nothing unwinds (a panic ends the process in its hook), and a stripped binary has no names for a backtrace: the tables for both are a tenth of it.
fn drop_unwind_tables() {
    let Some(directory) = env::var_os("OUT_DIR") else { return };
    let script = Path::new(&directory).join("no-unwind-tables.ld");
    let text = "SECTIONS { /DISCARD/ : { *(.eh_frame) *(.eh_frame_hdr) } } INSERT AFTER .text;\n";
    if std::fs::write(&script, text).is_ok() {
        println!("cargo:rustc-link-arg-bins=-Wl,-T,{}", script.display());
    }
}

fn is(name: &str, value: &str) -> bool {
    env::var(name).is_ok_and(|set| set == value)
}

/// Since glibc 2.36. What is built here is meant to run here, or on something newer.
fn loader_knows_packed_relocations() -> bool {
    let native = env::var("HOST").ok() == env::var("TARGET").ok();
    if !native || !is("CARGO_CFG_TARGET_OS", "linux") || !is("CARGO_CFG_TARGET_ENV", "gnu") {
        return false;
    }
    let Ok(printed) = Command::new("getconf").arg("GNU_LIBC_VERSION").output() else { return false };
    let text = String::from_utf8_lossy(&printed.stdout);
    let version = text.trim().rsplit(' ').next().and_then(|version| version.split_once('.'));
    version.is_some_and(|(major, minor)| match (major.parse::<u32>(), minor.parse::<u32>()) {
        (Ok(major), Ok(minor)) => (major, minor) >= (2, 36),
        _ => false,
    })
}

/// Rust links with its own lld on this target since 1.90, unless somebody chose another linker.
fn linker_is_lld() -> bool {
    let chosen = env::var_os("RUSTC_LINKER").is_some()
        || env::var("CARGO_ENCODED_RUSTFLAGS").is_ok_and(|flags| flags.contains("link"));
    is("TARGET", "x86_64-unknown-linux-gnu") && !chosen
}
