//! Reads what is there and compares it with what it should be, on all cores.

use std::fmt;
use std::path::Path;

use rayon::prelude::*;
use zsad_core::{Result, Stop};
use zsad_data::manifest::{Checksum, Manifest, ManifestFile};

use crate::Lock;
use crate::expected::{Expected, Mismatch};
use crate::receipt::Receipt;
use crate::state::{self, State};

/// What was found of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is what it should be; `true`: as when it first came, nobody vouches for that.
    Whole(bool),
    /// It is not there.
    Missing,
    /// It is on its way, or only parts of it were unpacked.
    Partial,
    /// It is something else.
    Damaged(Mismatch),
    /// It cannot be checked, for this reason.
    Unchecked(&'static str),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Whole(false) => f.write_str("whole"),
            Verdict::Whole(true) => f.write_str("whole, as it first came: nobody publishes its checksum"),
            Verdict::Missing => f.write_str("missing"),
            Verdict::Partial => f.write_str("partial"),
            Verdict::Damaged(mismatch) => write!(f, "damaged: {mismatch}"),
            Verdict::Unchecked(why) => write!(f, "not checked: {why}"),
        }
    }
}

/// A file, relative to the data folder, and what was found of it.
pub type Finding = (String, Verdict);

/// Verifies every file of an item; of an archive, what was unpacked from it. `heard` gets bytes as they are read.
///
/// # Errors
/// Where receipts cannot be read, or a person wants to end.
pub fn verify(data: &Path, manifest: &Manifest, stop: &Stop, heard: &(dyn Fn(u64) + Sync)) -> Result<Vec<Finding>> {
    let lock = Lock::read(data)?;
    let found: Result<Vec<Vec<Finding>>> =
        manifest.files.par_iter().map(|file| of_file(data, file, &lock, stop, heard)).collect();
    Ok(found?.into_iter().flatten().collect())
}

fn of_file(
    data: &Path,
    file: &ManifestFile,
    lock: &Lock,
    stop: &Stop,
    heard: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Finding>> {
    let one = |verdict| Ok(vec![(file.path.clone(), verdict)]);
    if file.unpacking().is_some() {
        if let Some(receipt) = Receipt::read(data, file)?.filter(|r| !r.parts.is_empty()) {
            let check = |(name, sum): (&String, &String)| -> Result<Finding> {
                let expected = Expected { checksums: vec![Checksum::Sha256(sum.clone())], ..Expected::default() };
                Ok((name.clone(), against(&data.join(name), &expected, stop, heard)?))
            };
            return receipt.files.par_iter().map(check).collect();
        }
        return one(match state::of_file(data, file, &[], lock)? {
            State::Here => Verdict::Unchecked("unpacked without zsad, so nothing says what came out of the archive"),
            State::Missing => Verdict::Missing,
            State::Partial | State::Damaged => Verdict::Partial,
        });
    }
    let expected = Expected::of(file, lock.files.get(&file.path));
    if state::of_file(data, file, &[], lock)? == State::Partial {
        return one(Verdict::Partial);
    }
    let verdict = against(&data.join(&file.path), &expected, stop, heard)?;
    one(match verdict {
        Verdict::Whole(_) if expected.checksums.is_empty() => {
            Verdict::Unchecked("nobody publishes its checksum, and it was not fetched by zsad")
        }
        Verdict::Whole(_) => Verdict::Whole(!lock.first_use(std::iter::once(file.path.as_str())).is_empty()),
        Verdict::Damaged(_) if expected.unconfirmed => {
            Verdict::Unchecked("its checksum differs, which nobody confirms")
        }
        other => other,
    })
}

fn against(path: &Path, expected: &Expected, stop: &Stop, heard: &(dyn Fn(u64) + Sync)) -> Result<Verdict> {
    if !path.exists() {
        return Ok(Verdict::Missing);
    }
    Ok(match expected.check(path, stop, &mut |n| heard(n))? {
        Ok(_) => Verdict::Whole(false),
        Err(mismatch) => Verdict::Damaged(mismatch),
    })
}
