//! The conformance suite once more for every trained method, with every operation composed of candle's own, as a GPU computes
//! it: what shows on the processor that a method runs on a GPU, as far as that can be shown without one.

use libtest_mimic::{Arguments, Failed, Trial};
use zsad_core::{Dataset, Device, MethodDef, Operators};
use zsad_models::METHODS;
use zsad_models::testing::{data, ready, violations_on};

fn main() {
    // SAFETY: no other thread runs yet. Candle would else keep a pool of its own beside ours, whose threads wait for each other
    // by spinning.
    unsafe { std::env::set_var("CANDLE_NUM_THREADS", "1") };
    let args = Arguments::from_args();
    let trial = |def: &'static dyn MethodDef, kind: &str, dataset: Box<dyn Dataset>| {
        let name = format!("{}::{kind}", def.spec().name);
        if let Err(e) = ready(def) {
            // Not passed: it never ran.
            return Trial::test(format!("{name} ({e})"), move || Err(e.into())).with_ignored_flag(true);
        }
        // A training of their flows takes minutes when it is composed on the processor, and the suite trains often.
        let slow = ["resad", "resad_pp"].contains(&def.spec().name);
        let name = if slow { format!("{name} (takes longer than ten minutes)") } else { name };
        let trial = Trial::test(name, move || {
            let found = violations_on(Device::Composed, def, dataset.as_ref());
            let lines: Vec<_> = found.into_iter().map(|v| format!("{}: {}", v.check, v.message)).collect();
            if lines.is_empty() { Ok(()) } else { Err(Failed::from(lines.join("\n"))) }
        });
        trial.with_ignored_flag(slow)
    };
    let mut trials = Vec::new();
    for &def in METHODS.iter().filter(|d| d.placement().operators != Operators::NONE) {
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
