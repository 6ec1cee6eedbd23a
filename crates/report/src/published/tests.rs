use std::path::PathBuf;

use super::*;
use crate::Printed;
use crate::table::Outcome;
use crate::testing::{Flat, row};

/// The repository's own folder `path`.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn reference() -> Reference {
    Reference::read(&repository("results/reference")).unwrap()
}

/// Rows of three MVTec categories with a method at 85.0 and one at 90.0 image AUROC.
fn rows() -> Vec<Row> {
    let categories = ["bottle", "leather", "screw"];
    let at = |(method, auroc): (&str, f64)| {
        let method = method.to_owned();
        categories.map(|c| Flat {
            experiment: "mine".into(),
            dataset: "mvtec".into(),
            domain: c.into(),
            method: method.clone(),
            cell_key: format!("{method}{c}"),
            contamination: None.into(),
            metrics: crate::testing::metrics(&[("auroc", auroc)]),
            ..row()
        })
    };
    [("acr_patch", 0.85), ("padim", 0.9)].into_iter().flat_map(at).map(Row::from).collect()
}

const SPEC: &str = r#"
table: mine
title: A table of every kind of line
experiments: [mine]
divisions:
  - {method: padim, division: as_released}
  - {method: spade, params: {k: 6}, division: fixed}
  - {method: spade, params: {k: 5}, division: tuned}
rows:
  - name: near
    ours: {dataset: mvtec, method: acr_patch}
    published: &acr {file: acr_published_secondary.csv, table: unknown (quoted by MuSc), metric: image_auroc}
    tolerance: 1.0
  - name: far
    ours: {dataset: mvtec, method: padim}
    published: *acr
    tolerance: 1.0
  - name: subset
    ours: {dataset: mvtec, method: padim, domains: [screw]}
    published: *acr
    domains: 15
    tolerance: 9.0
  - name: other protocol
    ours: {dataset: mvtec, method: padim}
    published: *acr
    differs: another backbone
  - name: not run
    ours: {dataset: mvtec, method: spade, params: {k: 5}}
    published: {file: resad_neurips2024.csv, table: Table 8, dataset: MVTecAD, metric: image_auroc,
      setting: 4-shot; WRN50; mean over 3 reference groups}
  - name: a metric that is not there
    ours: {dataset: mvtec, method: padim, metric: pixel_auroc}
    none_because: nobody has printed one
  - name: all methods
    ours: {dataset: mvtec}
    none_because: nobody has printed one
"#;

fn read(text: &str) -> Result<Spec> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mine.yaml");
    std::fs::write(&path, text).unwrap();
    Spec::read(&path, &reference())
        .map_err(|e| Error::Config(e.to_string().replace(&path.display().to_string(), "mine.yaml")))
}

#[test]
fn ours_stands_beside_the_published_number_and_no_hole_looks_like_one() {
    let table = build(&read(SPEC).unwrap(), &reference(), &rows()).unwrap();
    insta::assert_snapshot!("beside", table.print(&crate::export::Markdown));
    insta::assert_snapshot!("beside_csv", table.to_csv().unwrap());
    let words: Vec<_> = table.lines.iter().map(|l| l.verdict.word()).collect();
    assert_eq!(
        words,
        [
            "within",
            "outside",
            "other_domains",
            "protocol_differs",
            "no_number",
            "no_number",
            "no_published_number",
            "no_published_number"
        ]
    );
    let divisions: Vec<_> = table.lines[..5].iter().map(|l| l.division).collect();
    let released = Some(Division::AsReleased);
    assert_eq!(divisions, [None, released, released, released, Some(Division::Tuned)]);
    assert_eq!(table.outside().iter().map(|l| l.name.as_str()).collect::<Vec<_>>(), ["far"]);
    assert!((table.lines[1].difference().unwrap() - 4.2).abs() < 1e-9);
    assert_eq!((table.lines[4].ours.clone(), table.lines[5].ours.clone()), (Outcome::NotRun, Outcome::NotApplicable));
}

#[test]
fn every_mistake_of_a_table_is_said_at_once_with_its_place() {
    let bad = r#"
table: yours
title: x
experiments: []
rows:
  - name: one
    ours: {method: knn, metric: auroq, contamination: 3}
    published: {file: resad_neurips2024.csv, method: ResAD, metric: image_auroc, table: Table 1, dataset: VisA}
    tolerance: -1
  - name: two
    ours: {method: knn, batch_size: some, normals: 5}
  - name: three
    ours: {method: knn}
    published: {file: resad_neurips2024.csv, method: ResAd}
    tolerance: 1
    differs: everything
"#;
    insta::assert_snapshot!("mistakes", read(bad).unwrap_err().to_string());
    let message = read("table: mine\ntitle: x\nexperiments: [a]\nrows:\n  - nam: one\n").unwrap_err().to_string();
    assert!(message.contains("unknown field `nam`") && message.contains("line 5"), "{message}");
}

#[test]
fn an_unknown_table_gets_a_suggestion() {
    let tables = repository("experiments/tables");
    let message = find(&tables, "acr_mvte", &reference()).unwrap_err().to_string();
    assert!(message.contains("did you mean `acr_mvtec`?"), "{message}");
}

#[test]
fn every_table_of_the_repository_is_sound_and_prints_without_results() {
    let (tables, reference) = (repository("experiments/tables"), reference());
    let names = names(&tables).unwrap();
    assert!(names.len() >= 10, "{names:?}");
    for name in names {
        let spec = find(&tables, &name, &reference).unwrap_or_else(|e| panic!("{e}"));
        let empty = build(&spec, &reference, &[]).unwrap();
        assert!(empty.lines.iter().all(|l| l.verdict == Verdict::NoNumber("not run")), "{name}");
        assert!(empty.print(&crate::export::Terminal).contains("not run") && empty.outside().is_empty(), "{name}");
    }
}

#[test]
fn the_published_numbers_are_read_as_they_stand_in_their_files() {
    let reference = reference();
    assert_eq!(reference.numbers().len(), 6870);
    let resad = Selector {
        file: "resad_neurips2024.csv".into(),
        table: Some("Table 8".into()),
        dataset: Some("VisA".into()),
        setting: Some("4-shot; WRN50; mean over 3 reference groups".into()),
        metric: Some("pixel_auroc".into()),
        ..Selector::default()
    };
    let found = reference.find(&resad).unwrap();
    assert_eq!((found.mean, found.std, found.origin()), (97.5, Some(0.08), Origin::Primary));
    let all = |file: &str, origin| reference.numbers().iter().filter(|p| p.file == file).all(|p| p.origin() == origin);
    for file in ["acr_published_secondary.csv", "acr_mvtec_thirdparty_rerun.csv", "deepsvdd_icml2018_secondary.csv"] {
        assert!(all(file, Origin::Secondary), "{file}");
    }
    assert!(all("mvtec_features_floors.csv", Origin::Independent) && all("resad_neurips2024.csv", Origin::Primary));
}

#[test]
fn a_reference_file_with_a_word_for_a_number_is_refused_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let text = "paper,table,dataset,setting,method,metric,anomaly_ratio,mean,std,source\n\
                p,t,d,s,m,auroc,,85.8,,x\np,t,d,s,m,auroc,,about 86,,x\n";
    std::fs::write(dir.path().join("a.csv"), text).unwrap();
    let message = Reference::read(dir.path()).unwrap_err().to_string();
    assert!(message.contains("a.csv: line 3: `about 86` in column mean is not a number"), "{message}");
}

#[test]
fn runs_are_found_by_experiment_and_a_run_hides_its_published_copy() {
    let dir = tempfile::tempdir().unwrap();
    for folder in
        ["runs/mine", "runs/mine-small", "runs/mine_too", "published/mine", "published/mine-full", "runs/mine-empty"]
    {
        let folder = dir.path().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        if !folder.ends_with("mine-empty") {
            zsad_store::write_results(&folder, &rows()).unwrap();
        }
    }
    let names: Vec<_> = run_folders(dir.path(), "mine")
        .into_iter()
        .map(|f| f.strip_prefix(dir.path()).unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names, ["runs/mine", "published/mine-full", "runs/mine-small"]);
    let spec = read(SPEC).unwrap();
    assert_eq!(super::rows(&spec, dir.path()).unwrap().len(), 3 * rows().len());
}
