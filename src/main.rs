//! The `kiln` binary: everything is in the library.

use std::process::ExitCode;

/// What Packer ends with when it crashes. The journal is on disk, so `kiln cleanup` finds what a crash left.
const CRASHED: u8 = 2;

fn main() -> ExitCode {
    // The panic itself was printed by the standard hook.
    std::panic::catch_unwind(kiln::cli::main).unwrap_or(ExitCode::from(CRASHED))
}
