//! Tables and figures in a LaTeX document; ignored, with the reason, where there is no LaTeX.

use std::path::Path;
use std::process::Command;

use libtest_mimic::{Arguments, Trial};
use zsad_tests::Sandbox;

fn main() {
    let is_missing = Command::new("pdflatex").arg("--version").output().is_err();
    let name = "tables_and_figures_compile";
    let title = if is_missing { format!("{name} (ignored: there is no pdflatex)") } else { name.to_owned() };
    let run = || {
        tables_and_figures_compile();
        Ok(())
    };
    let trial = Trial::test(title, run).with_ignored_flag(is_missing);
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit();
}

/// Every form of the table, with names and notes that LaTeX would take for commands, and a figure as PDF.
fn tables_and_figures_compile() {
    let sandbox = Sandbox::default();
    let mut csv = "day,a,b,label\n".to_owned();
    for (day, rows) in [("zero", 40), ("1_a & b", 40), ("50 %", 40), ("~c^{d}", 12)] {
        for i in 0..rows {
            csv += &format!("{day},{},{},{}\n", (i * 7) % 11, (i * 5) % 13, usize::from(i % 4 == 0));
        }
    }
    sandbox.write("log.csv", csv);
    let text = "experiment: x_y\ndatasets: [digits, {name: table, as: my_log, params: {file: log.csv, domain: day, \
                label: label, meta_train: [zero], standardise: none}}]\nmethods: [knn, iforest]\n\
                protocol: {batch_size: 20, contamination: [0.1, 0.2], n_batches: 2}\nseeds: [0, 1]\n";
    sandbox.write("x.yaml", text);
    sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    sandbox.run(&["plot", "out", "--format", "pdf", "--no-title", "--width", "85"]).expect(0);
    let mut document =
        "\\documentclass[twocolumn]{article}\\usepackage{booktabs}\\usepackage{graphicx}\n\\begin{document}\n"
            .to_owned();
    let forms: [&[&str]; 3] = [
        &[],
        &["--metric", "auroc,aupr,f1_max,fpr95", "--compact", "--no-interval", "--columns", "dataset"],
        &["--compact", "--no-interval", "--caption", "Ours_1 & 5 % of others.", "--label", "tab:ours"],
    ];
    for form in forms {
        document += &sandbox.run(&[&["table", "out", "--format", "tex"], form].concat()).expect(0).out;
    }
    document +=
        "Table~\\ref{tab:ours-2}.\n\\includegraphics{out/plots/auroc_contamination_digits.pdf}\n\\end{document}\n";
    sandbox.write("paper.tex", document);
    let log = latex(&sandbox.path("paper.tex"));
    let wrong = ["undefined", "Overfull \\hbox"].map(|w| log.lines().filter(|l| l.contains(w)).count());
    // The two compact forms fit into a column; the whole table is wider.
    assert!(wrong[0] == 0, "{log}");
    let wide = log.lines().filter(|l| l.contains("Overfull \\hbox")).count();
    assert!(wide <= 4, "{log}");
}

/// Compiles twice, so that references are known; the log of the second time.
fn latex(file: &Path) -> String {
    let folder = file.parent().expect("a file in a folder");
    let mut log = String::new();
    for _ in 0..2 {
        let mut command = Command::new("pdflatex");
        let done = command.args(["-interaction=nonstopmode", "-halt-on-error"]).arg(file).current_dir(folder).output();
        let done = done.expect("pdflatex starts");
        log = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{log}");
    }
    log
}
