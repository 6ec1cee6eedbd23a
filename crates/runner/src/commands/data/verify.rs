//! `zsad data verify`: reads what is here and compares.

use std::io::Write;
use std::sync::Arc;

use anyhow::Result;
use zsad_core::{DataDir, Dataset, Environment, Error, ParamProblem, Stop};
use zsad_data::manifest::{Kind, Manifest};
use zsad_fetch::verify::{Verdict, verify};

use super::{Place, whole};
use crate::checkup::checkup;
use crate::commands::{counted, interrupt};
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  zsad data verify omniglot
  zsad data verify mnist cifar100 --data ~/data

Files are compared with the size and the checksums that are known; what was unpacked from an archive, with what came out of
it. Where all are there, the data set is opened as well: counts that differ from what is known, data of one class, constant
or repeated samples and labels that every cheap method has against it are named as odd. The exit code is 3 where something is
missing or damaged, or the data set cannot be opened.";

/// Read data sets or weights in full and compare them with what they should be
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Verify {
    /// What to verify, as in `zsad data list`
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Name whole files as well, one by one
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    place: Place,
}

impl Verify {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let (data, manifests) = (self.place.data(), self.place.manifests()?);
        let stop = Stop::default();
        interrupt::listen(&stop)?;
        let mut exit = Exit::Success;
        for manifest in whole(&manifests, &self.names)? {
            let findings = verify(&data.path, manifest, &stop, &|_| ())?;
            let (mut well, mut unchecked) = (0, 0);
            for (path, verdict) in &findings {
                match verdict {
                    Verdict::Whole(_) => well += 1,
                    Verdict::Unchecked(_) => unchecked += 1,
                    Verdict::Missing | Verdict::Partial | Verdict::Damaged(_) => exit = Exit::Data,
                }
                if self.all || findings.len() <= 8 || !matches!(verdict, Verdict::Whole(_)) {
                    writeln!(out, "{path}: {verdict}")?;
                }
            }
            let missing = findings.iter().any(|(_, v)| matches!(v, Verdict::Missing | Verdict::Partial));
            if !missing && let Some(dataset) = opened(manifest, &data)? {
                for odd in checkup(&*dataset, manifest.expect.as_ref(), &Environment::new(data.clone()))? {
                    writeln!(out, "odd: {odd}")?;
                }
            }
            let all = counted(findings.len(), "file");
            let rest = if unchecked > 0 { format!(", {unchecked} not checked") } else { String::new() };
            writeln!(out, "{}: {well} of {all} whole{rest}", manifest.name)?;
        }
        Ok(exit)
    }
}

/// The data set that an item is for, opened; none where no data set reads it.
fn opened(manifest: &Manifest, data: &DataDir) -> Result<Option<Arc<dyn Dataset>>> {
    let def = manifest.used_by.first().filter(|_| manifest.kind == Kind::Data).and_then(|used| zsad_data::find(used));
    let Some(def) = def else { return Ok(None) };
    let wrong = |problems: Vec<ParamProblem>| {
        let all: Vec<_> = problems.into_iter().map(|p| p.message).collect();
        Error::Config(format!("{}: params: {}", manifest.name, all.join("; ")))
    };
    Ok(Some(def.configure(&manifest.params).map_err(wrong)?.open(data)?))
}
