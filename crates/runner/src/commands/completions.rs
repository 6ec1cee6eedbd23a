//! `zsad completions`: shell completion, generated from the command line itself.

use std::io::Write;

use anyhow::Result;
use clap_complete::Shell;

use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  zsad completions bash > ~/.local/share/bash-completion/completions/zsad
  zsad completions zsh > ~/.zfunc/_zsad";

/// Print a completion script for your shell
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    pub fn run(self, mut command: clap::Command, out: &mut impl Write) -> Result<Exit> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "zsad", &mut script);
        out.write_all(&script)?;
        Ok(Exit::Success)
    }
}
