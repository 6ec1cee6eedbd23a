//! What a run folder keeps of the jobs that a cluster runs for it.
//!
//! ```text
//! cluster/id                     letters that the names of its jobs carry
//! cluster/<n>/bundles.json       a submission: its job's name, its profile and its bundles of fits, one a task
//! cluster/<n>/experiment.yaml    the experiment as it was then
//! cluster/<n>/job                the number that the scheduler gave its job
//! cluster/<n>/tasks/<i>.json     the attempts of a task
//! cluster/<n>/diary/<i>-<k>.json how attempt k of task i ran, until the collect job moves it to provenance.json
//! cluster/<n>/logs/<i>.log       what the task wrote
//! cluster/collect                the name of the job that writes the tables
//! cluster/collected.json         which records the tables were made from
//! ```
//!
//! `bundles.json` is there before its job is submitted and never changes, so that a task's number means the same after every
//! restart. The scheduler is asked for jobs by their names, never by their numbers alone: it may forget a number and give it
//! out again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::json;
use zsad_core::key::key;
use zsad_core::{Error, Result, file};

use crate::json as files;
use crate::record::{CellRecord, SCHEMA};

/// Digits of the letters in the names of jobs.
const ID: usize = 8;

/// The fits of a submission, task by task: `bundles.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bundles {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The name of its job.
    pub name: String,
    /// The profile of the experiment, or empty.
    pub profile: String,
    /// Keys of fits, a list a task.
    pub fits: Vec<Vec<String>>,
    /// Seconds that each task was thought to take.
    pub seconds: Vec<f64>,
}

zsad_core::choices! {
    /// How an attempt of a task ended.
    pub enum Ended {
        /// It is at work, or was killed.
        Not = "not",
        /// All its cells are recorded.
        Done = "done",
        /// All its cells are recorded, some as failed.
        Failed = "failed",
        /// Its time ran out, and the task was queued again.
        Time = "time",
        /// Its time ran out without any progress.
        TooShort = "too_short",
        /// It was asked to stop.
        Stopped = "stopped",
        /// It could not work.
        Error = "error",
    }
}

/// One start of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The scheduler's number of the task, `17_3`; empty outside of one.
    pub job: String,
    /// The machine.
    pub node: String,
    /// RFC 3339, UTC.
    pub started: String,
    /// RFC 3339, UTC; empty while it is at work, and for ever where it was killed.
    pub ended: String,
    /// How it ended.
    pub how: Ended,
    /// Why, where it is an error.
    pub why: String,
}

/// One job array that was, or was about to be, submitted.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Its number, from 1.
    pub number: usize,
    /// Its bundles.
    pub bundles: Bundles,
    folder: PathBuf,
}

/// The folder `cluster` of a run folder, which need not exist.
#[derive(Debug, Clone)]
pub struct ClusterFolder {
    root: PathBuf,
}

impl ClusterFolder {
    /// That of the run folder `run`.
    pub fn of(run: &Path) -> Self {
        ClusterFolder { root: run.join("cluster") }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether jobs were ever submitted for the run.
    pub fn exists(&self) -> bool {
        self.root.is_dir()
    }

    /// The letters that tell the jobs of this run from those of all others; made up the first time. One caller at a time.
    ///
    /// # Errors
    /// Where the folder cannot be read or written.
    pub fn id(&self) -> Result<String> {
        let path = self.root.join("id");
        match fs::read_to_string(&path) {
            Ok(id) => Ok(id.trim().to_owned()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let unique = json!([self.root, file::host(), std::process::id(), now.as_nanos().to_string()]);
                let id = key(&unique)[..ID].to_owned();
                file::write(&path, format!("{id}\n").as_bytes())?;
                Ok(id)
            }
            Err(e) => Err(Error::io(&path, &e)),
        }
    }

    /// All submissions, the oldest first. One whose writer was killed before its bundles were whole is none.
    ///
    /// # Errors
    /// Where one comes from a newer zsad.
    pub fn submissions(&self) -> Result<Vec<Submission>> {
        let Ok(entries) = fs::read_dir(&self.root) else { return Ok(Vec::new()) };
        let numbers = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse::<usize>().ok());
        let mut numbers: Vec<usize> = numbers.collect();
        numbers.sort_unstable();
        let mut found = Vec::new();
        for number in numbers {
            found.extend(self.read(number)?);
        }
        Ok(found)
    }

    /// Submission `number`.
    ///
    /// # Errors
    /// Where there is none, or it comes from a newer zsad.
    pub fn submission(&self, number: usize) -> Result<Submission> {
        let missing = || Error::data(self.root.join(number.to_string()), "no submission of this number", "");
        self.read(number)?.ok_or_else(missing)
    }

    fn read(&self, number: usize) -> Result<Option<Submission>> {
        let folder = self.root.join(number.to_string());
        let bundles: Option<Bundles> = files::read(&folder.join("bundles.json"))?;
        Ok(bundles.map(|bundles| Submission { number, bundles, folder }))
    }

    /// Writes down a further submission, its bundles last.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn add(&self, experiment: &str, bundles: impl FnOnce(usize) -> Bundles) -> Result<Submission> {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let last = entries.filter_map(|e| e.file_name().to_str()?.parse::<usize>().ok()).max();
        let number = last.unwrap_or(0) + 1;
        let folder = self.root.join(number.to_string());
        for name in ["logs", "tasks", "diary"] {
            let folder = folder.join(name);
            fs::create_dir_all(&folder).map_err(|e| Error::io(&folder, &e))?;
        }
        let submission = Submission { number, bundles: bundles(number), folder };
        file::write(&submission.experiment(), experiment.as_bytes())?;
        files::write(&submission.folder.join("bundles.json"), &submission.bundles)?;
        Ok(submission)
    }

    /// The name of the job that writes the tables, if there was ever one.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn collect_name(&self) -> Result<Option<String>> {
        let path = self.root.join("collect");
        match fs::read_to_string(&path) {
            Ok(name) => Ok(Some(name.trim().to_owned())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io(&path, &e)),
        }
    }

    /// Writes that name down.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn put_collect_name(&self, name: &str) -> Result<()> {
        file::write(&self.root.join("collect"), format!("{name}\n").as_bytes())
    }

    /// Says that tables were made from these records.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn put_collected(&self, records: &BTreeMap<String, CellRecord>) -> Result<()> {
        let path = self.root.join("collected.json");
        files::write(&path, &json!({"schema": SCHEMA, "cells": records.len(), "records": digest(records)}))
    }

    /// When it was last said what tables were made from.
    pub fn collected_at(&self) -> Option<SystemTime> {
        fs::metadata(self.root.join("collected.json")).and_then(|m| m.modified()).ok()
    }

    /// Whether the tables were made from these records.
    pub fn is_collected(&self, records: &BTreeMap<String, CellRecord>) -> bool {
        let collected = files::read::<serde_json::Value>(&self.root.join("collected.json"));
        collected.ok().flatten().is_some_and(|c| c["records"] == digest(records))
    }
}

/// What tells one state of the records from another.
fn digest(records: &BTreeMap<String, CellRecord>) -> String {
    let state = records.values().map(|r| (&r.cell_key, &r.status, &r.provenance.finished));
    key(&json!(state.collect::<Vec<_>>()))
}

impl Submission {
    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The experiment as it was when it was submitted.
    pub fn experiment(&self) -> PathBuf {
        self.folder.join("experiment.yaml")
    }

    /// What a task of this number wrote.
    pub fn log(&self, task: usize) -> PathBuf {
        self.folder.join("logs").join(format!("{task}.log"))
    }

    /// The number that the scheduler gave its job; `None` where it was not submitted, or its answer was lost.
    pub fn job(&self) -> Option<String> {
        let job = fs::read_to_string(self.folder.join("job")).ok()?;
        Some(job.trim().to_owned()).filter(|job| !job.is_empty())
    }

    /// Writes that number down.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn put_job(&self, job: &str) -> Result<()> {
        file::write(&self.folder.join("job"), format!("{job}\n").as_bytes())
    }

    /// The attempts of a task, the oldest first; none where it never started. Nothing is computed from them.
    pub fn attempts(&self, task: usize) -> Vec<Attempt> {
        files::read(&self.tasks(task)).ok().flatten().unwrap_or_default()
    }

    /// Writes down the attempts of a task.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn put_attempts(&self, task: usize, attempts: &[Attempt]) -> Result<()> {
        files::write(&self.tasks(task), &attempts)
    }

    /// Where attempt `attempt` of a task says how it ran.
    pub fn diary(&self, task: usize, attempt: usize) -> PathBuf {
        self.folder.join("diary").join(format!("{task}-{attempt}.json"))
    }

    /// All that is written there.
    pub fn diaries(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.join("diary")).into_iter().flatten().flatten();
        let mut paths: Vec<_> =
            entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "json")).collect();
        paths.sort();
        paths
    }

    fn tasks(&self, task: usize) -> PathBuf {
        self.folder.join("tasks").join(format!("{task}.json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundles(name: &str, fits: &[&[&str]]) -> Bundles {
        let fits: Vec<Vec<String>> = fits.iter().map(|b| b.iter().map(|f| (*f).to_owned()).collect()).collect();
        Bundles { schema: SCHEMA, name: name.into(), profile: String::new(), seconds: vec![1.0; fits.len()], fits }
    }

    #[test]
    fn a_submission_stays_what_it_was_and_keeps_its_number() {
        let dir = tempfile::tempdir().unwrap();
        let cluster = ClusterFolder::of(dir.path());
        assert!(!cluster.exists() && cluster.submissions().unwrap().is_empty());
        let id = cluster.id().unwrap();
        assert_eq!((id.len(), cluster.id().unwrap()), (ID, id));
        let first = cluster.add("experiment: x\n", |n| bundles(&format!("x-{n}"), &[&["a", "b"], &["c"]])).unwrap();
        // Whoever was killed before the bundles were written leaves an empty folder: its number is not given again.
        fs::create_dir_all(cluster.root().join("2")).unwrap();
        let third = cluster.add("experiment: y\n", |n| bundles(&format!("x-{n}"), &[&["d"]])).unwrap();
        assert_eq!((first.number, third.number), (1, 3));
        let found = cluster.submissions().unwrap();
        let found: Vec<(usize, &Bundles)> = found.iter().map(|s| (s.number, &s.bundles)).collect();
        assert_eq!(found, [(1, &first.bundles), (3, &third.bundles)]);
        assert_eq!((first.job(), fs::read_to_string(first.experiment()).unwrap()), (None, "experiment: x\n".into()));
        first.put_job("17").unwrap();
        assert_eq!(cluster.submission(1).unwrap().job().as_deref(), Some("17"));
        assert!(cluster.submission(2).is_err());
    }

    #[test]
    fn tables_are_collected_until_a_record_changes() {
        let dir = tempfile::tempdir().unwrap();
        let cluster = ClusterFolder::of(dir.path());
        let mut records = BTreeMap::from([("a".to_owned(), CellRecord { cell_key: "a".into(), ..Default::default() })]);
        assert!(!cluster.is_collected(&records));
        cluster.put_collected(&records).unwrap();
        assert!(cluster.is_collected(&records));
        records.insert("b".into(), CellRecord { cell_key: "b".into(), ..Default::default() });
        assert!(!cluster.is_collected(&records));
    }
}
