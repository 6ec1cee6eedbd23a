//! What a device computes beside what the processor does: the first thing to run on a new machine with a GPU.
//!
//! `device_check parity|conformance [--device DEVICE] [--json FILE]`
//!
//! `parity` runs every layer, loss and optimiser on the processor and on DEVICE (default cuda:0) and compares them;
//! `conformance` runs the conformance suite of every trained method on DEVICE. A line for each; exit code 1 where one failed, 2
//! where nothing could be started.

use std::process::ExitCode;
use std::time::Instant;

use serde_json::{Value, json};
use zsad_core::{Dataset, Device, Error, Operators, Result};
use zsad_models::METHODS;
use zsad_models::testing::{data, ready, violations_on};

#[path = "../../nn/tests/common/parity/mod.rs"]
mod parity;

/// Keeps what was found so far: a check that is stopped leaves that.
type Keep<'a> = dyn Fn(&Value) -> Result<()> + 'a;

/// Whether all is well.
fn layers(device: Device, keep: &Keep) -> Result<bool> {
    let (mut found, mut well) = (Vec::new(), true);
    for case in parity::parity(Device::Cpu, device)? {
        let ok = case.relative <= parity::TOLERANCE;
        println!("{}  {:.1e}  {} ({})", if ok { "ok  " } else { "FAIL" }, case.relative, case.case, case.tensor);
        // JSON knows no infinity.
        let relative = Some(case.relative).filter(|r| r.is_finite());
        found.push(json!({"case": case.case, "tensor": case.tensor, "relative": relative, "ok": ok}));
        well &= ok;
    }
    keep(&json!({"tolerance": parity::TOLERANCE, "cases": found}))?;
    Ok(well)
}

/// Whether all is well.
fn methods(device: Device, keep: &Keep) -> Result<bool> {
    let (mut found, mut well) = (Vec::new(), true);
    for &def in METHODS.iter().filter(|d| d.placement().operators != Operators::NONE) {
        let (name, accepts) = (def.spec().name, def.spec().accepts);
        let kinds: [(bool, &str, &dyn Dataset); 2] =
            [(accepts.tabular, "rows", &data::tabular()?), (accepts.image, "images", &data::images()?)];
        for (_, kind, dataset) in kinds.into_iter().filter(|k| k.0) {
            if let Err(e) = ready(def, dataset) {
                println!("left out  {name} on {kind}: {e}");
                found.push(json!({"method": name, "kind": kind, "left_out": e.to_string()}));
                continue;
            }
            let start = Instant::now();
            let violations = violations_on(device, def, dataset);
            let (ok, seconds) = (violations.is_empty(), start.elapsed().as_secs_f64());
            println!("{}  {name} on {kind}: {seconds:.1} s", if ok { "ok  " } else { "FAIL" });
            let broken: Vec<String> = violations.iter().map(|v| format!("{}: {}", v.check, v.message)).collect();
            broken.iter().for_each(|line| println!("      {line}"));
            found.push(json!({"method": name, "kind": kind, "seconds": seconds, "violations": broken, "ok": ok}));
            well &= ok;
            keep(&json!(found))?;
        }
    }
    Ok(well)
}

fn run(mut args: impl Iterator<Item = String>) -> Result<bool> {
    let usage = || Error::Config("device_check parity|conformance [--device DEVICE] [--json FILE]".into());
    let check: fn(Device, &Keep) -> Result<bool> = match args.next().as_deref() {
        Some("parity") => layers,
        Some("conformance") => methods,
        _ => return Err(usage()),
    };
    let (mut device, mut file) = (Device::Cuda(0), None);
    while let Some(flag) = args.next() {
        let value = args.next().ok_or_else(usage)?;
        match flag.as_str() {
            "--device" => device = value.parse()?,
            "--json" => file = Some(value),
            _ => return Err(usage()),
        }
    }
    zsad_nn::device::open(device)?;
    check(device, &|found| match &file {
        Some(file) => zsad_core::file::write(file.as_ref(), found.to_string().as_bytes()),
        None => Ok(()),
    })
}

fn main() -> ExitCode {
    // SAFETY: no other thread runs yet. Candle would else keep a pool of its own beside ours.
    unsafe { std::env::set_var("CANDLE_NUM_THREADS", "1") };
    match run(std::env::args().skip(1)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(e @ Error::Config(_)) => {
            eprintln!("error: {e}");
            ExitCode::from(2)
        }
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::from(1)
        }
    }
}
