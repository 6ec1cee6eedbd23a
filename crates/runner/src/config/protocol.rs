//! The test protocol of an experiment: its lists spread out into points.

use serde_json::Value;
use zsad_core::{
    AbnormalShots, BatchSize, Budget, Choice, Contamination, Pooling, Shift, TestPoint, TooSmall, suggest,
};

use super::fields::{field, list, mapping, scalar};
use super::problem::{Pos, Problems};
use super::yaml::{Entry, Node};
use super::{DatasetChoice, MethodChoice, budget, shift};

/// What a file says of its tests.
pub struct Protocol {
    /// Every combination of batch size, contamination, shift and labels.
    pub points: Vec<TestPoint>,
    /// The seed of the one training, where there is one alone.
    pub training_seed: Option<u64>,
    /// What is done to pictures, and where that stands.
    shifts: Vec<(Option<Shift>, Pos)>,
    /// Labels of batches, and where they stand.
    labels: Vec<(Option<Budget>, Pos)>,
    /// Where labelled anomalies are given.
    abnormal: Option<Pos>,
}

impl Protocol {
    /// Notes shifts that the data sets cannot have, and labels and labelled anomalies that say nothing to a method.
    pub fn check(&self, datasets: &[DatasetChoice], methods: &[MethodChoice], problems: &mut Problems) {
        shift::check(&self.shifts, datasets, problems);
        budget::check_methods(&self.labels, methods, problems);
        if let (Some(pos), false) = (self.abnormal, methods.iter().any(|m| m.method.takes_abnormal_shots())) {
            let message = "`abnormal_shots`: no method here takes labelled anomalies of the target";
            problems.add(pos, message, "leave it out, or add a method that does, such as `nagl`");
        }
    }
}

const KEYS: &[&str] = &[
    "batch_size",
    "normals",
    "contamination",
    "anomaly_kinds",
    "reference_contamination",
    "abnormal_shots",
    "n_batches",
    "min_anomalies",
    "pooling",
    "too_small",
    "reference_seed",
    "training_seed",
    "shift",
    "labels",
    "query",
];

/// Batches per domain where the file says nothing.
const N_BATCHES: usize = 10;

/// Reads the protocol of `node`.
pub fn read(node: &Node, problems: &mut Problems) -> Option<Protocol> {
    let entries = mapping(node, "`protocol`", KEYS, problems)?;
    let sizes = match (field(entries, "batch_size"), field(entries, "normals")) {
        (Some(total), None) => {
            list(total, "batch_size", "integers from 1 or `all`, such as [20, 50, all]", total_size, problems)
        }
        (None, Some(normals)) => {
            let size = |v: &Value| count(v, 1).map(BatchSize::Normals);
            list(normals, "normals", "integers from 1, such as [20]", size, problems)
        }
        (Some(_), Some(normals)) => {
            let hint = "`batch_size` is the total, `normals` the normals alone: keep one";
            problems.add(normals.pos, "`batch_size` and `normals` exclude each other", hint);
            Vec::new()
        }
        (None, None) => {
            let hint = "add batch_size: [20, 50], or normals: [20]";
            problems.add(node.pos, "`protocol` has neither `batch_size` nor `normals`", hint);
            Vec::new()
        }
    };
    let contaminations = match field(entries, "contamination") {
        Some(node) => list(node, "contamination", "shares from 0 to 0.5, or `natural`", share, problems),
        None => {
            problems.add(node.pos, "`protocol` has no `contamination`", "add contamination: [0.05, 0.1]");
            Vec::new()
        }
    };
    let kinds = match field(entries, "anomaly_kinds") {
        Some(node) => list(node, "anomaly_kinds", "integers from 1 or `all`, such as [1, 2, all]", kinds, problems),
        None => vec![None],
    };
    let of_references = match field(entries, "reference_contamination") {
        Some(node) => {
            let share = |v: &Value| v.as_f64().filter(|s| (0.0..=0.5).contains(s));
            list(node, "reference_contamination", "shares from 0 to 0.5, such as [0, 0.25]", share, problems)
        }
        None => vec![0.0],
    };
    let (abnormal, abnormal_pos) = match field(entries, "abnormal_shots") {
        Some(node) => {
            let shots = |v: &Value| count(v, 0);
            let given = list(node, "abnormal_shots", "integers from 0, such as [0, 1]", shots, problems);
            let some = given.iter().any(|&n| n > 0);
            (given, some.then_some(node.pos))
        }
        None => (vec![0], None),
    };
    if let (Some(pos), true) = (abnormal_pos, of_references.iter().any(|&share| share > 0.0)) {
        let message = "a protocol has `abnormal_shots` or `reference_contamination`, not both";
        problems.add(pos, message, "write an experiment for each");
    }
    let most = abnormal.iter().copied().max().unwrap_or(0);
    // Where none is given at all, none is set aside: one form for one meaning keeps the keys equal.
    let shots = |given| (most > 0).then_some(AbnormalShots { given, set_aside: most });
    let mut number = |key, min, default| match field(entries, key) {
        None => default,
        Some(node) => scalar(node, |v| count(v, min)).unwrap_or_else(|| {
            let hint = format!("write one integer from {min}");
            problems.add(node.pos, format!("`{key}` cannot be {}", node.describe()), hint);
            default
        }),
    };
    let n_batches = number("n_batches", 1, N_BATCHES);
    let min_anomalies = number("min_anomalies", 0, 0);
    let pooling: Pooling = word(entries, "pooling", problems);
    let skip_small = word::<TooSmall>(entries, "too_small", problems) == TooSmall::Skip;
    let mut seed = |key, otherwise| {
        let node = field(entries, key)?;
        let seed = scalar(node, Value::as_u64);
        if seed.is_none() {
            let hint = format!("write one seed, or leave it out: then {otherwise}");
            problems.add(node.pos, format!("`{key}` cannot be {}", node.describe()), hint);
        }
        seed
    };
    let reference_seed = seed("reference_seed", "every seed of `seeds` draws references of its own");
    let training_seed = seed("training_seed", "every seed of `seeds` trains a model of its own");
    let shifts = match field(entries, "shift") {
        Some(node) => shift::read(node, problems),
        None => vec![(None, node.pos)],
    };
    if let (Some((_, pos)), true) = (shifts.iter().find(|(s, _)| s.is_some()), kinds.iter().any(Option::is_some)) {
        let hint = "write an experiment for each";
        problems.add(*pos, "a protocol has a `shift` or `anomaly_kinds`, not both", hint);
    }
    let labels = budget::read(entries, node.pos, problems);
    budget::check_points(&labels, &sizes, &contaminations, problems);
    if let (Some((_, pos)), true) = (labels.iter().find(|(l, _)| l.is_some()), kinds.iter().any(Option::is_some)) {
        problems.add(*pos, "a protocol has `labels` or `anomaly_kinds`, not both", "write an experiment for each");
    }
    let mut points = Vec::new();
    for (&size, &contamination) in sizes.iter().flat_map(|size| contaminations.iter().map(move |c| (size, c))) {
        let is_clean = contamination == Contamination::Ratio(0.0);
        // At 0 % there is no least number; one form for one meaning keeps the keys equal.
        let min_anomalies = if is_clean { 0 } else { min_anomalies };
        // Without anomalies there are no kinds of them.
        let kinds = if is_clean { &[None][..] } else { &kinds[..] };
        let of = TestPoint {
            size,
            contamination,
            min_anomalies,
            n_batches,
            pooling,
            reference_seed,
            ..TestPoint::default()
        };
        // Without anomalies there is nothing that a label could find.
        let budgets: Vec<Option<Budget>> = match is_clean {
            true => vec![None],
            false => labels.iter().map(|(budget, _)| *budget).collect(),
        };
        for (&anomaly_kinds, (shift, _)) in kinds.iter().flat_map(|kinds| shifts.iter().map(move |s| (kinds, *s))) {
            let point = TestPoint { skip_small, shift, anomaly_kinds, ..of };
            let of_labels = budgets.iter().map(|&labels| TestPoint { labels, ..point });
            let of_references = of_labels.flat_map(|point| {
                of_references.iter().map(move |&share| TestPoint { reference_contamination: share, ..point })
            });
            points.extend(of_references.flat_map(|point| {
                abnormal.iter().map(move |&given| TestPoint { abnormal_shots: shots(given), ..point })
            }));
        }
    }
    Some(Protocol { points, training_seed, shifts, labels, abnormal: abnormal_pos })
}

fn kinds(value: &Value) -> Option<Option<usize>> {
    match value.as_str() {
        Some("all") => Some(None),
        Some(_) => None,
        None => count(value, 1).map(Some),
    }
}

/// One of the words of `T`; the first where the file says nothing.
fn word<T: Choice + Default>(entries: &[Entry], key: &str, problems: &mut Problems) -> T {
    let Some(node) = field(entries, key) else { return T::default() };
    scalar(node, |v| T::from_word(v.as_str()?)).unwrap_or_else(|| {
        let hint = suggest::hint(node.to_json().as_str().unwrap_or_default(), T::WORDS);
        problems.add(node.pos, format!("`{key}` cannot be {}", node.describe()), hint);
        T::default()
    })
}

fn count(value: &Value, min: usize) -> Option<usize> {
    value.as_u64().and_then(|v| usize::try_from(v).ok()).filter(|&v| v >= min)
}

fn total_size(value: &Value) -> Option<BatchSize> {
    match value.as_str() {
        Some("all") => Some(BatchSize::All),
        Some(_) => None,
        None => count(value, 1).map(BatchSize::Total),
    }
}

fn share(value: &Value) -> Option<Contamination> {
    match value.as_str() {
        Some("natural") => Some(Contamination::Natural),
        Some(_) => None,
        // Adding zero turns −0 into 0.
        None => value.as_f64().filter(|r| (0.0..=0.5).contains(r)).map(|r| Contamination::Ratio(r + 0.0)),
    }
}
