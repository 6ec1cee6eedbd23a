//! What the README shows is what the published runs have.

use std::fs;
use std::path::{Path, PathBuf};

use zsad_tests::Sandbox;

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

#[test]
fn the_readme_shows_the_quickstarts_own_tables_and_pictures() {
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    let table = fs::read_to_string(repository("results/published/quickstart/table.md")).unwrap();
    let body = table.strip_prefix("# quickstart\n\n").expect("its title");
    let line = |line: &str| match line.strip_prefix("## ") {
        // A heading of its own would stand in the README's contents.
        Some(caption) => format!("**{caption}**\n"),
        None => format!("{line}\n"),
    };
    let wanted: String = body.lines().map(line).collect();
    assert!(readme.contains(&wanted), "put this into README.md:\n{wanted}");
    for plot in ["ranked_omniglot.png", "auroc_contamination_omniglot.png"] {
        let path = format!("results/published/quickstart/plots/{plot}");
        assert!(readme.contains(&format!("({path})")) && repository(&path).is_file(), "{path}");
    }
}

#[test]
fn the_quickstarts_published_tables_are_those_of_its_results_and_of_its_experiment() {
    let folder = repository("results/published/quickstart");
    let sandbox = Sandbox::default();
    let done = sandbox.run(&["table", folder.to_str().unwrap(), "--check"]).expect(0);
    assert_eq!(done.out.matches(": up to date").count(), 2, "{}", done.out);
    // Its cells are those that the experiment of today wants on the data of the program; portable kernels have other keys.
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        cells_are_those_of_today(&sandbox, &folder);
    }
}

#[test]
fn every_published_table_is_that_of_its_results() {
    let (sandbox, mut checked) = (Sandbox::default(), 0);
    for entry in fs::read_dir(repository("results/published")).unwrap() {
        let folder = entry.unwrap().path();
        // Some were published before there was a form that is small enough.
        if folder.join("results.parquet").exists() {
            sandbox.run(&["table", folder.to_str().unwrap(), "--check"]).expect(0);
            checked += 1;
        }
        assert!(!folder.join("results.csv").exists(), "{}: Parquet is a tenth of it", folder.display());
    }
    assert!(checked >= 20, "{checked}");
}

#[test]
fn the_page_of_published_runs_is_that_of_their_results() {
    let done = Sandbox::default().zsad(&["index", "--check"]).current_dir(repository("")).output().unwrap();
    assert!(done.status.success(), "zsad index --write: {}", String::from_utf8_lossy(&done.stdout));
}

#[cfg(target_arch = "x86_64")]
fn cells_are_those_of_today(sandbox: &Sandbox, folder: &Path) {
    let experiment = repository("experiments/quickstart.yaml");
    let plan = sandbox.run(&["plan", experiment.to_str().unwrap(), "--json"]).expect(0);
    let plan: serde_json::Value = serde_json::from_str(&plan.out).unwrap();
    let cells = plan["fits"].as_array().unwrap().iter().flat_map(|fit| fit["cells"].as_array().unwrap());
    let mut wanted: Vec<&str> = cells.map(|cell| cell["cell_key"].as_str().unwrap()).collect();
    let rows = zsad_store::read_results(folder).unwrap();
    let mut published: Vec<&str> = rows.iter().map(|row| row.record.cell_key.as_str()).collect();
    wanted.sort_unstable();
    published.sort_unstable();
    published.dedup();
    assert_eq!(published, wanted);
}
