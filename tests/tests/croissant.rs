//! Croissant metadata, read by the Python package that its authors publish; ignored, with the reason, where that is not
//! there. `$ZSAD_CROISSANT_PYTHON` names a Python that has it.

use std::process::Command;

use libtest_mimic::{Arguments, Trial};
use zsad_tests::Sandbox;

fn main() {
    let python = std::env::var("ZSAD_CROISSANT_PYTHON").unwrap_or_else(|_| "python3".into());
    let has = Command::new(&python).args(["-c", "import mlcroissant"]).output().is_ok_and(|o| o.status.success());
    let name = "every_manifest_is_valid_croissant";
    let title = if has { name.to_owned() } else { format!("{name} (ignored: {python} has no mlcroissant)") };
    let run = move || {
        every_manifest_is_valid(&python);
        Ok(())
    };
    let trial = Trial::test(title, run).with_ignored_flag(!has);
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit();
}

const CHECK: &str = "\
import sys, mlcroissant
for path in sys.argv[1:]:
    dataset = mlcroissant.Dataset(jsonld=path)
    issues = dataset.metadata.ctx.issues
    assert not issues.errors, (path, issues.errors)
    files = [node for node in dataset.metadata.distribution if type(node).__name__ == 'FileObject']
    print(dataset.metadata.name, len(files), files[0].sha256)
";

fn every_manifest_is_valid(python: &str) {
    let sandbox = Sandbox::default();
    let manifests = zsad_data::manifest::all().expect("the manifests are right");
    let mut paths = Vec::new();
    for manifest in &manifests {
        let text = sandbox.run(&["data", "describe", &manifest.name, "--croissant"]).expect(0).out;
        let file = format!("{}.json", manifest.name);
        sandbox.write(&file, text);
        paths.push(sandbox.path(&file));
    }
    let done = Command::new(python).arg("-c").arg(CHECK).args(&paths).output().expect("Python starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let out = String::from_utf8_lossy(&done.stdout).into_owned();
    let lines: Vec<&str> = out.lines().filter(|l| !l.is_empty()).collect();
    assert_eq!(lines.len(), manifests.len(), "{out}");
    for (line, manifest) in lines.iter().zip(&manifests) {
        let sha = manifest.files[0].sha256().unwrap_or("None");
        assert_eq!(*line, format!("{} {} {sha}", manifest.name, manifest.files.len()));
    }
}
