//! The conformance suite as tests: one for every registered method and kind of data that it takes.

use libtest_mimic::{Arguments, Failed, Trial};
use zsad_core::{Dataset, MethodDef, ParamDefault};
use zsad_models::METHODS;
use zsad_models::testing::{data, ready, violations};

fn main() {
    let args = Arguments::from_args();
    let trial = |def: &'static dyn MethodDef, kind: &str, dataset: Box<dyn Dataset>| {
        let name = format!("{}::{kind}", def.spec().name);
        if let Err(e) = ready(def) {
            // Not passed: it never ran.
            return Trial::test(format!("{name} ({e})"), move || Err(e.into())).with_ignored_flag(true);
        }
        Trial::test(name, move || {
            let found = violations(def, dataset.as_ref());
            let lines: Vec<_> = found.into_iter().map(|v| format!("{}: {}", v.check, v.message)).collect();
            if lines.is_empty() { Ok(()) } else { Err(Failed::from(lines.join("\n"))) }
        })
    };
    // A method that cannot run with its defaults has a test of its own.
    let runnable = METHODS.iter().filter(|d| d.params().iter().all(|p| p.default != ParamDefault::Required));
    let mut trials = Vec::new();
    for &def in runnable {
        let accepts = def.spec().accepts;
        // Both are well formed.
        if accepts.tabular {
            trials.push(trial(def, "rows", Box::new(data::tabular().unwrap())));
        }
        if accepts.image {
            trials.push(trial(def, "images", Box::new(data::images().unwrap())));
        }
    }
    libtest_mimic::run(&args, trials).exit();
}
