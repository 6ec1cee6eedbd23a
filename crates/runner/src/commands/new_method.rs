//! `zsad new-method`: a method of a person's own, to begin with.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use zsad_core::{Error, file};

use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  zsad new-method --python parzen        writes parzen.py and parzen.yaml; then: zsad run parzen.yaml

The program is a whole method that runs as it is (distance to the batch's median): put yours into `score`. The
experiment compares it with two baselines on the digits that come with zsad. `zsad describe external` has the protocol.
Python needs numpy. A method in Rust is a file of zsad's own source: `just new-method NAME` in a checkout writes it.";

/// The program and its experiment; `NAME` stands for the method's name.
const PROGRAM: &str = include_str!("new_method/skeleton.py");
const EXPERIMENT: &str = include_str!("new_method/skeleton.yaml");

/// Write a method of your own to begin with, and an experiment that compares it
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct NewMethod {
    /// A method in Python of this name: lower-case letters, digits and underscores
    #[arg(long, value_name = "NAME")]
    python: String,
}

impl NewMethod {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let name = &self.python;
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(fits) {
            let hint = "use lower-case letters, digits and underscores";
            return Err(Error::Config(format!("`{name}` is not a name; hint: {hint}")).into());
        }
        if zsad_models::find(name).is_some() {
            return Err(Error::Config(format!("`{name}` is the name of another method; hint: choose another")).into());
        }
        let files = [("py", PROGRAM), ("yaml", EXPERIMENT)]
            .map(|(extension, text)| (PathBuf::from(format!("{name}.{extension}")), text.replace("NAME", name)));
        if let Some((path, _)) = files.iter().find(|(path, _)| Path::exists(path)) {
            let message = format!("{}: there is such a file already", path.display());
            return Err(Error::Config(format!("{message}; hint: choose another name")).into());
        }
        for (path, text) in &files {
            file::write(path, text.as_bytes())?;
            writeln!(out, "{}", path.display())?;
        }
        super::note(format_args!("next: zsad run {name}.yaml"));
        Ok(Exit::Success)
    }
}
