//! The `kiln` binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    kiln::cli::main()
}
