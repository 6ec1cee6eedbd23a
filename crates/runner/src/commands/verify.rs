//! `zsad verify`: a pack checked.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use zsad_core::Error;
use zsad_data::manifest::{ArchiveKind, Unpack};
use zsad_fetch::archive::{Limits, unpack};

use super::counted;
use crate::exit::Exit;
use crate::pack::check::{self, Report};
use crate::registry::Registry;

const EXAMPLES: &str = "\
Examples:
  zsad verify quickstart.tar.zst
  zsad verify quickstart.tar.zst --identity 5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef

Every file is held against the digest on the pack's own list; every metric is computed again from the stored scores and held against
records, results and tables; keys are computed again. Each difference is named, and the exit code is then 1. Metrics of maps cannot
be computed again, since maps are not stored, and figures and times are known by their digests alone: whoever changes them and the
list too is found out by --identity, which `zsad pack` printed.";

/// Bytes that a pack may become, however small it is, and times its own size: records are texts that shrink to a twentieth.
const FLOOR: u64 = 1 << 30;
const TIMES: u64 = 40;

/// Check a pack: every file, and every metric from the stored scores
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Verify {
    /// The file that `zsad pack` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What `zsad pack` printed as its identity
    #[arg(long, value_name = "HEX")]
    identity: Option<String>,
}

impl Verify {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let size = std::fs::metadata(&self.file).map_err(|e| Error::io(&self.file, &e))?.len();
        let limits = Limits { bytes: size.saturating_mul(TIMES).max(FLOOR), ..Limits::default() };
        let folder = tempfile::tempdir().map_err(|e| Error::failed(format!("a temporary folder: {e}")))?;
        let root = folder.path().join("pack");
        // All lies in one folder of the run's name.
        let spec = Unpack { kind: ArchiveKind::TarZst, members: Vec::new(), strip: 1 };
        unpack(&self.file, &spec, &root, &limits, &mut |_| Ok(()))?;
        let report = check::check(&root, &Registry::built_in())?;
        self.tell(&report, out)
    }

    fn tell(&self, report: &Report, out: &mut impl Write) -> Result<Exit> {
        let mut differences = report.differences.clone();
        if let Some(wanted) = self.identity.as_ref().filter(|wanted| !wanted.eq_ignore_ascii_case(&report.identity)) {
            differences.push(format!("identity: {wanted} expected, {} found", report.identity));
        }
        for line in &differences {
            writeln!(out, "{line}")?;
        }
        let (files, cells) = (counted(report.files, "file"), counted(report.cells, "cell"));
        let recomputed = counted(report.recomputed, "value");
        writeln!(out, "{files} on the list; {recomputed} of metrics of {cells} computed again from the scores")?;
        for (what, n) in &report.not_recomputed {
            writeln!(out, "not computed again: {} of {what}", counted(*n, "value"))?;
        }
        let verdict = match differences.len() {
            0 => "all as it was packed".to_owned(),
            n => counted(n, "difference"),
        };
        writeln!(out, "identity: {}\n{}: {verdict}", report.identity, self.file.display())?;
        Ok(if differences.is_empty() { Exit::Success } else { Exit::SomeFailed })
    }
}
