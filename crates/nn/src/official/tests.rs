//! Fixtures and expected scores: `scripts/make_official_acr_fixtures.py` (PyTorch, batch norms in train mode).

use std::path::PathBuf;

use zsad_core::Array;

use super::*;

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/official", name].iter().collect()
}

fn wave(shape: &[usize]) -> Tensor {
    let x: Vec<f32> = (0..shape.iter().product()).map(|i: usize| (i as f64 * 0.37).sin() as f32).collect();
    Tensor::from_slice(&x, shape, &candle_core::Device::Cpu).unwrap()
}

#[test]
fn scores_are_pytorchs_for_every_layout() {
    let expected = std::fs::read_to_string(fixture("expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&expected).unwrap();
    let cases = [
        ("tab_dsvdd", Architecture::TabDsvdd),
        ("tab_dsvdd_wrapped", Architecture::TabDsvdd),
        ("feature_svdd_cuda_legacy", Architecture::FeatureSvdd),
        ("omniglot_dsvdd_cuda", Architecture::OmniglotDsvdd),
        ("cifar100_dsvdd", Architecture::Cifar100Dsvdd),
        ("tab_neutralad", Architecture::TabNeutralAd),
    ];
    assert_eq!(expected.as_object().unwrap().len(), cases.len());
    for (name, architecture) in cases {
        let model = OfficialModel::load(&fixture(&format!("{name}.pt")), Device::Cpu).unwrap();
        assert_eq!(model.architecture, architecture, "{name}");
        let case = &expected[name];
        let shape: Vec<usize> = serde_json::from_value(case["shape"].clone()).unwrap();
        assert_eq!(model.input(), shape[1..], "{name}");
        let want: Vec<f64> = serde_json::from_value(case["scores"].clone()).unwrap();
        let got = model.scores(&wave(&shape)).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(&want) {
            assert!((f64::from(*got) - want).abs() <= 1e-4 * want.abs(), "{name}: {got}, PyTorch {want}");
        }
    }
}

/// `prefix.weight`, `.bias` and a norm's four vectors, of the given widths.
fn dense(tensors: &mut Arrays, name: &str, input: usize, output: usize) {
    let value = |n: usize| (0..n).map(|i| (i as f64 * 0.7).sin() as f32 * 0.05).collect();
    tensors.insert(format!("{name}.weight"), Array::single(vec![output, input], value(output * input)));
    tensors.insert(format!("{name}.bias"), Array::single(vec![output], value(output)));
}

fn norm(tensors: &mut Arrays, name: &str, channels: usize) {
    for part in ["weight", "bias", "running_mean", "running_var"] {
        tensors.insert(format!("{name}.{part}"), Array::single(vec![channels], vec![0.5; channels]));
    }
}

/// The published FeatureSVDD: 1024-512-256-128-64-32, then 32.
fn feature_svdd() -> Arrays {
    let mut tensors = Arrays::new();
    for (i, width) in [1024, 512, 256, 128, 64].into_iter().enumerate() {
        dense(&mut tensors, &format!("enc.{}", 3 * i), width, width / 2);
        norm(&mut tensors, &format!("enc.{}", 3 * i + 1), width / 2);
    }
    dense(&mut tensors, "fc", 32, 32);
    norm(&mut tensors, "batch_norm", 32);
    tensors.insert("center".into(), Array::single(vec![32], vec![0.1; 32]));
    tensors
}

#[test]
fn the_published_feature_network_is_recognised_by_its_sizes() {
    let model = OfficialModel::from_arrays(&feature_svdd(), Path::new("f.pt"), Device::Cpu).unwrap();
    assert_eq!(model.architecture, Architecture::FeatureSvdd);
    let NetworkConfig::Mlp(config) = &model.config else { panic!("{:?}", model.config) };
    assert_eq!((config.input, config.hidden.as_slice(), config.output), (1024, &[512, 256, 128, 64, 32][..], 32));
    assert_eq!(model.forward(&wave(&[3, 1024])).unwrap().dims(), [3, 32]);
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    type Change<'a> = &'a dyn Fn(&mut Arrays);
    let refuse = |change: Change| {
        let mut tensors = feature_svdd();
        change(&mut tensors);
        OfficialModel::from_arrays(&tensors, Path::new("f.pt"), Device::Cpu).unwrap_err().to_string()
    };
    let cases: [(Change, &str); 6] = [
        (&|t| drop(t.remove("center")), "no tensor `center`"),
        (&|t| drop(t.remove("enc.3.bias")), "no tensor `enc.3.bias`"),
        (&|t| drop(t.insert("extra".into(), Array::single(vec![], vec![1.0]))), "beside the network's: extra"),
        (&|t| drop(t.insert("center".into(), Array::single(vec![31], vec![0.0; 31]))), "codes have 32 values"),
        (&|t| dense(t, "enc.3", 500, 256), "512 outputs is followed by one with 500 inputs"),
        (&|t| t.clear(), "of no network of the official ACR code"),
    ];
    for (change, want) in cases {
        let error = refuse(change);
        assert!(error.contains(want) && error.contains("f.pt") && error.contains("TabDSVDD"), "{error}");
    }
}

#[test]
fn damaged_files_and_other_pickles_are_refused_without_panicking() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bad.pt");
    for name in ["feature_svdd_cuda_legacy.pt", "tab_dsvdd.pt"] {
        let good = std::fs::read(fixture(name)).unwrap();
        for cut in (0..good.len()).step_by(41) {
            std::fs::write(&path, &good[..cut]).unwrap();
            let error = OfficialModel::load(&path, Device::Cpu).unwrap_err().to_string();
            assert!(error.contains("bad.pt"), "{name} cut at {cut}: {error}");
        }
    }
    // Every byte of the pickled names and shapes flipped: an error or another model, never a panic.
    let good = std::fs::read(fixture("feature_svdd_cuda_legacy.pt")).unwrap();
    let mut refused = 0;
    for at in 0..3000 {
        let mut bad = good.clone();
        bad[at] ^= 0x11;
        std::fs::write(&path, &bad).unwrap();
        refused += usize::from(OfficialModel::load(&path, Device::Cpu).is_err());
    }
    assert!(refused > 1000, "{refused}");
}
