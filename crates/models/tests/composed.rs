//! The conformance suite once more for every trained method, with every operation composed of candle's own, as a GPU computes
//! it: what shows on the processor that a method runs on a GPU, as far as that can be shown without one.

mod common;

use libtest_mimic::Arguments;
use zsad_core::{Device, Operators};
use zsad_models::METHODS;

fn main() {
    // SAFETY: no other thread runs yet. Candle would else keep a pool of its own beside ours, whose threads wait for each other
    // by spinning.
    unsafe { std::env::set_var("CANDLE_NUM_THREADS", "1") };
    let args = Arguments::from_args();
    let trained = METHODS.iter().filter(|d| d.placement().operators != Operators::NONE);
    // A training of their flows takes minutes when it is composed on the processor, and the suite trains often.
    let slow = |name: &str| ["resad", "resad_pp"].contains(&name).then_some("takes longer than ten minutes");
    let trials = trained.flat_map(|&def| common::trials(def, Device::Composed, slow(def.spec().name))).collect();
    libtest_mimic::run(&args, trials).exit();
}
