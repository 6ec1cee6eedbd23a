//! `zsad data verify`: reads what is here and compares.

use std::io::Write;

use anyhow::Result;
use zsad_core::Stop;
use zsad_fetch::verify::{Verdict, verify};

use super::{Place, whole};
use crate::commands::{counted, interrupt};
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  zsad data verify omniglot
  zsad data verify mnist cifar100 --data ~/data

Files are compared with the size and the checksums that are known; what was unpacked from an archive, with what came out of
it. The exit code is 3 where something is missing or damaged.";

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
            let all = counted(findings.len(), "file");
            let rest = if unchecked > 0 { format!(", {unchecked} not checked") } else { String::new() };
            writeln!(out, "{}: {well} of {all} whole{rest}", manifest.name)?;
        }
        Ok(exit)
    }
}
