//! The `kiln` binary: everything is in the library.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Reading a template is a quarter allocating, on a thread of its own, where the system's allocator asks the kernel for each
/// page by itself: `kiln validate` takes a third less with this one.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    kiln::cli::main()
}
