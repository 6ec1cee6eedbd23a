//! A method of one's own in Python, from the skeleton to a table with its name; ignored, with the reason, where Python has
//! no numpy.

use std::process::{Command, Stdio};

use libtest_mimic::{Arguments, Trial};
use zsad_tests::{Sandbox, column, readme};

fn main() {
    let numpy = Command::new("python3").args(["-c", "import numpy"]).stderr(Stdio::null()).status();
    let missing = !numpy.is_ok_and(|status| status.success());
    let trial = |name: &str, test: fn()| {
        let title = if missing { format!("{name} (ignored: python3 has no numpy)") } else { name.to_owned() };
        let run = move || {
            test();
            Ok(())
        };
        Trial::test(title, run).with_ignored_flag(missing)
    };
    let trials = vec![
        trial("a_skeleton_runs_and_stands_in_the_table_under_its_name", a_skeleton_runs),
        trial("the_readmes_commands_for_a_method_of_ones_own_run", the_readmes_commands_run),
        trial("the_example_of_describe_runs", the_example_runs),
        trial("an_edited_program_runs_again_and_the_plan_says_why", an_edit_is_seen),
        trial("a_slow_start_is_said_once", a_slow_start_is_said_once),
        trial("files_for_folders_bring_a_hint", files_for_folders_bring_a_hint),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn a_skeleton_runs() {
    let sandbox = Sandbox::default();
    let done = sandbox.run(&["new-method", "--python", "parzen"]).expect(0);
    assert_eq!(done.out, "parzen.py\nparzen.yaml\n");
    let run = sandbox.run(&["run", "parzen.yaml", "--jobs", "1"]).expect(0);
    assert!(run.out.contains("parzen"), "{}", run.out);
    let out = sandbox.path("results/runs/parzen");
    let table = std::fs::read_to_string(out.join("table.md")).unwrap();
    assert!(table.contains("| parzen |") && table.contains("| knn |") && !table.contains("external"), "{table}");
    let pairs: Vec<_> = column(&out, "method").into_iter().zip(column(&out, "method_name")).collect();
    assert!(pairs.contains(&("parzen".into(), "external".into())), "{pairs:?}");
    let auroc: Vec<f64> = column(&out, "auroc").iter().map(|v| v.parse().unwrap()).collect();
    let mean = auroc.iter().sum::<f64>() / auroc.len() as f64;
    assert!(mean > 0.8, "a distance finds other digits: {mean}");

    let again = sandbox.run(&["new-method", "--python", "parzen"]).expect(2);
    assert!(again.err.contains("parzen.py: there is such a file already"), "{}", again.err);
    assert!(sandbox.run(&["new-method", "--python", "knn"]).expect(2).err.contains("is the name of another method"));
    assert!(sandbox.run(&["new-method", "--python", "K-D"]).expect(2).err.contains("is not a name"));
}

fn the_readmes_commands_run() {
    let sandbox = Sandbox::default();
    let commands = readme("Your own method", &[]);
    assert_eq!(commands.len(), 2, "{commands:?}");
    for command in commands {
        let args: Vec<&str> = command.iter().map(String::as_str).collect();
        sandbox.run(&args).expect(0);
    }
    assert!(std::fs::read_to_string(sandbox.path("results/runs/parzen/table.md")).unwrap().contains("| parzen |"));
}

/// An experiment with the program `median.py`.
fn median(sandbox: &Sandbox, persistent: bool) {
    let text = format!(
        "experiment: x\ndatasets: [digits]\nmethods: [{{name: external, as: median, params: {{command: [python3, median.py], \
         persistent: {persistent}}}}}]\nprotocol: {{batch_size: 20, contamination: 0.1, n_batches: 2}}\nseeds: 0\n"
    );
    sandbox.write("x.yaml", text);
}

/// The program that `describe external` shows.
fn example(sandbox: &Sandbox) -> String {
    let text = sandbox.run(&["describe", "external"]).expect(0).out;
    assert!(text.contains("persistent: true") && text.contains("scores [n]"), "{text}");
    let (_, program) = text.split_once("median.py, whole:\n").unwrap();
    let lines: Vec<&str> = program.lines().map(|line| line.strip_prefix("  ").unwrap()).collect();
    assert_eq!(lines.len(), 12, "{program}");
    lines.join("\n") + "\n"
}

fn the_example_runs() {
    let sandbox = Sandbox::default();
    sandbox.write("median.py", example(&sandbox));
    median(&sandbox, true);
    sandbox.run(&["run", "x.yaml"]).expect(0);
    assert!(column(&sandbox.path("results/runs/x"), "status").iter().all(|s| s == "ok"));
}

fn an_edit_is_seen() {
    let sandbox = Sandbox::default();
    let program = example(&sandbox);
    sandbox.write("median.py", &program);
    median(&sandbox, true);
    sandbox.run(&["run", "x.yaml"]).expect(0);
    let auroc = || column(&sandbox.path("results/runs/x"), "auroc");
    let before = auroc();
    assert!(sandbox.run(&["plan", "x.yaml"]).expect(0).out.contains("1 cached, 0 to run"));
    // The sign of the scores turned round.
    sandbox.write("median.py", program.replace("scores=np", "scores=-np"));
    let plan = sandbox.run(&["plan", "x.yaml"]).expect(0).out;
    assert!(plan.contains("1 to run") && plan.contains("program changed: median.py"), "{plan}");
    sandbox.run(&["run", "x.yaml"]).expect(0);
    assert_ne!(auroc(), before);
}

fn a_slow_start_is_said_once() {
    let sandbox = Sandbox::default();
    let program = "import argparse, time\nimport numpy as np\ntime.sleep(0.5)\nparser = argparse.ArgumentParser()\n\
                   for name in ('--fit', '--batch', '--out'): parser.add_argument(name)\nargs = parser.parse_args()\n\
                   x = np.load(args.batch)['X'].reshape(20, -1)\nnp.savez(args.out, scores=x.std(1))\n";
    sandbox.write("median.py", program);
    median(&sandbox, false);
    let done = sandbox.run(&["run", "x.yaml", "--jobs", "1"]).expect(0);
    let said: Vec<&str> = done.err.lines().filter(|l| l.contains("s a batch, ")).collect();
    assert!(said.len() == 1 && said[0].contains("hint: persistent: true starts it once"), "{}", done.err);
}

fn files_for_folders_bring_a_hint() {
    let sandbox = Sandbox::default();
    sandbox.write("median.py", "import sys\nopen(sys.argv[sys.argv.index('--batch') + 1]).read()\n");
    median(&sandbox, true);
    let done = sandbox.run(&["run", "x.yaml"]).expect(1);
    assert!(done.err.contains("with persistent: true the three paths are folders"), "{}", done.err);
}
