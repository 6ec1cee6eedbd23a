//! The document: its keys, its profiles, and how a profile is merged over it.

use serde_json::Value;
use zsad_core::suggest;

use super::fields::{any_mapping, field, mapping, text};
use super::problem::{Pos, Problem, Problems};
use super::yaml::{self, Entry, Kind, Node};
use super::{Experiment, datasets, fields, grid, protocol};
use crate::registry::Registry;

const KEYS: &[&str] = &["experiment", "description", "datasets", "methods", "protocol", "seeds", "profiles"];
const PROFILE_KEYS: &[&str] = &["description", "datasets", "methods", "protocol", "seeds", "params"];

/// The parts of a document under one profile.
struct Parts<'n> {
    experiment: Option<&'n Node>,
    description: Option<&'n Node>,
    datasets: Option<&'n Node>,
    methods: Option<&'n Node>,
    protocol: Option<Node>,
    seeds: Option<&'n Node>,
    /// A profile's `params`: method → parameter → value.
    overrides: Option<&'n Node>,
}

/// Reads and checks a document; see [`super::load`].
pub fn parse(text: &str, registry: &Registry, profile: Option<&str>) -> Result<Experiment, Vec<Problem>> {
    let mut problems = Problems::default();
    let experiment = yaml::parse(text, &mut problems).and_then(|root| read(&root, registry, profile, &mut problems));
    match experiment {
        Some(experiment) if problems.is_empty() => Ok(experiment),
        _ => Err(problems.sorted()),
    }
}

fn read(root: &Node, registry: &Registry, profile: Option<&str>, problems: &mut Problems) -> Option<Experiment> {
    let entries = mapping(root, "the document", KEYS, problems)?;
    let base = Parts {
        experiment: field(entries, "experiment"),
        description: field(entries, "description"),
        datasets: field(entries, "datasets"),
        methods: field(entries, "methods"),
        protocol: field(entries, "protocol").cloned(),
        seeds: field(entries, "seeds"),
        overrides: None,
    };
    let mut chosen = profile.is_none().then(|| resolve(&base, root.pos, "", registry, problems));
    if chosen.is_none() {
        resolve(&base, root.pos, "", registry, problems);
    }
    let profiles = field(entries, "profiles");
    let listed = profiles.map_or(&[][..], |node| any_mapping(node, "`profiles`", problems).unwrap_or(&[]));
    for entry in listed {
        if !is_name(&entry.key) {
            problems.add(entry.pos, format!("profile `{}` is not a name", entry.key), NAME_HINT);
        }
        let Some(fields) = mapping(&entry.value, "a profile", PROFILE_KEYS, problems) else { continue };
        let parts = merge(&base, fields);
        let resolved = resolve(&parts, root.pos, &entry.key, registry, problems);
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

/// A profile over the document: `protocol` key by key, everything else replaced.
fn merge<'n>(base: &Parts<'n>, fields: &'n [Entry]) -> Parts<'n> {
    let protocol = match (&base.protocol, field(fields, "protocol")) {
        (Some(Node { pos, kind: Kind::Map(old) }), Some(Node { kind: Kind::Map(new), .. })) => {
            // `batch_size` and `normals` say the same thing in two ways: the new one replaces either.
            let sizes = |key: &str| key == "batch_size" || key == "normals";
            let new_size = new.iter().any(|e| sizes(&e.key));
            let replaced = |e: &Entry| new.iter().any(|n| n.key == e.key) || (new_size && sizes(&e.key));
            let kept = old.iter().filter(|e| !replaced(e)).cloned();
            Some(Node { pos: *pos, kind: Kind::Map(kept.chain(new.iter().cloned()).collect()) })
        }
        (old, new) => new.cloned().or_else(|| old.clone()),
    };
    Parts {
        experiment: base.experiment,
        description: field(fields, "description").or(base.description),
        datasets: field(fields, "datasets").or(base.datasets),
        methods: field(fields, "methods").or(base.methods),
        protocol,
        seeds: field(fields, "seeds").or(base.seeds),
        overrides: field(fields, "params"),
    }
}

/// Checks everything, notes every mistake, and returns the experiment where there was none.
fn resolve(
    parts: &Parts,
    start: Pos,
    profile: &str,
    registry: &Registry,
    problems: &mut Problems,
) -> Option<Experiment> {
    let name = required(parts.experiment, "experiment", "experiment: quickstart", start, problems)
        .and_then(|node| text(node, "`experiment`", problems));
    if let (Some(name), Some(node)) = (&name, parts.experiment)
        && !is_name(name)
    {
        problems.add(node.pos, format!("`{name}` is not a name"), NAME_HINT);
    }
    let description = parts.description.and_then(|node| text(node, "`description`", problems));
    let datasets = required(parts.datasets, "datasets", "datasets: [digits]", start, problems)
        .map(|node| datasets::read(node, registry, problems));
    let methods = required(parts.methods, "methods", "methods: [knn, mahalanobis]", start, problems)
        .map(|node| grid::methods(node, parts.overrides, registry, problems));
    let protocol = required(
        parts.protocol.as_ref(),
        "protocol",
        "protocol: {batch_size: [20], contamination: [0.1]}",
        start,
        problems,
    )
    .and_then(|node| protocol::read(node, problems));
    let seeds = required(parts.seeds, "seeds", "seeds: [0, 1, 2]", start, problems)
        .map(|node| fields::list(node, "seeds", "integers from 0, such as [0, 1, 2]", Value::as_u64, problems));
    let (points, training_seed) = protocol?;
    Some(Experiment {
        name: name?,
        description: description.unwrap_or_default(),
        profile: profile.to_owned(),
        datasets: datasets?,
        methods: methods?,
        points,
        seeds: seeds?,
        training_seed,
    })
}

fn required<'n>(
    node: Option<&'n Node>,
    key: &str,
    example: &str,
    start: Pos,
    problems: &mut Problems,
) -> Option<&'n Node> {
    if node.is_none() {
        problems.add(start, format!("`{key}` is missing"), format!("add a line such as `{example}`"));
    }
    node
}

const NAME_HINT: &str = "use lower-case letters, digits and underscores alone: it names a folder and a column";

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}
