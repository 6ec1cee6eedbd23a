//! Where and how a run was computed: beside the results, in no key.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use zsad_core::{Choice, DataDir, Device, Error, Operator, Result, Simd};

use crate::json as files;
use crate::record::Provenance;

/// Version of zsad.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

const FILE: &str = "provenance.json";

/// Now, RFC 3339, UTC.
pub fn now() -> String {
    humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string()
}

/// The provenance of a record finished now, by a program built from commit `git_sha`.
pub fn of_record(git_sha: &str, device: Device, threads: usize) -> Provenance {
    let (version, git_sha, device) = (VERSION.into(), git_sha.into(), device.to_string());
    Provenance { version, git_sha, device, simd: Simd::current().to_string(), threads, finished: now() }
}

/// How one call of the program ran.
#[derive(Clone, Copy)]
pub struct RunFacts<'a> {
    /// Commit of the source tree that the program was built from, `-dirty` where it had changes; empty where unknown.
    pub git_sha: &'a str,
    /// Start, RFC 3339.
    pub started: &'a str,
    /// Workers.
    pub jobs: usize,
    /// Threads each.
    pub threads: usize,
    /// Device.
    pub device: Device,
    /// Data folder.
    pub data: &'a DataDir,
    /// Cells computed now, and found finished.
    pub cells: (usize, usize),
    /// Files below the data folder that were trusted on first use: nobody publishes their checksum.
    pub first_use: &'a [String],
    /// Facts of the data sets, a line each: `omniglot: drawings: embedded, …`.
    pub data_notes: &'a [String],
    /// Submission, task and attempt of a cluster's job, `1/3/1`; empty outside of one.
    pub task: &'a str,
}

/// Writes `provenance.json`: one entry for each call that computed something, the oldest first.
///
/// # Errors
/// Where the folder cannot be written.
pub fn write(out: &Path, facts: &RunFacts) -> Result<()> {
    let mut runs = runs(out);
    if facts.cells.0 == 0 && !runs.is_empty() {
        return Ok(());
    }
    runs.push(entry(facts));
    put(out, &runs)
}

/// Writes the entry of one call to a file of its own, for [`take_in`]: many calls at once need not wait for each other.
///
/// # Errors
/// Where it cannot be written.
pub fn write_apart(path: &Path, facts: &RunFacts) -> Result<()> {
    if facts.cells.0 == 0 { Ok(()) } else { files::write(path, &entry(facts)) }
}

/// Moves entries from files of their own to that of a folder.
///
/// # Errors
/// Where the folder cannot be written.
pub fn take_in(out: &Path, paths: &[PathBuf]) -> Result<()> {
    let read = |path: &PathBuf| files::read::<Value>(path).ok().flatten();
    let new: Vec<Value> = paths.iter().filter_map(read).collect();
    if new.is_empty() {
        return Ok(());
    }
    put(out, &joined(runs(out), new))?;
    for path in paths {
        std::fs::remove_file(path).map_err(|e| Error::io(path, &e))?;
    }
    Ok(())
}

/// What is to be said of a call that ends now.
fn entry(facts: &RunFacts) -> Value {
    let mut entry = json!({
        "version": VERSION,
        "git_sha": facts.git_sha,
        "started": facts.started,
        "finished": now(),
        // The program by its name alone: where it lies says nothing about a result.
        "command_line": std::iter::once("zsad".to_owned()).chain(std::env::args().skip(1)).collect::<Vec<_>>(),
        "jobs": facts.jobs,
        "threads": facts.threads,
        "device": facts.device.to_string(),
        // How whatever has a kernel of ours was computed.
        "kernels": Operator::Linear.on(facts.device).word(),
        "simd": Simd::current().to_string(),
        "cpu": cpu(),
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
        "data": facts.data.path,
        "data_chosen_by": facts.data.chosen_by,
        "first_use": facts.first_use,
        "data_notes": facts.data_notes,
        "cells_computed": facts.cells.0,
        "cells_cached": facts.cells.1,
    });
    if !facts.task.is_empty() {
        entry["task"] = facts.task.into();
    }
    entry
}

/// Adds the entries of the folder `from` to those of `out`, the oldest first.
///
/// # Errors
/// Where the folder cannot be written.
pub fn merge(from: &Path, out: &Path) -> Result<()> {
    put(out, &joined(runs(out), runs(from)))
}

/// Entries of both, each once, the oldest first.
fn joined(old: Vec<Value>, new: Vec<Value>) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    let mut all: Vec<Value> = old.into_iter().chain(new).filter(|run| seen.insert(run.to_string())).collect();
    all.sort_by(|a, b| a["started"].as_str().cmp(&b["started"].as_str()));
    all
}

/// The entries of a folder, the oldest first; none where there is no such file or it is damaged: it is a diary, nothing is
/// computed from it.
pub fn runs(folder: &Path) -> Vec<Value> {
    let old = std::fs::read(folder.join(FILE)).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    old.and_then(|v| v["runs"].as_array().cloned()).unwrap_or_default()
}

fn put(folder: &Path, runs: &[Value]) -> Result<()> {
    files::write(&folder.join(FILE), &json!({"schema": 1, "runs": runs}))
}

/// The processor's name, where the system tells it.
fn cpu() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|l| l.starts_with("model name"))?;
    line.split_once(':').map(|(_, name)| name.trim().to_owned())
}
