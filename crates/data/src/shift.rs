//! The axis `shift`: a data set seen through a shift, whose shifted samples stand beside the clean ones.
//!
//! Pictures are corrupted before they are resized where the data set reads larger ones from files; else its samples are.
//! Bytes are made by cutting the fraction off, as the published scripts do.

mod imagenet_c;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use image::{DynamicImage, RgbImage};
use rand::seq::index;
use rayon::prelude::*;
use zsad_core::rng::{Rng, stream};
use zsad_core::shift::{Corruption, Family};
use zsad_core::{
    Choice, Dataset, DatasetInfo, Error, Fold, LabelledBatch, Masks, Modality, Result, SampleRef, Samples, Shift,
    Subset, Tags, TestPoint, Values,
};

use crate::corruptions::{self, Draws};
use crate::sampler;

/// The side of the pictures that the radii of ImageNet-C's blur are meant for here: industrial cameras' 700 … 1,024 pixels.
const CAMERA: usize = 1024;

/// Whoever holds a data set: borrowed, or shared.
pub trait Holds: Send + Sync {
    /// The data set.
    fn held(&self) -> &dyn Dataset;
}

impl Holds for &dyn Dataset {
    fn held(&self) -> &dyn Dataset {
        *self
    }
}

impl Holds for Arc<dyn Dataset> {
    fn held(&self) -> &dyn Dataset {
        self.as_ref()
    }
}

/// A data set with every domain twice: as it is, and shifted. Folds and the sampler know the first half alone.
pub struct Shifted<H> {
    inner: H,
    by: Shift,
    info: DatasetInfo,
    /// Whether pictures are corrupted before they are resized.
    originals: bool,
    /// See [`Dataset::pixel_scale`]; a pair a channel.
    scale: Vec<(f32, f32)>,
}

impl<H: Holds> Shifted<H> {
    /// `inner` seen through `by`.
    ///
    /// # Errors
    /// [`Error::Refused`] where the samples are no pictures, or not of the size that the corruption is made for.
    pub fn new(holder: H, by: Shift) -> Result<Self> {
        let inner = holder.held();
        let info = inner.info();
        let refused = |why: &str| Err(Error::refused(format!("{}: `shift: {by}` {why}", info.name)));
        let Modality::Image { channels, height, width } = info.modality else {
            return refused("is done to pictures, and its samples are rows");
        };
        let originals = inner.gather_shifted(&[], &by)?.is_some();
        let small = (channels, height, width) == (3, corruptions::SIDE, corruptions::SIDE) && !originals;
        if by.family == Family::CifarC && !small {
            return refused("is made for colour pictures of 32×32; `family: imagenet_c` takes any");
        }
        let shifted = info.domains.iter().map(|d| zsad_core::Domain { name: format!("{}, {by}", d.name), ..d.clone() });
        let domains = info.domains.iter().cloned().chain(shifted).collect();
        let given = inner.pixel_scale();
        let scale = if given.is_empty() { vec![(0.0, 1.0); channels] } else { given };
        let info = DatasetInfo { domains, ..info.clone() };
        Ok(Shifted { inner: holder, by, info, originals, scale })
    }

    /// What a record says of it.
    pub fn note(&self) -> (String, String) {
        let how = match (self.originals, self.by.corruption, self.by.family, self.info.modality.image_size()) {
            (true, ..) => "before pictures are resized".into(),
            (false, Corruption::DefocusBlur, Family::ImagenetC, Some((height, _))) => {
                format!("on the samples; radius: scaled by {height}/{CAMERA}")
            }
            _ => "on the samples".into(),
        };
        ("shift".into(), format!("{}, {how}", self.by))
    }

    /// The samples of a batch of `inner` after the shift, and which of them are shifted: all, or a share that is drawn with
    /// the batch's names and `seed`, not with the corruption's, so that all corruptions of a share are done to the same.
    pub fn batch(
        &self,
        fold: &Fold,
        point: &TestPoint,
        seed: u64,
        batch: &LabelledBatch<SampleRef>,
    ) -> (Vec<SampleRef>, Vec<bool>) {
        let n = batch.items.len();
        let mut moved = vec![self.by.share >= 1.0; n];
        if self.by.share < 1.0 {
            let point = sampler::point_name(point);
            let axes = [
                ("purpose", "shifted"),
                ("dataset", self.info.name.as_str()),
                ("fold", &fold.name),
                ("domain", &batch.domain),
                ("point", &point),
                ("batch", &batch.number.to_string()),
            ];
            let share = (self.by.share * n as f64).round() as usize;
            index::sample(&mut stream(seed, &axes), n, share).into_iter().for_each(|i| moved[i] = true);
        }
        let first = (self.info.domains.len() / 2) as u32;
        let place =
            |(r, &moved): (&SampleRef, &bool)| SampleRef { domain: r.domain + if moved { first } else { 0 }, ..*r };
        (batch.items.iter().zip(&moved).map(place).collect(), moved)
    }

    /// The sample of `inner`, and whether it is asked for shifted.
    fn clean(&self, r: &SampleRef) -> (SampleRef, bool) {
        let first = (self.info.domains.len() / 2) as u32;
        if r.domain >= first { (SampleRef { domain: r.domain - first, ..*r }, true) } else { (*r, false) }
    }

    fn all_clean(&self, refs: &[SampleRef]) -> Vec<SampleRef> {
        refs.iter().map(|r| self.clean(r).0).collect()
    }

    /// `refs` of `inner`, shifted.
    fn shifted(&self, refs: &[SampleRef]) -> Result<Samples> {
        if let Some(samples) = self.inner.held().gather_shifted(refs, &self.by)? {
            return Ok(samples);
        }
        let samples = self.inner.held().gather(refs)?;
        let (d, values) = (samples.dim(), samples.to_f32());
        let one =
            |(sample, r): (&[f32], &SampleRef)| self.sample(sample, &mut draws(&self.by, self.inner.held().info(), r));
        let all: Vec<Vec<f32>> = values.par_chunks_exact(d).zip(refs).map(one).collect();
        Ok(Samples::new(samples.shape().to_vec(), Values::F32(all.concat())))
    }

    /// One sample `[channels, height, width]`, shifted.
    fn sample(&self, sample: &[f32], draws: &mut dyn Draws) -> Vec<f32> {
        let (c, (h, w)) = (self.scale.len(), self.info.modality.image_size().unwrap_or((1, sample.len())));
        let plane = h * w;
        let value = |i: usize| {
            let (mean, deviation) = self.scale[i % c];
            f64::from(sample[i % c * plane + i / c] * deviation + mean)
        };
        let values: Vec<f64> = (0..c * plane).map(value).collect();
        let bytes = corrupted(&values, c, (h, w), &self.by, h as f64 / CAMERA as f64, draws);
        let back = |i: usize| {
            let (channel, pixel) = (i / plane, i % plane);
            let (mean, deviation) = self.scale[channel];
            (f32::from(bytes[pixel * c + channel]) / 255.0 - mean) / deviation
        };
        (0..c * plane).map(back).collect()
    }
}

/// The picture of a file, shifted; grey ones get three channels first.
pub fn picture(image: DynamicImage, by: &Shift, draws: &mut dyn Draws) -> DynamicImage {
    let rgb = image.into_rgb8();
    let (w, h) = rgb.dimensions();
    let values: Vec<f64> = rgb.as_raw().iter().map(|&b| f64::from(b) / 255.0).collect();
    let bytes = corrupted(&values, 3, (h as usize, w as usize), by, 1.0, draws);
    // There are as many bytes as before.
    RgbImage::from_raw(w, h, bytes).map_or_else(|| DynamicImage::ImageRgb8(rgb), DynamicImage::ImageRgb8)
}

/// The draws of a sample: its own, whatever was made before.
pub fn draws(by: &Shift, info: &DatasetInfo, r: &SampleRef) -> Rng {
    let domain = info.domains.get(r.domain as usize).map_or("", |d| d.name.as_str());
    let subset = match r.subset {
        Subset::Normal => "normal",
        Subset::Anomalous => "anomalous",
        Subset::Reference => "reference",
    };
    let axes = [
        ("purpose", "shift"),
        ("family", by.family.word()),
        ("corruption", by.corruption.word()),
        ("severity", &by.severity.to_string()),
        ("dataset", info.name.as_str()),
        ("domain", domain),
        ("subset", subset),
        ("index", &r.index.to_string()),
    ];
    stream(0, &axes)
}

/// Bytes of values `[height, width, channels]` in 0 … 1, shifted.
fn corrupted(
    values: &[f64],
    channels: usize,
    size: (usize, usize),
    by: &Shift,
    scale: f64,
    draws: &mut dyn Draws,
) -> Vec<u8> {
    let byte = |v: &f64| (v.clamp(0.0, 1.0) * 255.0).round() as u8;
    let shifted = match by.family {
        Family::ImagenetC => imagenet_c::apply(by.corruption, by.severity, (values, channels, size), scale, draws),
        Family::CifarC => {
            let bytes: Vec<u8> = values.iter().map(byte).collect();
            let corruption = corruptions::find(by.corruption.word());
            return corruption.map_or(bytes.clone(), |c| c.with_draws(&bytes, usize::from(by.severity), draws));
        }
    };
    // Whoever made the shift has checked that its family has the corruption.
    corruptions::bytes(&shifted.unwrap_or_else(|| values.to_vec()))
}

impl<H: Holds> Dataset for Shifted<H> {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn identity(&self, domain: usize) -> Option<String> {
        let first = self.info.domains.len() / 2;
        match domain.checked_sub(first) {
            None => self.inner.held().identity(domain),
            Some(clean) => {
                Some(format!("{}, shift {} of {}", self.inner.held().identity(clean)?, self.by, self.by.family))
            }
        }
    }

    fn gather(&self, refs: &[SampleRef]) -> Result<Samples> {
        let placed: Vec<(SampleRef, bool)> = refs.iter().map(|r| self.clean(r)).collect();
        let of = |wanted: bool| placed.iter().filter(|p| p.1 == wanted).map(|p| p.0).collect::<Vec<_>>();
        let (clean, shifted) = (of(false), of(true));
        if shifted.is_empty() {
            return self.inner.held().gather(&clean);
        }
        if clean.is_empty() {
            return self.shifted(&shifted);
        }
        let (clean, shifted) = (self.inner.held().gather(&clean)?, self.shifted(&shifted)?);
        let (a, b, d) = (clean.to_f32(), shifted.to_f32(), clean.dim());
        let (mut a, mut b) = (a.chunks_exact(d), b.chunks_exact(d));
        let mut values = Vec::with_capacity(refs.len() * d);
        for (_, is_shifted) in &placed {
            values.extend_from_slice(if *is_shifted { &mut b } else { &mut a }.next().unwrap_or_default());
        }
        Ok(Samples::new(clean.shape().to_vec(), Values::F32(values)))
    }

    fn masks(&self, refs: &[SampleRef]) -> Result<Option<Masks>> {
        self.inner.held().masks(&self.all_clean(refs))
    }

    fn listed_references(&self, domain: usize) -> Option<&[SampleRef]> {
        self.inner.held().listed_references(domain)
    }

    fn sample_name(&self, sample: &SampleRef) -> Option<String> {
        self.inner.held().sample_name(&self.clean(sample).0)
    }

    fn tags(&self, refs: &[SampleRef]) -> Result<Tags> {
        self.inner.held().tags(&self.all_clean(refs))
    }

    fn source_row(&self, sample: &SampleRef) -> Option<u32> {
        self.inner.held().source_row(&self.clean(sample).0)
    }
}
