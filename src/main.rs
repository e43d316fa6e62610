//! The program: parses the command line, does what it says, and ends with its exit status.

use std::process::ExitCode;

fn main() -> ExitCode {
    jsonwarden::cli::main()
}
