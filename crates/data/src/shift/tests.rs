use zsad_core::{AnomalySource, BatchSize, Contamination};

use super::*;
use crate::memory::{InMemory, MemoryDomain};

/// The picture whose byte i is 53 i, after a corruption of severity 3: `imagecorruptions.corrupt(x, severity=3,
/// corruption_name=…)` on `(53 * np.arange(48) % 256).astype(np.uint8).reshape(4, 4, 3)`.
#[test]
fn bytes_are_those_of_imagecorruptions() {
    let bytes: Vec<u8> = (0..48).map(|i| (53 * i % 256) as u8).collect();
    assert_eq!(bytes[..12], [0, 53, 106, 159, 212, 9, 62, 115, 168, 221, 18, 71]);
    let image = DynamicImage::ImageRgb8(RgbImage::from_raw(4, 4, bytes).unwrap());
    let shifted = |corruption| {
        let by = Shift::new(corruption, 3);
        picture(image.clone(), &by, &mut stream(0, &[])).into_rgb8().into_raw()
    };
    assert_eq!(shifted(Corruption::Contrast)[..12], [96, 111, 112, 128, 142, 93, 108, 123, 125, 140, 104, 105]);
    assert_eq!(shifted(Corruption::Brightness)[..12], [0, 91, 182, 191, 255, 10, 90, 167, 244, 255, 20, 81]);
}

/// 14×14 pixels out of focus: `np.uint8(corrupt(x, corruption_name="defocus_blur", severity=…))`, whose disk and its smoothing are
/// OpenCV's, of the picture whose byte i is 171 i. None of these values lies within 0.08 of a whole number before it is cut off.
#[test]
fn bytes_out_of_focus_are_those_of_imagecorruptions() {
    let bytes: Vec<u8> = (0..14 * 14 * 3).map(|i| (171 * i % 256) as u8).collect();
    let image = DynamicImage::ImageRgb8(RgbImage::from_raw(14, 14, bytes).unwrap());
    for (severity, wanted) in [
        (1, [18, 189, 104, 18, 189, 104, 19, 190, 105, 20, 191, 106]),
        (3, [38, 205, 124, 38, 202, 124, 38, 202, 124, 39, 203, 125]),
        (5, [65, 149, 152, 65, 149, 152, 65, 149, 152, 65, 150, 152]),
    ] {
        let by = Shift::new(Corruption::DefocusBlur, severity);
        let found = picture(image.clone(), &by, &mut stream(0, &[])).into_rgb8().into_raw();
        assert_eq!(found[..12], wanted, "severity {severity}");
    }
}

/// `np.uint8(255 * np.clip(x + np.random.normal(scale=0.18), 0, 1))` of a grey value x: its mean and standard deviation by numerical
/// integration.
#[test]
fn noise_has_the_moments_of_clipped_noise() {
    let side = 256;
    for (grey, mean, sd) in [(0u8, 0.070832, 0.104421), (128, 0.500000, 0.179099), (255, 0.927207, 0.105761)] {
        let image = DynamicImage::ImageRgb8(RgbImage::from_pixel(side, side, image::Rgb([grey; 3])));
        let by = Shift::new(Corruption::GaussianNoise, 3);
        let bytes = picture(image, &by, &mut stream(1, &[])).into_rgb8().into_raw();
        let n = bytes.len() as f64;
        let found = bytes.iter().map(|b| f64::from(*b)).sum::<f64>() / n / 255.0;
        let variance = bytes.iter().map(|b| (f64::from(*b) / 255.0 - found).powi(2)).sum::<f64>() / n;
        // Four standard errors of 196,608 values.
        assert!((found - mean).abs() < 0.0017, "{grey}: {found}");
        assert!((variance.sqrt() - sd).abs() < 0.0017, "{grey}: {}", variance.sqrt());
    }
}

/// Two domains of `n` grey pictures of 8×8 in 0 … 1.
fn set(n: usize) -> Arc<dyn Dataset> {
    let domain = |k: usize| {
        let values = (0..n * 64).map(|i| ((i * 7 + k * 31) % 100) as f32 / 100.0).collect();
        MemoryDomain::normals(format!("d{k}"), Samples::new(vec![1, 8, 8], Values::F32(values)))
    };
    let modality = Modality::Image { channels: 1, height: 8, width: 8 };
    let fold = Fold::single([], [0, 1]);
    Arc::new(InMemory::new("t", modality, vec![domain(0), domain(1)], vec![fold], AnomalySource::OtherDomains).unwrap())
}

fn point(shift: Option<Shift>) -> TestPoint {
    let (size, contamination) = (BatchSize::Total(20), Contamination::Ratio(0.1));
    TestPoint { size, contamination, n_batches: 2, shift, ..TestPoint::default() }
}

#[test]
fn shifted_and_clean_batches_hold_the_same_samples() {
    let inner = set(40);
    let fold = &inner.info().folds[0];
    let shift = Shift::new(Corruption::Brightness, 3);
    let clean = sampler::test_batches(inner.as_ref(), fold, 0, &point(None), 5).unwrap();
    assert_eq!(clean, sampler::test_batches(inner.as_ref(), fold, 0, &point(Some(shift)), 5).unwrap());

    let seen = Shifted::new(inner.as_ref(), shift).unwrap();
    let (refs, moved) = seen.batch(fold, &point(Some(shift)), 5, &clean[0]);
    assert!(moved.iter().all(|m| *m));
    let (before, after) = (inner.gather(&clean[0].items).unwrap(), seen.gather(&refs).unwrap());
    for (a, b) in before.to_f32().iter().zip(after.to_f32().iter()) {
        assert_eq!(*b, ((f64::from(*a) + 0.3).min(1.0) * 255.0).floor() as f32 / 255.0);
    }
    assert_eq!(seen.gather(&clean[0].items).unwrap(), before, "the clean ones are there as well");
    assert_eq!(seen.note().1, "brightness@3, on the samples");
}

#[test]
fn a_share_is_the_same_for_all_corruptions_and_keeps_its_order() {
    let inner = set(40);
    let fold = &inner.info().folds[0];
    let half = |corruption| Shift { share: 0.5, ..Shift::new(corruption, 3) };
    let batch = &sampler::test_batches(inner.as_ref(), fold, 1, &point(None), 0).unwrap()[1];
    let of = |shift: Shift| {
        let seen = Shifted::new(inner.as_ref(), shift).unwrap();
        let (refs, moved) = seen.batch(fold, &point(Some(shift)), 0, batch);
        (seen.gather(&refs).unwrap(), moved)
    };
    let (noisy, moved) = of(half(Corruption::GaussianNoise));
    assert_eq!(moved.iter().filter(|m| **m).count(), 10);
    assert_eq!(moved, of(half(Corruption::Contrast)).1);
    assert_eq!(noisy, of(half(Corruption::GaussianNoise)).0, "the same draws every time");
    let clean = inner.gather(&batch.items).unwrap();
    for (i, moved) in moved.iter().enumerate() {
        assert_eq!(clean.rows(&[i]) == noisy.rows(&[i]), !moved, "sample {i}");
    }
}

#[test]
fn caches_are_told_of_the_shift() {
    struct Named(Arc<dyn Dataset>);
    impl Dataset for Named {
        fn info(&self) -> &DatasetInfo {
            self.0.info()
        }
        fn identity(&self, domain: usize) -> Option<String> {
            Some(format!("domain {domain}"))
        }
        fn gather(&self, refs: &[SampleRef]) -> Result<Samples> {
            self.0.gather(refs)
        }
    }
    let named = Named(set(3));
    let seen = |severity| {
        let seen = Shifted::new(&named as &dyn Dataset, Shift::new(Corruption::Contrast, severity)).unwrap();
        (seen.identity(1).unwrap(), seen.identity(3).unwrap())
    };
    assert_eq!(seen(3), ("domain 1".into(), "domain 1, shift contrast@3 of imagenet_c".into()));
    assert_ne!(seen(3).1, seen(4).1);
}

#[test]
fn what_cannot_be_shifted_is_refused() {
    let rows = Samples::new(vec![2], Values::F64(vec![0.0; 8]));
    let rows = InMemory::batch(Modality::rows(2), rows, None).unwrap();
    let why = |set: &dyn Dataset, shift| Shifted::new(set, shift).err().unwrap().to_string();
    assert!(why(&rows, Shift::new(Corruption::Contrast, 1)).contains("its samples are rows"));
    let fog = Shift { family: Family::CifarC, ..Shift::new(Corruption::Fog, 1) };
    assert!(why(set(3).as_ref(), fog).contains("pictures of 32×32"));
}
