//! The training images: normals and anomalies of the meta-train domains, with labels and masks.

use rand::seq::SliceRandom;
use zsad_core::rng::stream;
use zsad_core::{Error, FitContext, Result, SampleId, SampleRef, Subset};

/// One image.
pub(crate) struct Image {
    /// Where its features are.
    pub id: SampleId,
    /// Whether it is an anomaly.
    pub anomalous: bool,
    sample: SampleRef,
}

/// All of them; masks are read when they are wanted.
pub(crate) struct Images<'a> {
    ctx: &'a FitContext<'a>,
    pub all: Vec<Image>,
}

impl<'a> Images<'a> {
    /// The test subsets of the meta-train domains, as the authors of such methods train on them.
    ///
    /// # Errors
    /// [`Error::Refused`] where normals or anomalies are missing.
    pub fn new(ctx: &'a FitContext<'a>) -> Result<Self> {
        let mut all = Vec::new();
        for &domain in &ctx.data.fold().meta_train {
            let about = &ctx.data.info().domains[domain];
            for (subset, anomalous) in [(Subset::Normal, false), (Subset::Anomalous, true)] {
                let samples: Vec<SampleRef> = SampleRef::all(domain, subset, about.size(subset)).collect();
                let ids = ctx.data.ids(&samples)?;
                all.extend(ids.into_iter().zip(samples).map(|(id, sample)| Image { id, anomalous, sample }));
            }
        }
        if let Some(missing) = [false, true].into_iter().find(|&kind| all.iter().all(|i: &Image| i.anomalous != kind)) {
            let missing = if missing { "anomalies" } else { "normals" };
            return Err(Error::refused(format!(
                "prompts are trained on {missing} of the meta-train domains: there are none"
            )));
        }
        Ok(Images { ctx, all })
    }

    /// Where the features of all are.
    pub fn ids(&self) -> Vec<SampleId> {
        self.all.iter().map(|image| image.id).collect()
    }

    /// For the record.
    pub fn note(&self) -> (String, String) {
        let anomalous = self.all.iter().filter(|image| image.anomalous).count();
        ("training_images".into(), format!("{} normal, {anomalous} anomalous", self.all.len() - anomalous))
    }

    /// The mini-batches of `epochs`, each epoch in an order of its own.
    pub fn batches(&self, epochs: u64, batch: usize) -> Vec<Vec<usize>> {
        let of_epoch = |epoch: u64| {
            let mut order: Vec<usize> = (0..self.all.len()).collect();
            order.shuffle(&mut stream(self.ctx.seed, &[("purpose", "epoch"), ("epoch", &epoch.to_string())]));
            order.chunks(batch).map(<[_]>::to_vec).collect::<Vec<_>>()
        };
        (0..epochs).flat_map(of_epoch).collect()
    }

    /// Where image number `i` is anomalous, pixel by pixel at the images' size; `None` of an anomaly without a mask.
    pub fn mask(&self, i: usize) -> Result<Option<Vec<f32>>> {
        let image = &self.all[i];
        if !image.anomalous {
            let (height, width) = self.size();
            return Ok(Some(vec![0.0; height * width]));
        }
        let masks = self.ctx.data.masks(&[image.sample])?;
        Ok(masks.map(|masks| masks.values.iter().map(|&v| f32::from(v > 0)).collect()))
    }

    /// Height and width of the images.
    pub fn size(&self) -> (usize, usize) {
        self.ctx.data.info().modality.image_size().unwrap_or_default()
    }
}
