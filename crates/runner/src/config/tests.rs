use std::path::Path;

use zsad_core::{BatchSize, Contamination, Pooling};

use super::{Experiment, Problem, document};
use crate::registry::Registry;
use crate::testing::{Fault, FaultInjection, registry};

fn toys() -> Registry {
    registry(&[
        FaultInjection::new("knn", 1, Fault::Score, false),
        FaultInjection::new("acr_dsvdd", 1, Fault::Score, true),
    ])
}

fn read(text: &str, profile: Option<&str>) -> Result<Experiment, Vec<Problem>> {
    document::parse(text, Path::new(""), &toys(), profile)
}

fn mistakes(text: &str) -> String {
    let problems = read(text, None).err().unwrap_or_default();
    problems.iter().map(|p| p.in_file(Path::new("x.yaml"))).collect::<Vec<_>>().join("\n")
}

const GOOD: &str = "
experiment: good_1
description: everything that is allowed
datasets: [line, {name: line, params: {damaged: true}}]
methods:
  - acr_dsvdd
  - {name: knn, params: {shrinkage: 1}, grid: {k: [3, 5.0]}}
protocol: {batch_size: [20, all], contamination: [0, 0.5, natural], n_batches: 4, min_anomalies: 2, pooling: domain}
seeds: [0, 7]
profiles:
  small: {seeds: [1], protocol: {normals: 9}, params: {knn: {k: 8}}}
  other: {methods: knn, datasets: line, protocol: {contamination: 0.1}}
";

#[test]
fn a_good_document_is_spread_out() {
    let e = read(GOOD, None).unwrap_or_else(|p| panic!("{p:?}"));
    assert_eq!((e.name.as_str(), e.profile.as_str(), e.seeds.as_slice()), ("good_1", "", &[0, 7][..]));
    assert_eq!(e.datasets.len(), 2);
    let methods: Vec<_> = e.methods.iter().map(|m| (m.def.spec().name, m.method.values())).collect();
    let values = |k: i64, shrinkage: f64| serde_json::json!({"k": k, "shrinkage": shrinkage});
    assert_eq!(methods, [("acr_dsvdd", values(5, 0.5)), ("knn", values(3, 1.0)), ("knn", values(5, 1.0))]);
    assert_eq!(e.points.len(), 6);
    assert_eq!((e.points[0].size, e.points[3].size), (BatchSize::Total(20), BatchSize::All));
    assert_eq!((e.points[0].contamination, e.points[0].min_anomalies), (Contamination::Ratio(0.0), 0));
    assert_eq!((e.points[2].contamination, e.points[2].min_anomalies), (Contamination::Natural, 2));
    assert!(e.points.iter().all(|p| p.n_batches == 4 && p.pooling == Pooling::Domain));
}

#[test]
fn kinds_of_anomalies_are_an_axis_where_there_are_anomalies() {
    let text = GOOD.replace("n_batches: 4,", "n_batches: 4, anomaly_kinds: [1, all],");
    let e = read(&text, Some("other")).unwrap_or_else(|p| panic!("{p:?}"));
    assert_eq!(e.points.iter().map(|p| p.anomaly_kinds).collect::<Vec<_>>(), [Some(1), None, Some(1), None]);
    let e = read(&text, None).unwrap_or_else(|p| panic!("{p:?}"));
    let without = e.points.iter().filter(|p| p.contamination == Contamination::Ratio(0.0));
    assert_eq!(without.map(|p| p.anomaly_kinds).collect::<Vec<_>>(), [None, None]);
    let wrong = mistakes(&GOOD.replace("n_batches: 4,", "n_batches: 4, anomaly_kinds: [0, few],"));
    assert!(wrong.contains("anomaly_kinds") && wrong.contains("such as [1, 2, all]"), "{wrong}");
}

#[test]
fn the_share_of_anomalies_among_references_is_an_axis() {
    let text = GOOD.replace("n_batches: 4,", "n_batches: 4, reference_contamination: [0, 0.25],");
    let e = read(&text, Some("other")).unwrap_or_else(|p| panic!("{p:?}"));
    let shares: Vec<f64> = e.points.iter().map(|p| p.reference_contamination).collect();
    assert_eq!(shares, [0.0, 0.25, 0.0, 0.25]);
    let wrong = mistakes(&GOOD.replace("n_batches: 4,", "n_batches: 4, reference_contamination: 0.7,"));
    assert!(wrong.contains("reference_contamination") && wrong.contains("such as [0, 0.25]"), "{wrong}");
}

#[test]
fn labelled_anomalies_are_an_axis_and_the_most_of_them_is_set_aside_everywhere() {
    let text = |protocol: &str, methods: &str| {
        format!(
            "experiment: shown\ndescription: of methods that take some\ndatasets: [mvtec]\nmethods: [{methods}]\nseeds: [0]\n\
                 protocol: {{batch_size: [all], contamination: [natural], {protocol}}}\n"
        )
    };
    let read = |text: &str| document::parse(text, Path::new(""), &Registry::built_in(), None);
    let of = |protocol: &str| {
        let e = read(&text(protocol, "nagl, patchcore")).unwrap_or_else(|p| panic!("{p:?}"));
        e.points.iter().map(|p| p.abnormal_shots.map(|s| (s.given, s.set_aside))).collect::<Vec<_>>()
    };
    assert_eq!(of("abnormal_shots: [0, 2]"), [Some((0, 2)), Some((2, 2))]);
    assert_eq!(of("abnormal_shots: 1"), [Some((1, 1))]);
    assert_eq!(of("abnormal_shots: 0"), [None]);
    let wrong = |protocol: &str, methods: &str| {
        let problems = read(&text(protocol, methods)).err().unwrap_or_default();
        problems.iter().map(|p| p.in_file(Path::new("x.yaml"))).collect::<String>()
    };
    assert!(wrong("abnormal_shots: [-1]", "nagl").contains("such as [0, 1]"));
    assert!(wrong("abnormal_shots: [1], reference_contamination: 0.25", "nagl").contains("not both"));
    let none = wrong("abnormal_shots: [0, 1]", "patchcore, knn");
    assert!(none.contains("no method here takes labelled anomalies") && none.contains("`nagl`"), "{none}");
}

#[test]
fn a_profile_is_merged_over_the_document() {
    let e = read(GOOD, Some("small")).unwrap_or_else(|p| panic!("{p:?}"));
    assert_eq!((e.profile.as_str(), e.seeds.as_slice()), ("small", &[1][..]));
    // `normals` replaces `batch_size`; the rest of the protocol stays; the grid of k gives way.
    let sizes: Vec<_> = e.points.iter().map(|p| (p.size, p.n_batches)).collect();
    assert_eq!(sizes, [(BatchSize::Normals(9), 4); 3]);
    let ks: Vec<_> = e.methods.iter().map(|m| m.method.values()["k"].clone()).collect();
    assert_eq!(ks, [5, 8]);

    let e = read(GOOD, Some("other")).unwrap_or_else(|p| panic!("{p:?}"));
    assert_eq!((e.methods.len(), e.datasets.len(), e.points.len()), (1, 1, 2));
}

#[test]
fn all_mistakes_are_reported_at_once_with_their_places() {
    let text = "\
experiment: Bad Name
datsets: [line]
datasets: [lines, {name: line, params: {damagd: true}}]
methods:
  - acr_dsvd
  - {name: knn, params: {k: 0}, grid: {shrinkage: [], k: [5]}}
  - {name: knn, grid: {k: [3, many]}}
  - {nam: knn}
protocol: {batch_size: [0, -1, tiny], contamination: [0.6, -0.1, x], n_batches: 0, min_anomalys: 1, pooling: mean, reference_seed: -1, training_seed: x}
seeds: [-1, 0.5]
seeds: []
profiles:
  small: {params: {knn: {kk: 1}, lof: {k: 1}}, seed: [1]}
";
    insta::assert_snapshot!(mistakes(text));
}

#[test]
fn what_is_missing_is_named() {
    insta::assert_snapshot!(mistakes("description: nothing else\nprotocol: {n_batches: 3}\n"));
    insta::assert_snapshot!(mistakes("- a\n- b\n"));
    insta::assert_snapshot!(mistakes("experiment: [x\n"));
}

#[test]
fn data_sets_of_one_name_are_told_apart() {
    let read = |datasets: &str| {
        let text = format!(
            "experiment: x\ndatasets: [{datasets}]\nmethods: knn\nprotocol: {{batch_size: 9, contamination: 0.1}}\nseeds: 0\n"
        );
        document::parse(&text, Path::new(""), &toys(), None)
            .map(|e| e.datasets.into_iter().map(|d| d.label).collect::<Vec<_>>())
    };
    let labels = read("line, {name: line, params: {damaged: true}}").unwrap();
    assert_eq!(labels, ["line(damaged=false)", "line(damaged=true)"]);
    assert_eq!(read("line").unwrap(), ["line"]);
    assert_eq!(read("line, line").unwrap(), ["line", "line"], "the same cells, which run once");
    let labels = read("line, {name: line, as: broken, params: {damaged: true}}").unwrap();
    assert_eq!(labels, ["line", "broken"]);
    let problems = read("{name: line, as: a}, {name: line, as: a, params: {damaged: true}}").unwrap_err();
    assert_eq!(problems[0].message, "another data set is called `a` already");
    assert!(read("line, {name: line, as: line, params: {damaged: true}}").is_err());
}

#[test]
fn an_unknown_profile_is_a_mistake() {
    let problems = read(GOOD, Some("smal")).err().unwrap();
    assert_eq!((problems[0].pos.line, problems[0].message.as_str()), (11, "there is no profile `smal`"));
    assert_eq!(problems[0].hint, "did you mean `small`?");
}

#[test]
fn a_file_that_is_not_there_has_a_likeness_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("quickstart.yaml"), "").unwrap();
    let why = |name: &str| match super::load(&folder.path().join(name), &toys(), None) {
        Ok(_) => panic!("{name} was read"),
        Err(why) => why.to_string(),
    };
    let near = why("quikstart.yaml");
    assert!(near.contains("quikstart.yaml: ") && near.contains("hint: did you mean "), "{near}");
    assert!(near.ends_with("quickstart.yaml?"), "{near}");
    assert!(why("zz.yaml").ends_with("hint: give the path of an experiment's YAML file"));
}
