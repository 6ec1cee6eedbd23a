use zsad_core::{AnomalySource, Fold};

use super::*;
use crate::memory::{InMemory, MemoryDomain};

/// Six waves of 32 × 32 in three colours, and one real anomaly.
fn pictures() -> InMemory {
    let wave = |n: usize| {
        let value = |i: usize| 0.5 + 0.3 * ((i % 1024) as f32 * 0.13 + (i / 1024) as f32 * 0.7).sin();
        Samples::new(vec![3, 32, 32], Values::F32((0..n * 3072).map(value).collect()))
    };
    let domain =
        MemoryDomain { name: "waves".into(), normal: wave(6), anomalous: Some(wave(1)), reference: Some(wave(2)) };
    let fold = Fold { name: String::new(), meta_train: vec![0], meta_test: vec![] };
    let modality = Modality::Image { channels: 3, height: 32, width: 32 };
    InMemory::new("waves", modality, vec![domain], vec![fold], AnomalySource::Genuine).unwrap()
}

#[test]
fn every_normal_has_a_defect_where_its_mask_says() {
    let real = pictures();
    let data = TrainingData::new(&real, &real.info().folds[0]);
    for kind in [Defect::CutPaste, Defect::Scar, Defect::Poisson, Defect::Mixed] {
        let made = SyntheticDefects::new(&data, kind).unwrap();
        assert_eq!(made.info().domains[0].anomalous, 6, "{kind}");
        let defects: Vec<SampleRef> = SampleRef::all(0, Subset::Anomalous, 6).collect();
        let normals: Vec<SampleRef> = SampleRef::all(0, Subset::Normal, 6).collect();
        let (before, after) = (made.gather(&normals).unwrap(), made.gather(&defects).unwrap());
        let masks = made.masks(&defects).unwrap().unwrap();
        let (before, after) = (before.to_f32(), after.to_f32());
        let mut shares = Vec::new();
        for i in 0..6 {
            let mask = &masks.values[i * 1024..(i + 1) * 1024];
            let change = |p: usize| {
                let of = |c: usize| (before[i * 3072 + c * 1024 + p] - after[i * 3072 + c * 1024 + p]).abs();
                (of(0) + of(1) + of(2)) / 3.0
            };
            let area = mask.iter().filter(|&&m| m == 1).count();
            assert!((1..800).contains(&area), "{kind}: {area}");
            let inside = (0..1024).filter(|&p| mask[p] == 1).map(change).sum::<f32>() / area as f32;
            let outside = (0..1024).filter(|&p| mask[p] == 0).map(change).fold(0f32, f32::max);
            assert!(inside > 1.0 / 255.0, "{kind}: {inside}");
            // Of a blended one what is too faint to be seen, or too thin, is not in the mask.
            assert!(kind == Defect::Poisson || kind == Defect::Mixed || outside == 0.0, "{kind}: {outside}");
            assert!(after[i * 3072..(i + 1) * 3072].iter().all(|v| (0.0..=1.0).contains(v)), "{kind}");
            shares.push(area);
        }
        assert!(shares.windows(2).any(|w| w[0] != w[1]), "{kind}: each has a defect of its own: {shares:?}");
    }
}

#[test]
fn a_defect_is_the_same_whatever_is_read_with_it_and_normals_stay() {
    let real = pictures();
    let data = TrainingData::new(&real, &real.info().folds[0]);
    let made = SyntheticDefects::new(&data, Defect::Mixed).unwrap();
    let at = |subset, index| SampleRef { domain: 0, subset, index };
    let mixed = [at(Subset::Reference, 1), at(Subset::Anomalous, 4), at(Subset::Normal, 0), at(Subset::Anomalous, 2)];
    let all = made.gather(&mixed).unwrap();
    let all = all.to_f32();
    for (i, r) in mixed.iter().enumerate() {
        assert_eq!(made.gather(&[*r]).unwrap().to_f32()[..], all[i * 3072..(i + 1) * 3072], "{r:?}");
        if r.subset != Subset::Anomalous {
            assert_eq!(real.gather(&[*r]).unwrap().to_f32()[..], all[i * 3072..(i + 1) * 3072], "{r:?}");
        }
    }
    let masks = made.masks(&mixed).unwrap().unwrap();
    assert!(masks.values[..1024].iter().all(|&m| m == 0) && masks.values[1024..2048].contains(&1));
}

#[test]
fn rows_have_no_synthetic_defects() {
    let rows = Samples::new(vec![2], Values::F64(vec![0.0; 6]));
    let domain = MemoryDomain { name: "rows".into(), normal: rows, anomalous: None, reference: None };
    let fold = Fold { name: String::new(), meta_train: vec![0], meta_test: vec![] };
    let set = InMemory::new("rows", Modality::rows(2), vec![domain], vec![fold], AnomalySource::Genuine).unwrap();
    let data = TrainingData::new(&set, &set.info().folds[0]);
    let refused = SyntheticDefects::new(&data, Defect::Scar).err().unwrap().to_string();
    assert!(refused.contains("made of pictures, and rows has rows"), "{refused}");
}
