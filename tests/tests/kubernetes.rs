//! The manifests for Kubernetes, held against its published schema by the Python package kubernetes-validate; ignored, with the
//! reason, where that is not there. `$ZSAD_KUBERNETES_PYTHON` names a Python that has it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use libtest_mimic::{Arguments, Trial};
use zsad_tests::Sandbox;

fn main() {
    let python = std::env::var("ZSAD_KUBERNETES_PYTHON").unwrap_or_else(|_| "python3".into());
    let has =
        Command::new(&python).args(["-c", "import kubernetes_validate"]).output().is_ok_and(|o| o.status.success());
    let name = "manifests_are_those_of_the_schema_and_mistakes_are_not";
    let title = if has { name.to_owned() } else { format!("{name} (ignored: {python} has no kubernetes-validate)") };
    let run = move || {
        manifests_are_valid(&python);
        Ok(())
    };
    let trial = Trial::test(title, run).with_ignored_flag(!has);
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit();
}

/// Every document of every file, nothing allowed that the schema does not know.
const CHECK: &str = "\
import sys, yaml, kubernetes_validate
for path in sys.argv[1:]:
    for document in yaml.safe_load_all(open(path)):
        kubernetes_validate.validate(document, '1.33', strict=True)
        print(document['kind'])
";

fn check(python: &str, files: &[PathBuf]) -> Output {
    Command::new(python).arg("-c").arg(CHECK).args(files).output().expect("Python starts")
}

fn manifests_are_valid(python: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/cluster");
    let files = ["volume", "job", "collect"].map(|name| folder.join(format!("kubernetes_{name}.yaml")));
    let done = check(python, &files);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(String::from_utf8_lossy(&done.stdout), "PersistentVolumeClaim\nJob\nJob\n");
    // The check would find a mistake; and the number of pods is the number of shares.
    let text = std::fs::read_to_string(&files[1]).expect("a file of ours");
    let sandbox = Sandbox::default();
    for (right, wrong) in [("completionMode", "completionMod"), ("completions: 40", "completions: many")] {
        assert!(text.contains(right));
        let file = sandbox.write("wrong.yaml", text.replace(right, wrong));
        assert!(!check(python, &[file]).status.success(), "{wrong}");
    }
    assert!(text.contains("completions: 40") && text.contains("{name: ZSAD_SHARDS, value: \"40\"}"));
}
