//! The page of a run: written by the commands that the README tells, and complete.

use std::fs;

use zsad_tests::{Sandbox, column, readme};

/// Two small runs and a published one, in the places where the README has them.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::default();
    let experiment = |k: u32| {
        format!(
            "experiment: quickstart\ndescription: neighbours\ndatasets: [digits]\nmethods: [{{name: knn, params: {{k: {k}}}}}, \
             mahalanobis]\nprotocol: {{batch_size: [20, 40], contamination: [0.1, 0.2], n_batches: 3}}\nseeds: [0, 1]\n"
        )
    };
    sandbox.write("a.yaml", experiment(5));
    sandbox.write("b.yaml", experiment(3));
    sandbox.run(&["run", "a.yaml"]).expect(0);
    sandbox.run(&["run", "a.yaml", "--out", "before"]).expect(0);
    sandbox.run(&["run", "b.yaml", "--out", "after"]).expect(0);
    let results = fs::read(sandbox.path("before/results.csv")).unwrap();
    sandbox.write("results/published/acr_omniglot-small/results.csv", results);
    sandbox
}

#[test]
fn the_commands_of_the_readme_make_whole_pages() {
    let sandbox = sandbox();
    let commands = readme("A page to look at", &[]);
    assert_eq!(commands.len(), 4);
    let pages =
        ["results/runs/quickstart/report.html", "results/runs/quickstart/report.html", "compared.html", "report.html"];
    for (command, page) in commands.iter().zip(pages) {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let done = sandbox.run(&words).expect(0);
        assert!(done.out.starts_with(&format!("{page} (")), "{command:?}: {}", done.out);
        let text = fs::read_to_string(sandbox.path(page)).unwrap();
        assert!(text.starts_with("<!DOCTYPE html>") && text.ends_with("</html>\n"), "{page}");
        // Two methods, two sizes, two contaminations.
        let rows = text.matches("<tr data-method=").count();
        assert!(rows >= 8, "{page}: {rows}");
        for forbidden in ["http://", "https://", " src=\"/", " onclick", " style=\""] {
            assert!(!text.contains(forbidden), "{forbidden} in {page}");
        }
    }
    let compared = fs::read_to_string(sandbox.path("compared.html")).unwrap();
    for said in ["knn: k", "<strong>5</strong>", "<strong>3</strong>", "data-run=\"before\"", "data-run=\"after\""] {
        assert!(compared.contains(said), "{said}");
    }
}

#[test]
fn a_page_shows_the_records_and_says_what_it_lacks() {
    let sandbox = sandbox();
    let page = |args: &[&str]| {
        let done = sandbox.run(&[&["report", "before", "-o", "x.html"], args].concat()).expect(0);
        (fs::read_to_string(sandbox.path("x.html")).unwrap(), done)
    };
    let (whole, _) = page(&[]);
    // Each domain of each cell, with the metric that the results have of it.
    let domains = column(&sandbox.path("before"), "domain");
    assert_eq!(whole.matches("<details class=\"domain\">").count(), domains.len());
    assert!(!whole.contains("<ol class=\"pictures\">") && whole.contains("neighbours"));
    // The picture of a typical batch, which the run has left.
    let sheets = whole.matches("<img ").count();
    assert_eq!(sheets, 1);
    for auroc in column(&sandbox.path("before"), "auroc") {
        let said = format!(": AUROC {:.1}", auroc.parse::<f64>().unwrap() * 100.0);
        assert!(whole.contains(&said), "{said}");
    }
    let (pictures, _) = page(&["--thumbnails", "3"]);
    let batches = pictures.matches("<figure class=\"batch\">").count();
    assert_eq!((batches, pictures.matches("<img ").count()), (domains.len() * 3, batches * 3 + sheets));

    // Without the scores the page is still there.
    for entry in fs::read_dir(sandbox.path("before/records")).unwrap().flatten() {
        if entry.file_name().to_string_lossy().ends_with(".parquet") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    let (without, _) = page(&[]);
    assert!(without.contains("The scores of 16 cells are missing or damaged."), "what is missing is said");
    assert_eq!(without.matches("<tr data-method=").count(), whole.matches("<tr data-method=").count());
}

#[test]
fn what_is_no_run_is_refused_and_no_file_is_left() {
    let sandbox = sandbox();
    let done = sandbox.run(&["report", "befor", "-o", "y.html"]).expect(2);
    assert!(done.err.contains("befor: no results here"), "{}", done.err);
    sandbox.write(
        "empty/results.csv",
        fs::read_to_string(sandbox.path("before/results.csv")).unwrap().lines().next().unwrap(),
    );
    let done = sandbox.run(&["report", "empty", "-o", "y.html"]);
    assert_eq!(done.code, 3, "{}", done.err);
    assert!(done.err.contains("its results have no rows"), "{}", done.err);
    assert!(!sandbox.path("y.html").exists());
}

#[test]
fn tables_are_printed_as_html_for_pages_of_ones_own() {
    let sandbox = sandbox();
    let html = sandbox.run(&["table", "before", "--format", "html"]).expect(0).out;
    let markdown = sandbox.run(&["table", "before", "--format", "md"]).expect(0).out;
    assert_eq!(html.matches("<table>").count(), 2);
    // The same numbers, in the same order.
    let numbers = |text: &str| {
        let words = text.split(|c: char| !(c.is_ascii_digit() || ".±[,] ".contains(c)));
        words.map(str::trim).filter(|w| w.contains('±') && w.contains('[')).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(numbers(&html).len() == 8 && numbers(&html) == numbers(&markdown), "{html}");
}
