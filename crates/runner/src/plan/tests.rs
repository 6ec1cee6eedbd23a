//! What an experiment's axes come to.

use zsad_core::{DataDir, Environment};

use super::Wanted;
use crate::config::load;
use crate::library::Library;
use crate::registry::Registry;

#[test]
fn a_method_that_takes_no_labelled_anomalies_is_scored_once_on_the_batches_of_those_that_do() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = |axis: &str| {
        let text = format!(
            "experiment: shown\ndescription: of both kinds\ndatasets: [mvtec]\nmethods: [nagl, patchcore]\nseeds: [0]\n\
             protocol: {{batch_size: [all], contamination: [natural]{axis}}}\n"
        );
        let file = folder.path().join("shown.yaml");
        std::fs::write(&file, text).unwrap();
        let experiment = load(&file, &Registry::built_in(), None).unwrap();
        // Without data, cells are wanted all the same.
        let env = Environment::new(DataDir::resolve(Some("nowhere".into())));
        let wanted = Wanted::new(&experiment, &Library::new(Registry::built_in()), &env);
        let fits = wanted.jobs.iter().map(|fit| fit.method().to_owned()).collect::<Vec<_>>();
        let cells = wanted.jobs.iter().flat_map(|fit| &fit.cells);
        let cells = cells.map(|c| (c.method().to_owned(), c.asked.dataset.clone(), serde_json::json!(c.id.point)));
        (fits, cells.collect::<Vec<_>>())
    };
    let (fits, cells) = wanted(", abnormal_shots: [0, 1]");
    assert_eq!(fits, ["nagl", "patchcore"]);
    let names: Vec<_> = cells.iter().map(|(method, dataset, _)| (method.as_str(), dataset.as_str())).collect();
    let aside = "mvtec(set_aside=1)";
    assert_eq!(names, [("nagl", aside), ("nagl(abnormal_shots=1)", aside), ("patchcore", aside)]);
    let of = |given: u64| serde_json::json!({"given": given, "set_aside": 1});
    assert_eq!(cells.iter().map(|c| c.2["abnormal_shots"].clone()).collect::<Vec<_>>(), [of(0), of(1), of(0)]);
    // Nothing of the axis is in the key of a cell without it.
    let (_, cells) = wanted("");
    assert!(cells.iter().all(|(_, dataset, point)| dataset == "mvtec" && point.get("abnormal_shots").is_none()));
    assert_eq!(wanted(", abnormal_shots: 0").1, cells);
}
