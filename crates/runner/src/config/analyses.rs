//! The analyses of an experiment, and whether its data and protocol have what they need.

use std::collections::BTreeSet;

use zsad_core::{Given, TestPoint, suggest};

use super::fields::{named, param_problems, text};
use super::problem::{Pos, Problems};
use super::yaml::Node;
use super::{AnalysisChoice, DatasetChoice};
use crate::analyses::Needs;
use crate::facts;
use crate::registry::Registry;

/// An analysis, and where it stands.
pub struct Read {
    /// The analysis.
    pub choice: AnalysisChoice,
    pos: Pos,
}

/// Reads the analyses of `node`.
pub fn read(node: &Node, registry: &Registry, problems: &mut Problems) -> Vec<Read> {
    let mut all: Vec<Read> = Vec::new();
    for item in node.items() {
        let Some(choice) = named(item, "an analysis", &["name", "as", "params"], problems) else { continue };
        let Some(def) = registry.analysis(&choice.name) else {
            let hint = suggest::hint(&choice.name, registry.analysis_names());
            problems.add(choice.pos, format!("unknown analysis `{}`", choice.name), hint);
            continue;
        };
        let label = choice.label.and_then(|node| text(node, "`as`", problems)).unwrap_or_else(|| choice.name.clone());
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if label.is_empty() || !label.chars().all(is_name) {
            let hint = "use letters, digits, _ and -: it names files";
            problems.add(choice.pos, format!("an analysis cannot be called `{label}`"), hint);
        } else if all.iter().any(|r| r.choice.label == label) {
            let message = format!("another analysis is called `{label}` already");
            problems.add(choice.pos, message, "give each its own name, such as `as: strict`");
        }
        let given: Given = choice.params.iter().map(|e| (e.key.clone(), e.value.to_json())).collect();
        match def.configure(&given) {
            Ok(analysis) => all.push(Read { choice: AnalysisChoice { def, analysis, label }, pos: choice.pos }),
            Err(found) => {
                let at = |name: &str| choice.params.iter().find(|e| e.key == name).map_or(choice.pos, |e| e.pos);
                param_problems(&choice.name, found, at, problems);
            }
        }
    }
    all
}

/// The names of the tags that the samples of a data set have at some of these points.
pub fn tags_of(choice: &DatasetChoice, points: &[TestPoint]) -> BTreeSet<String> {
    let own = choice.source.tags().iter().map(|name| (*name).to_owned());
    let given = choice.tags.iter().flat_map(|file| file.names()).map(str::to_owned);
    let shifted = points.iter().any(|p| p.shift.is_some()).then(|| facts::SHIFTED.to_owned());
    own.chain(given).chain(shifted).collect()
}

/// Notes analyses that would find nothing: whose tags no data set has, or that compare with a shift that is not there.
pub fn check(asked: &[Read], datasets: &[DatasetChoice], points: &[TestPoint], problems: &mut Problems) {
    let mut have: BTreeSet<String> = datasets.iter().flat_map(|d| tags_of(d, points)).collect();
    // Whether anomalies are other domains' normals may depend on the data.
    have.insert(facts::CLASS.to_owned());
    for Read { choice, pos } in asked {
        let Needs { tags, shift, labels } = choice.analysis.needs();
        for tag in tags.iter().filter(|tag| !have.contains(*tag)) {
            let hint =
                format!("give a file of tags, such as {{name: …, tags: FILE.csv}}; {}", suggest::hint(tag, &have));
            problems.add(*pos, format!("{}: no data set here has the tag `{tag}`", choice.label), hint);
        }
        if shift && !(points.iter().any(|p| p.shift.is_some()) && points.iter().any(|p| p.shift.is_none())) {
            let hint = "add shift: [none, brightness@3] to the protocol, for one";
            problems.add(*pos, format!("{}: it compares shifted with clean batches", choice.label), hint);
        }
        if labels && points.iter().all(|p| p.labels.is_none()) {
            let hint = "add labels: [0, 5, 10] to the protocol, for one";
            problems.add(*pos, format!("{}: it looks at batches of which labels are given", choice.label), hint);
        }
    }
}
