use super::*;
use crate::testing::{omniglot, sweep};
use zsad_core::{BatchSize, Contamination};

/// Colours that nothing else on a page has.
const DARK: [u8; 3] = [20, 40, 160];
const PALE: [u8; 3] = [200, 220, 240];

/// A square of one colour, dark where it is an anomaly.
fn picture(anomalous: bool, side: usize) -> Picture {
    let colour = if anomalous { DARK } else { PALE };
    Picture { anomalous, size: (side, side), image: colour.repeat(side * side) }
}

#[test]
fn the_middle_point_the_least_seed_and_the_best_method_first_are_shown() {
    let found = candidates(&omniglot());
    let [candidate] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(candidate.point.contamination, Contamination::Ratio(0.01), "of 0, 1, 5 and 10 %");
    assert_eq!((candidate.point.size, candidate.seed), (BatchSize::Normals(20), 0));
    assert_eq!(candidate.run, "acr_omniglot (profile small)");
    let labels: Vec<&str> = candidate.methods.iter().map(|m| m.label.as_str()).collect();
    assert_eq!(labels, ["acr_dsvdd (pi=0.5)", "acr_dsvdd (pi=0.2)", "knn", "iforest", "lof"]);
    assert_eq!(candidate.methods[2].cells, BTreeSet::from(["2-0.01-0".to_owned()]));
    let sweep = candidates(&sweep());
    assert_eq!(sweep[0].point.size, BatchSize::Total(16));
    // A batch of one class has no AUROC.
    let none = candidates(&omniglot().into_iter().filter(|r| r.metric("auroc").is_none()).collect::<Vec<_>>());
    assert!(none.is_empty());
}

#[test]
fn every_method_has_a_line_of_the_batch_in_its_own_order_and_anomalies_are_framed() {
    let pictures: Vec<Picture> = (0..30).map(|i| picture(i == 3, 8)).collect();
    let rankings = [
        Ranking { label: "good".into(), auroc: 1.0, order: (0..30).map(|i| (i + 3) % 30).collect() },
        Ranking { label: "a_rather_long_name_of_a_method".into(), auroc: 0.5, order: (0..30).collect() },
    ];
    let page = sheet(("title", "note"), &pictures, &rankings).unwrap();
    let framed: Vec<(u32, u32)> =
        page.enumerate_pixels().filter(|(.., p)| p.0 == [FRAME.0, FRAME.1, FRAME.2]).map(|(x, y, _)| (x, y)).collect();
    let line = |y: u32| ((f64::from(y) / SCALE - TOP + GAP) / (SIDE + 2.0 * GAP)) as usize;
    let left = |row| framed.iter().filter(|(_, y)| line(*y) == row).map(|(x, _)| *x).min().unwrap();
    let step = ((SIDE + GAP) * SCALE) as u32;
    assert_eq!(left(1), left(0) + 3 * step, "first in one order, fourth in the other");
    let dark = page.pixels().filter(|p| p.0 == DARK).count();
    assert_eq!(dark, 2 * ((SIDE * SCALE) as usize).pow(2), "the anomaly stands in both lines, whole");
    let light = page.pixels().filter(|p| p.0 == PALE).count();
    assert_eq!(light, 2 * (PICTURES - 1) * ((SIDE * SCALE) as usize).pow(2), "no more than fit in a line");
    let wrong = Picture { size: (9, 8), ..picture(true, 8) };
    assert!(sheet(("", ""), &[wrong], &[Ranking { order: vec![0], ..rankings[0].clone() }]).is_err());
}

#[test]
fn the_same_batch_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = path(dir.path(), "my data");
    assert!(path.ends_with("plots/ranked_my_data.png"));
    let ranking = Ranking { label: "knn".into(), auroc: 0.75, order: vec![1, 0] };
    let draw = || {
        write(&path, ("t", "n"), &[picture(false, 28), picture(true, 224)], std::slice::from_ref(&ranking)).unwrap();
        std::fs::read(&path).unwrap()
    };
    assert_eq!(draw(), draw());
}
