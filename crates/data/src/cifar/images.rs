//! Small colour images in memory as bytes, corrupted on first use where that is asked for.

use std::sync::OnceLock;

use rayon::prelude::*;
use zsad_core::{
    AnomalySource, Dataset, DatasetInfo, Domain, Fold, Modality, PictureGeometry, Result, SampleRef, Samples, Subset,
    Tags, Values,
};

use crate::corruptions::{Corruption, LEN, SIDE};

/// Mean and standard deviation of each channel.
pub type Scale = [(f32, f32); 3];

const PLANE: usize = SIDE * SIDE;

/// How a picture of a person's own becomes a sample.
pub fn spec(scale: Option<Scale>) -> PictureGeometry {
    let plain = PictureGeometry::stretched(3, SIDE, SIDE);
    scale.map_or(plain.clone(), |scale| PictureGeometry { scale: scale.to_vec(), ..plain })
}

/// Images of one file, each `[3, 32, 32]`.
pub enum Store {
    /// As they are.
    Plain(Vec<u8>),
    /// Corrupted, each when it is first read.
    Corrupted {
        /// The clean images.
        clean: Vec<u8>,
        /// What is done to them.
        corruption: &'static Corruption,
        /// How strongly, 1 … 5.
        severity: usize,
        /// The results so far.
        made: Vec<OnceLock<Box<[u8]>>>,
    },
}

impl Store {
    /// Images that are corrupted when they are read; image number i has the draws of index i.
    pub fn corrupted(clean: Vec<u8>, corruption: &'static Corruption, severity: usize) -> Self {
        let made = (0..clean.len() / LEN).map(|_| OnceLock::new()).collect();
        Store::Corrupted { clean, corruption, severity, made }
    }

    fn image(&self, index: usize) -> &[u8] {
        let at = index * LEN..(index + 1) * LEN;
        match self {
            Store::Plain(pixels) => &pixels[at],
            Store::Corrupted { clean, corruption, severity, made } => made[index].get_or_init(|| {
                let interleaved = interleave(&clean[at]);
                planar(&corruption.apply(&interleaved, *severity, index)).into()
            }),
        }
    }
}

/// `[3, 32, 32]` as `[32, 32, 3]`.
fn interleave(image: &[u8]) -> Vec<u8> {
    (0..LEN).map(|i| image[i % 3 * PLANE + i / 3]).collect()
}

/// `[32, 32, 3]` as `[3, 32, 32]`.
pub fn planar(image: &[u8]) -> Vec<u8> {
    (0..LEN).map(|i| image[i % PLANE * 3 + i / PLANE]).collect()
}

/// Some images of a store.
#[derive(Default)]
pub struct Pool {
    /// Which store.
    pub store: usize,
    /// Numbers of its images.
    pub images: Vec<u32>,
}

/// What the images of a domain show.
#[derive(Clone)]
pub struct Kind {
    /// The class.
    pub class: String,
    /// The number of its superclass, where there are some.
    pub superclass: Option<u8>,
}

/// The tags of images whose classes have superclasses.
pub const TAGS: &[&str] = &["class", "superclass"];

/// An opened data set of domains with normals and references.
pub struct Images {
    info: DatasetInfo,
    stores: Vec<Store>,
    pools: Vec<[Pool; 2]>,
    scale: Option<Scale>,
    /// By domain; empty where it was not said.
    kinds: Vec<Kind>,
    /// The value of each byte in each channel.
    values: [[f32; 256]; 3],
}

impl Images {
    /// A data set with one fold; `pools` holds the normals and the references of each domain.
    pub fn new(
        name: &str,
        domains: Vec<Domain>,
        fold: Fold,
        notes: Vec<(String, String)>,
        scale: Option<Scale>,
        stores: Vec<Store>,
        pools: Vec<[Pool; 2]>,
    ) -> Self {
        let value = |channel: usize, byte: usize| {
            let v = byte as f32 / 255.0;
            scale.map_or(v, |scale| (v - scale[channel].0) / scale[channel].1)
        };
        let info = DatasetInfo {
            name: name.to_owned(),
            modality: Modality::Image { channels: 3, height: SIDE, width: SIDE },
            domains,
            folds: vec![fold],
            anomalies: AnomalySource::OtherDomains,
            notes,
        };
        let values = std::array::from_fn(|c| std::array::from_fn(|b| value(c, b)));
        Images { info, stores, pools, scale, kinds: vec![], values }
    }

    /// The same with what the images of each domain show.
    pub fn with_kinds(self, kinds: Vec<Kind>) -> Self {
        Images { kinds, ..self }
    }

    fn image(&self, r: &SampleRef) -> Result<&[u8]> {
        let pool = self.pools.get(r.domain as usize).and_then(|[normal, reference]| match r.subset {
            Subset::Normal => Some(normal),
            Subset::Reference => Some(reference),
            Subset::Anomalous => None,
        });
        let found = pool.and_then(|p| Some((p.store, *p.images.get(r.index as usize)?)));
        let (store, image) = found.ok_or_else(|| self.no_sample(r))?;
        Ok(self.stores[store].image(image as usize))
    }
}

impl Dataset for Images {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn gather(&self, refs: &[SampleRef]) -> Result<Samples> {
        let images: Vec<Result<&[u8]>> = refs.par_iter().map(|r| self.image(r)).collect();
        let mut values = Vec::with_capacity(refs.len() * LEN);
        for image in images {
            for (plane, table) in image?.chunks_exact(PLANE).zip(&self.values) {
                values.extend(plane.iter().map(|&b| table[usize::from(b)]));
            }
        }
        Ok(Samples::new(self.info.modality.shape(), Values::F32(values)))
    }

    fn tags(&self, refs: &[SampleRef]) -> Result<Tags> {
        let kind = |r: &SampleRef| self.kinds.get(r.domain as usize);
        let tags = Tags::none(refs.len());
        if self.kinds.iter().all(|kind| kind.superclass.is_none()) {
            return Ok(tags);
        }
        let superclass = |r| kind(r).and_then(|kind| kind.superclass).map(f64::from);
        let class = |r| kind(r).map(|kind| kind.class.clone());
        Ok(tags.words("class", refs.iter().map(class)).numbers("superclass", refs.iter().map(superclass)))
    }

    fn pixel_scale(&self) -> Vec<(f32, f32)> {
        self.scale.map(|scale| scale.to_vec()).unwrap_or_default()
    }
}
