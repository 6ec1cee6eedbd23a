//! With its kernels and without them the processor computes the same; and a difference would be found.

#[path = "common/every_path.rs"]
mod every_path;
#[path = "common/parity/mod.rs"]
mod parity;

use parity::{TOLERANCE, Values, compare, parity};
use zsad_core::Device;

#[test]
fn kernels_and_what_candle_composes_agree_on_everything() {
    let all = parity(Device::Cpu, Device::Composed).unwrap();
    for found in &all {
        assert!(found.relative <= TOLERANCE, "{found:?}");
    }
    // Two ways that never differ were one way: whatever has a kernel rounds otherwise without it.
    let fused =
        ["linear 96", "conv2d", "perceptron", "network of", "views", "flow", "distance", "contrastive", "Adam", "step"];
    for part in fused {
        let differ = all.iter().filter(|p| p.case.contains(part)).any(|p| p.relative > 0.0);
        assert!(differ, "{part}: the same bits with and without kernels");
    }
}

#[test]
fn a_difference_is_found_where_it_is() {
    let tensors = |bias: f64, weight: f64| {
        vec![
            ("output".to_owned(), vec![1.0, -2.0]),
            ("gradient of weight".to_owned(), vec![10.0, weight]),
            ("gradient of bias".to_owned(), vec![bias]),
        ]
    };
    let found = |b: &[Values]| compare("case", &tensors(1e-9, 4.0), b).unwrap();
    assert_eq!(found(&tensors(1e-9, 4.0)).relative, 0.0);
    // A gradient of nothing but rounding is no difference, another value is.
    assert!(found(&tensors(-1e-6, 4.0)).relative < TOLERANCE);
    let off = found(&tensors(1e-9, 4.01));
    assert!((off.relative - 1e-3).abs() < 1e-9 && off.tensor == "gradient of weight", "{off:?}");
    assert_eq!(found(&tensors(f64::NAN, 4.0)).relative, f64::INFINITY);
    assert!(compare("case", &tensors(0.0, 0.0), &[("output".to_owned(), vec![1.0])]).is_err());
}
