//! The conformance suite as tests with names of their own.

use libtest_mimic::{Failed, Trial};
use zsad_core::{Dataset, Device, MethodDef};
use zsad_models::testing::{data, ready, violations_on};

/// A test for each kind of data that `def` takes, on `device`; ignored, with the reason, where there is one not to run it, or
/// where its weights are missing.
pub fn trials(def: &'static dyn MethodDef, device: Device, not: Option<&str>) -> Vec<Trial> {
    let accepts = def.spec().accepts;
    // Both are well formed.
    let rows = accepts.tabular.then(|| ("rows", Box::new(data::tabular().unwrap()) as Box<dyn Dataset>));
    let images = accepts.image.then(|| ("images", Box::new(data::images().unwrap()) as Box<dyn Dataset>));
    rows.into_iter().chain(images).map(|(kind, dataset)| trial(def, device, not, kind, dataset)).collect()
}

fn trial(
    def: &'static dyn MethodDef,
    device: Device,
    not: Option<&str>,
    kind: &str,
    dataset: Box<dyn Dataset>,
) -> Trial {
    let name = format!("{}::{kind}", def.spec().name);
    if let Err(e) = ready(def, dataset.as_ref()) {
        // Not passed: it never ran.
        return Trial::test(format!("{name} ({e})"), move || Err(e.into())).with_ignored_flag(true);
    }
    let name = not.map_or(name.clone(), |why| format!("{name} ({why})"));
    let trial = Trial::test(name, move || {
        let found = violations_on(device, def, dataset.as_ref());
        let lines: Vec<_> = found.into_iter().map(|v| format!("{}: {}", v.check, v.message)).collect();
        if lines.is_empty() { Ok(()) } else { Err(Failed::from(lines.join("\n"))) }
    });
    trial.with_ignored_flag(not.is_some())
}
