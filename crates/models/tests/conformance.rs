//! The conformance suite as tests: one for every registered method and kind of data that it takes.

mod common;

use libtest_mimic::Arguments;
use zsad_core::{Device, ParamDefault};
use zsad_models::METHODS;

fn main() {
    let args = Arguments::from_args();
    // A method that cannot run with its defaults has a test of its own.
    let runnable = METHODS.iter().filter(|d| d.params().iter().all(|p| p.default != ParamDefault::Required));
    let trials = runnable.flat_map(|&def| common::trials(def, Device::Cpu, None)).collect();
    libtest_mimic::run(&args, trials).exit();
}
