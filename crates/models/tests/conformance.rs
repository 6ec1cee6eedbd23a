//! The conformance suite as tests: one for every registered method and kind of data.

use libtest_mimic::{Arguments, Failed, Trial};
use zsad_core::{Dataset, MethodDef};
use zsad_models::METHODS;
use zsad_models::testing::{data, violations};

fn main() {
    let args = Arguments::from_args();
    let trial = |def: &'static dyn MethodDef, kind: &str, open: fn() -> zsad_core::Result<Box<dyn Dataset>>| {
        Trial::test(format!("{}::{kind}", def.spec().name), move || {
            let found = violations(def, open()?.as_ref());
            let lines: Vec<_> = found.into_iter().map(|v| format!("{}: {}", v.check, v.message)).collect();
            if lines.is_empty() { Ok(()) } else { Err(Failed::from(lines.join("\n"))) }
        })
    };
    let trials = METHODS.iter().flat_map(|&def| {
        [trial(def, "rows", || Ok(Box::new(data::tabular()?))), trial(def, "images", || Ok(Box::new(data::images()?)))]
    });
    libtest_mimic::run(&args, trials.collect()).exit();
}
