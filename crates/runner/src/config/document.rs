//! The document: its keys, its profiles, and how a profile is merged over it.

use std::path::Path;

use serde_json::Value;
use zsad_core::suggest;

use super::fields::{any_mapping, field, mapping, text};
use super::problem::{Pos, Problem, Problems};
use super::yaml::{self, Entry, Kind, Node};
use super::{Experiment, analyses, datasets, fields, grid, protocol};
use crate::registry::Registry;

const KEYS: &[&str] =
    &["experiment", "description", "datasets", "methods", "protocol", "seeds", "analyses", "profiles"];
const PROFILE_KEYS: &[&str] = &["description", "datasets", "methods", "protocol", "seeds", "analyses", "params"];

/// What a document is read with.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// The folder of the file, from which paths in it are followed.
    pub folder: &'a Path,
    /// What can be named.
    pub registry: &'a Registry,
}

/// Reads and checks a document; see [`super::load`].
pub fn parse(
    text: &str,
    folder: &Path,
    registry: &Registry,
    profile: Option<&str>,
) -> Result<Experiment, Vec<Problem>> {
    let reader = Reader { folder, registry };
    let mut problems = Problems::default();
    let experiment = yaml::parse(text, &mut problems).and_then(|root| read(&root, reader, profile, &mut problems));
    match experiment {
        Some(experiment) if problems.is_empty() => Ok(experiment),
        _ => Err(problems.sorted()),
    }
}

fn read(root: &Node, reader: Reader, profile: Option<&str>, problems: &mut Problems) -> Option<Experiment> {
    let entries = mapping(root, "the document", KEYS, problems)?;
    let mut chosen = profile.is_none().then(|| resolve(entries, None, root.pos, "", reader, problems));
    if chosen.is_none() {
        resolve(entries, None, root.pos, "", reader, problems);
    }
    let profiles = field(entries, "profiles");
    let listed = profiles.map_or(&[][..], |node| any_mapping(node, "`profiles`", problems).unwrap_or(&[]));
    for entry in listed {
        if !is_name(&entry.key) {
            problems.add(entry.pos, format!("profile `{}` is not a name", entry.key), NAME_HINT);
        }
        let Some(fields) = mapping(&entry.value, "a profile", PROFILE_KEYS, problems) else { continue };
        let overrides = field(fields, "params");
        let resolved = resolve(&merge(entries, fields), overrides, root.pos, &entry.key, reader, problems);
        if profile == Some(&entry.key) {
            chosen = Some(resolved);
        }
    }
    if chosen.is_none() {
        let wanted = profile.unwrap_or_default();
        let names: Vec<&str> = listed.iter().map(|e| e.key.as_str()).collect();
        let hint = if names.is_empty() { "the file has no profiles".into() } else { suggest::hint(wanted, names) };
        problems.add(profiles.map_or(root.pos, |p| p.pos), format!("there is no profile `{wanted}`"), hint);
    }
    chosen.flatten()
}

/// The document with what a profile says instead.
fn merge(base: &[Entry], fields: &[Entry]) -> Vec<Entry> {
    let new = fields.iter().filter(|e| e.key != "params").map(|e| match (e.key.as_str(), field(base, &e.key)) {
        ("protocol", Some(old)) => Entry { value: merge_protocol(old, &e.value), ..e.clone() },
        _ => e.clone(),
    });
    let kept = base.iter().filter(|e| field(fields, &e.key).is_none()).cloned();
    kept.chain(new).collect()
}

fn merge_protocol(old: &Node, new: &Node) -> Node {
    let (Kind::Map(before), Kind::Map(after)) = (&old.kind, &new.kind) else { return new.clone() };
    // `batch_size` and `normals` say the same thing in two ways: the new one replaces either.
    let sizes = |key: &str| key == "batch_size" || key == "normals";
    let new_size = after.iter().any(|e| sizes(&e.key));
    let kept = before.iter().filter(|e| field(after, &e.key).is_none() && !(new_size && sizes(&e.key)));
    Node { pos: old.pos, kind: Kind::Map(kept.chain(after).cloned().collect()) }
}

/// Checks everything, notes every mistake, and returns the experiment where there was none.
fn resolve(
    entries: &[Entry],
    overrides: Option<&Node>,
    start: Pos,
    profile: &str,
    reader: Reader,
    problems: &mut Problems,
) -> Option<Experiment> {
    let mut required = |key: &str, example: &str| {
        let node = field(entries, key);
        if node.is_none() {
            problems.add(start, format!("`{key}` is missing"), format!("add a line such as `{key}: {example}`"));
        }
        node
    };
    let name = required("experiment", "quickstart");
    let datasets = required("datasets", "[digits]");
    let methods = required("methods", "[knn, mahalanobis]");
    let protocol = required("protocol", "{batch_size: [20], contamination: [0.1]}");
    let seeds = required("seeds", "[0, 1, 2]");
    let name = name.and_then(|node| {
        let name = text(node, "`experiment`", problems)?;
        if !is_name(&name) {
            problems.add(node.pos, format!("`{name}` is not a name"), NAME_HINT);
        }
        Some(name)
    });
    let description = field(entries, "description").and_then(|node| text(node, "`description`", problems));
    let datasets = datasets.map(|node| datasets::read(node, reader, problems));
    let methods = methods.map(|node| grid::methods(node, overrides, reader.registry, problems));
    let protocol = protocol.and_then(|node| protocol::read(node, problems));
    let seeds =
        seeds.map(|node| fields::list(node, "seeds", "integers from 0, such as [0, 1, 2]", Value::as_u64, problems));
    let asked = field(entries, "analyses").map(|node| analyses::read(node, reader.registry, problems));
    let (protocol, datasets) = (protocol?, datasets?);
    protocol.check(&datasets, methods.as_deref().unwrap_or_default(), problems);
    let asked = asked.unwrap_or_default();
    analyses::check(&asked, &datasets, &protocol.points, problems);
    let protocol::Protocol { points, training_seed, .. } = protocol;
    Some(Experiment {
        name: name?,
        description: description.unwrap_or_default(),
        text: String::new(),
        profile: profile.to_owned(),
        datasets,
        methods: methods?,
        analyses: asked.into_iter().map(|a| a.choice).collect(),
        points,
        seeds: seeds?,
        training_seed,
    })
}

const NAME_HINT: &str = "use lower-case letters, digits and underscores alone: it names a folder and a column";

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}
