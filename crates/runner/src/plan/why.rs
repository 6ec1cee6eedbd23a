//! Why a cell is not cached: which part of its key differs from the nearest finished record.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use zsad_core::job::CellId;
use zsad_store::run_folder::FileList;
use zsad_store::{CellRecord, RunFolder};

use super::State;
use super::nearest::{Nearest, PLACE_NAMES, Parts, place};

/// What cells are compared with.
pub struct Why<'a> {
    nearest: Nearest<'a>,
    /// The files behind the digests of the plan.
    wanted: &'a BTreeMap<String, FileList>,
    /// Where those of the records are written down.
    folder: &'a RunFolder,
}

impl<'a> Why<'a> {
    /// The finished ones of `records`; `planned`: the keys of all cells of the plan.
    pub fn new(
        records: &'a BTreeMap<String, CellRecord>,
        planned: &BTreeSet<&str>,
        wanted: &'a BTreeMap<String, FileList>,
        folder: &'a RunFolder,
    ) -> Self {
        Why { nearest: Nearest::new(records, planned, class), wanted, folder }
    }

    /// The difference between `id` and the nearest finished record of the same method and data set.
    pub fn not_cached(&self, id: &CellId) -> State {
        match self.nearest.of(id, &class(id)) {
            None => State::Outstanding("new".into()),
            Some((record, _)) if !record.cell.is_identified() => State::Stale("data and weights unknown".into()),
            Some((record, planned)) => {
                // Another fold reads other files as a matter of course.
                let other_fold = record.cell.fit.fold != id.fit.fold;
                let mut said = if other_fold { vec![] } else { self.files(&record.cell, id) };
                said.extend(differences(&parts(&record.cell), &parts(id)));
                // A neighbour in the grid is no older self.
                if planned { State::Outstanding(said.join(", ")) } else { State::Stale(said.join(", ")) }
            }
        }
    }

    /// Which files differ.
    fn files(&self, old: &CellId, new: &CellId) -> Vec<String> {
        let digests = [(&old.fit.data.digest, &new.fit.data.digest), (&old.test_digest, &new.test_digest)];
        let mut said = BTreeSet::new();
        for (old, new) in digests {
            let (Some(old), Some(new)) = (old, new) else { continue };
            if old == new {
                continue;
            }
            match (self.folder.files(old), self.wanted.get(new)) {
                (Some(before), Some(now)) => {
                    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
                    let differs = names.into_iter().filter(|n| before.get(*n) != now.get(*n));
                    said.extend(differs.map(|n| match (before.get(n), now.get(n)) {
                        (None, _) => format!("data: {n} is new"),
                        (_, None) => format!("data: {n} is gone"),
                        _ => format!("data: {n} changed"),
                    }));
                }
                _ => drop(said.insert("data changed".to_owned())),
            }
        }
        const SHOWN: usize = 3;
        let more = said.len().saturating_sub(SHOWN);
        let mut said: Vec<String> = said.into_iter().take(SHOWN).collect();
        if more > 0 {
            said.push(format!("{more} more files"));
        }
        said
    }
}

fn differences(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<String> {
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let differs = names.into_iter().filter(|n| old.get(*n) != new.get(*n));
    let said = |n: &String| {
        let value = |of: &BTreeMap<String, String>| of.get(n).map_or("nothing".into(), String::clone);
        match n.strip_prefix(ARTIFACT) {
            Some(file) => {
                let (what, happened) = match (old.contains_key(n), new.contains_key(n)) {
                    (true, true) => ("changed", "changed"),
                    (false, _) => ("new", "is new"),
                    (true, false) => ("gone", "is gone"),
                };
                // Weights lie in a folder of that name; all else is a program.
                if file.starts_with("weights/") {
                    format!("{file} {happened}")
                } else {
                    format!("program {what}: {file}")
                }
            }
            None => format!("{n} {} -> {}", value(old), value(new)),
        }
    };
    differs.map(said).collect()
}

/// Before the names of artifacts, whose digests say nothing to a person.
const ARTIFACT: &str = "\0";

/// The parts of a cell's key, named as in the experiment file.
fn parts(id: &CellId) -> Parts {
    let mut parts = class(id);
    let place = PLACE_NAMES.into_iter().zip(place(id)).filter(|(_, value)| !value.is_empty());
    parts.extend(place.map(|(name, value)| (name.to_owned(), value)));
    parts
}

/// Those that do not tell its place in the grid of seeds and protocol points.
fn class(id: &CellId) -> Parts {
    let mut parts = Parts::new();
    let mut put = |name: &str, value: String| parts.insert(name.to_owned(), value);
    let fit = &id.fit;
    put("data set version", fit.data.version.to_string());
    put("method version", fit.method.version.to_string());
    put("device", fit.device.clone());
    if !fit.fold.is_empty() {
        put("fold", fit.fold.clone());
    }
    for (file, digest) in &fit.method.artifacts {
        put(&format!("{ARTIFACT}{file}"), digest.clone());
    }
    let groups =
        [("params", &fit.method.params), ("data set params", &fit.data.params), ("data set params", &id.test_params)];
    for (prefix, params) in groups {
        for (name, value) in params.as_object().into_iter().flatten() {
            put(&format!("{prefix}.{name}"), if *value == Value::Null { "auto".into() } else { value.to_string() });
        }
    }
    parts
}
