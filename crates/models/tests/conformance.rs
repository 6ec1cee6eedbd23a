//! The conformance suite as tests: one for every registered method and kind of data.

use libtest_mimic::{Arguments, Failed, Trial};
use zsad_core::{Dataset, MethodDef, ParamDefault, Params};
use zsad_models::METHODS;
use zsad_models::testing::{data, violations};
use zsad_nn::backbones::{Backbone, data_folder};

fn main() {
    let args = Arguments::from_args();
    let trial = |def: &'static dyn MethodDef, kind: &str, open: fn() -> zsad_core::Result<Box<dyn Dataset>>| {
        Trial::test(format!("{}::{kind}", def.spec().name), move || {
            if let Err(e) = weights(def) {
                println!("skipped: {}: {e}", def.spec().name);
                return Ok(());
            }
            let found = violations(def, open()?.as_ref());
            let lines: Vec<_> = found.into_iter().map(|v| format!("{}: {}", v.check, v.message)).collect();
            if lines.is_empty() { Ok(()) } else { Err(Failed::from(lines.join("\n"))) }
        })
    };
    // A method that cannot run with its defaults has a test of its own.
    let runnable = METHODS.iter().filter(|d| d.spec().params.iter().all(|p| p.default != ParamDefault::Required));
    let trials = runnable.flat_map(|&def| {
        [trial(def, "rows", || Ok(Box::new(data::tabular()?))), trial(def, "images", || Ok(Box::new(data::images()?)))]
    });
    libtest_mimic::run(&args, trials.collect()).exit();
}

/// Whether the pretrained weights that a method's default parameters name are there.
fn weights(def: &dyn MethodDef) -> zsad_core::Result<()> {
    match Params::defaults(def.spec().params).to_json().get("backbone").and_then(|name| name.as_str()) {
        Some(name) => Backbone::weights_file(name.parse()?, &data_folder()).map(drop),
        None => Ok(()),
    }
}
