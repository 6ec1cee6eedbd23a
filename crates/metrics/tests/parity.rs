//! The metrics against scikit-learn, anomalib and a plain NumPy loop, on data made by the same closed formulas.

use zsad_core::MetricInput;
use zsad_metrics::{METRICS, evaluate};

fn check(input: MetricInput, expected: &[(&str, f64)]) {
    let found = evaluate(input, METRICS);
    assert_eq!(found.len(), expected.len());
    for &(name, expected) in expected {
        let value = found.iter().find(|(spec, _)| spec.name == name).unwrap().1.value().unwrap();
        assert!((value - expected).abs() < 1e-12, "{name}: {value} {expected}");
    }
}

fn round1(x: f64) -> f64 {
    (x * 10.0).round_ties_even() / 10.0
}

// import numpy as np
// from sklearn.metrics import roc_auc_score, average_precision_score, precision_recall_curve, roc_curve
// i = np.arange(200)
// y = (i * 29 % 97) % 5 == 0
// s = np.round(np.sin(i * 1.7) * 2 + y * 0.8, 1)          # 46 distinct values: many ties
// p, r, _ = precision_recall_curve(y, s)
// fpr, tpr, _ = roc_curve(y, s, drop_intermediate=False)
// print(average_precision_score(y, s), roc_auc_score(y, s), np.max(2 * p * r / np.maximum(p + r, 1e-300)), fpr[tpr >= 0.95].min())
#[test]
fn sample_metrics_equal_scikit_learn() {
    let labels: Vec<bool> = (0..200).map(|i| i * 29 % 97 % 5 == 0).collect();
    let score = |(i, &y): (usize, &bool)| round1((i as f64 * 1.7).sin() * 2.0 + f64::from(u8::from(y)) * 0.8);
    let scores: Vec<f64> = labels.iter().enumerate().map(score).collect();
    check(
        MetricInput::Samples { scores: &scores, labels: &labels },
        &[
            ("aupr", 0.4527332300488637),
            ("auroc", 0.6556987267985888),
            ("f1_max", 0.4205128205128205),
            ("fpr95", 0.710691823899371),
            // n = y.sum(); t = np.sort(s)[::-1][n - 1]; above, tied = s > t, s == t
            // print((y[above].sum() + (n - above.sum()) * y[tied].mean()) / n)
            ("precision_at_n", 0.3170731707317073),
        ],
    );
}

// from scipy.ndimage import label
// n, h, w = 6, 24, 20
// z, v, u = np.meshgrid(np.arange(n), np.arange(h), np.arange(w), indexing="ij")
// mask = (((v - 5 - z) ** 2 + (u - 6) ** 2 < 5 + 3 * z) | ((v - 17) ** 2 + (u - 15 + z) ** 2 < 9) | (v + u == 30)) & (z % 3 > 0)
// a = np.round(np.sin(z * 1.3 + v * 0.7) * np.cos(u * 0.9 + v * 0.4) + mask * (0.6 + 0.1 * z), 1).astype(np.float32)
// regions = [(k, l == c) for k in range(n) for l, m in [label(mask[k], np.ones((3, 3)))] for c in range(1, m + 1)]
// curve = [(0.0, 0.0)]
// for t in np.unique(a)[::-1]:
//     curve.append(((a[~mask] >= t).mean(), np.mean([(a[k][g] >= t).mean() for k, g in regions])))
// x, o = np.array(curve).T
// keep = x <= 0.3
// print(np.trapezoid(np.append(o[keep], np.interp(0.3, x, o)), np.append(x[keep], 0.3)) / 0.3)
// print(average_precision_score(mask.ravel(), a.ravel()), roc_auc_score(mask.ravel(), a.ravel()))
// print(max(2 * (mask & (a >= t)).sum() / ((a >= t).sum() + mask.sum()) for t in np.unique(a)))
// # anomalib 2.7, in single precision: m = _AUPRO(); m.update(torch.tensor(a), torch.tensor(mask).int()); m.compute() = 0.68567312
#[test]
fn pixel_metrics_equal_numpy_scikit_learn_and_anomalib() {
    let (n, h, w) = (6i32, 24i32, 20i32);
    let (mut maps, mut masks) = (Vec::new(), Vec::new());
    for (z, v, u) in (0..n).flat_map(|z| (0..h).flat_map(move |v| (0..w).map(move |u| (z, v, u)))) {
        let disc = (v - 5 - z).pow(2) + (u - 6).pow(2) < 5 + 3 * z || (v - 17).pow(2) + (u - 15 + z).pow(2) < 9;
        let mask = (disc || v + u == 30) && z % 3 > 0;
        let (z, v, u) = (f64::from(z), f64::from(v), f64::from(u));
        let wave = (z * 1.3 + v * 0.7).sin() * (u * 0.9 + v * 0.4).cos();
        maps.push(round1(wave + f64::from(u8::from(mask)) * (0.6 + 0.1 * z)) as f32);
        masks.push(u8::from(mask));
    }
    let input = MetricInput::Maps { maps: &maps, masks: &masks, shape: &[h as usize, w as usize] };
    let aupro = zsad_metrics::find("aupro").unwrap().compute(input).value().unwrap();
    assert!((aupro - 0.6856731176376343).abs() < 1e-6, "anomalib: {aupro}");
    check(
        input,
        &[
            ("aupro", 0.6856731654051182),
            ("pixel_aupr", 0.6568208272949293),
            ("pixel_auroc", 0.900201106083459),
            ("pixel_f1_max", 0.6013745704467354),
        ],
    );
}
