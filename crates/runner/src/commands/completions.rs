//! `zsad completions`: shell completion, generated from the command line itself and the registry.

use std::io::Write;

use anyhow::Result;
use clap::builder::PossibleValuesParser;
use clap_complete::Shell;

use zsad_data::manifest;

use crate::exit::Exit;
use crate::registry::Registry;

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
    /// Writes the script for `command`.
    ///
    /// # Errors
    /// Where standard output is closed.
    pub fn run(self, command: clap::Command, out: &mut impl Write) -> Result<Exit> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut with_names(command), "zsad", &mut script);
        out.write_all(&script)?;
        Ok(Exit::Success)
    }
}

/// The command line with the registry's names where it takes one. They are for the shell alone: a wrong name is refused
/// with the nearest one where it is read.
fn with_names(command: clap::Command) -> clap::Command {
    let registry = Registry::built_in();
    let metrics = registry.metrics.iter().map(|m| m.spec.name);
    let all: Vec<_> = registry.method_names().into_iter().chain(registry.dataset_names()).chain(metrics).collect();
    // A built-in manifest that is wrong fails a test.
    let items: Vec<String> = manifest::all().unwrap_or_default().into_iter().map(|m| m.name).collect();
    let one_of = |names: Vec<&'static str>| PossibleValuesParser::new(names);
    let with_items = |data: clap::Command| {
        let by_names = ["fetch", "verify", "list", "plan", "remove"].map(|command| (command, "names"));
        let by_name = ["add", "path", "describe"].map(|command| (command, "name"));
        let all = by_names.into_iter().chain(by_name);
        all.fold(data, |data, (command, argument)| {
            let names = PossibleValuesParser::new(items.clone());
            data.mut_subcommand(command, |c| c.mut_arg(argument, |a| a.value_parser(names)))
        })
    };
    command
        .mut_subcommand("data", with_items)
        .mut_subcommand("score", |c| c.mut_arg("method", |a| a.value_parser(one_of(registry.method_names()))))
        .mut_subcommand("describe", |c| c.mut_arg("name", |a| a.value_parser(one_of(all))))
}
