//! Features of a frozen backbone, computed once and kept on disk, memory-mapped.
//!
//! One file holds all samples of one domain for one (domain, backbone and its weights, layers, reduction,
//! preprocessing); its name is the hash of these, so that experiments on different domains of a data set share files. Methods ask for the samples of a batch and get slices of the mapped
//! files; images are read in small batches and never all at once. Features do not depend on the batch they were
//! computed in: batch norms use running statistics here. For `batch_stats`, run [`Backbone::features`] on the batch.

mod file;
pub mod patches;

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;
use zsad_core::{Dataset, Error, Kind, Pool, Progress, Result, SampleRef, key};

use crate::backbones::{Backbone, BackboneKind, LayerShape, NormMode};
use file::{DomainFile, Header};

/// Images that go through the backbone at once: enough to keep it busy, few enough to stay small.
const BATCH: usize = 16;
/// Images are enlarged bilinearly to at least so many pixels a side: the least that every backbone takes.
const LEAST_SIDE: usize = 32;
/// How long to wait for another run that computes the same features before computing them here as well.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// What is kept of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// The whole map, `[channels, height, width]`.
    Map,
    /// Its mean over space, `[channels, 1, 1]`.
    Mean,
}

/// Which features.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FeatureSpec {
    /// The network.
    pub backbone: BackboneKind,
    /// Its layers, 1 …; the order in which they are handed out.
    pub layers: Vec<usize>,
    /// What is kept of each.
    pub reduction: Reduction,
}

/// Features of the samples of some domains.
#[derive(Debug)]
pub struct FeatureStore {
    shapes: Vec<LayerShape>,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Files(HashMap<u32, Arc<DomainFile>>),
    Memory { index: HashMap<SampleRef, usize>, values: Vec<f32> },
}

/// One sample's features.
#[derive(Debug, Clone, Copy)]
pub struct Features<'a> {
    shapes: &'a [LayerShape],
    values: &'a [f32],
}

impl<'a> Features<'a> {
    /// Layer number `i` of the spec: its shape and its values as `[channels, height, width]`.
    ///
    /// # Panics
    /// Where the spec has fewer layers (a mistake of the caller).
    pub fn layer(&self, i: usize) -> (LayerShape, &'a [f32]) {
        let start = self.shapes[..i].iter().map(LayerShape::len).sum::<usize>();
        (self.shapes[i], &self.values[start..start + self.shapes[i].len()])
    }

    /// All layers in their order.
    pub fn layers(self) -> impl Iterator<Item = (LayerShape, &'a [f32])> {
        (0..self.shapes.len()).map(move |i| self.layer(i))
    }

    /// The values of all layers, one after the other.
    pub fn values(&self) -> &'a [f32] {
        self.values
    }
}

impl FeatureStore {
    /// Features for `refs`. With a `cache` folder the domains of `refs` are computed whole (unless they lie there
    /// already) and mapped; without one, `refs` alone are computed and kept in memory. Weights come from
    /// [`crate::backbones::data_folder`].
    ///
    /// Call it outside of parallel iterators: it works on the current rayon pool, and may wait for another run.
    ///
    /// # Errors
    /// [`Error::Refused`] where the samples are no images; [`Error::Data`] where weights or images are missing or
    /// damaged, or the cache cannot be written; [`Error::Config`] for a layer that the network does not have.
    pub fn open(
        dataset: &dyn Dataset,
        refs: &[SampleRef],
        spec: &FeatureSpec,
        cache: Option<&Path>,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let Kind::Image { channels: 1 | 3, height, width } = dataset.info().kind else {
            return Err(Error::refused(format!("{} takes images of 1 or 3 channels", spec.backbone)));
        };
        let backbone = Backbone::shared(spec.backbone, NormMode::Running)?;
        let mut shapes = backbone.layer_shapes(&spec.layers, height.max(LEAST_SIDE), width.max(LEAST_SIDE))?;
        if spec.reduction == Reduction::Mean {
            shapes.iter_mut().for_each(|s| (s.height, s.width) = (1, 1));
        }
        let job = Job { dataset, spec, backbone: &backbone, progress };
        let source = match cache {
            Some(folder) => Source::Files(job.domains(refs, folder)?),
            None => {
                let mut values = Vec::with_capacity(refs.len() * shapes.iter().map(LayerShape::len).sum::<usize>());
                job.compute(refs, "", |sample| {
                    values.extend_from_slice(sample);
                    Ok(())
                })?;
                Source::Memory { index: refs.iter().enumerate().map(|(i, r)| (*r, i)).collect(), values }
            }
        };
        Ok(FeatureStore { shapes, source })
    }

    /// The layers' shapes, in the order of the spec.
    pub fn shapes(&self) -> &[LayerShape] {
        &self.shapes
    }

    /// The features of one of the samples that the store was opened for.
    ///
    /// # Errors
    /// [`Error::Failed`] for a sample of another domain, or without a cache any other sample.
    pub fn get(&self, sample: SampleRef) -> Result<Features<'_>> {
        let len = self.shapes.iter().map(LayerShape::len).sum::<usize>();
        let values = match &self.source {
            Source::Files(files) => files.get(&sample.domain).and_then(|file| file.sample(sample)),
            Source::Memory { index, values } => index.get(&sample).map(|i| &values[i * len..(i + 1) * len]),
        };
        let values = values.ok_or_else(|| Error::failed(format!("no features were computed for {sample:?}")))?;
        Ok(Features { shapes: &self.shapes, values })
    }
}

/// What is needed to compute features.
struct Job<'a> {
    dataset: &'a dyn Dataset,
    spec: &'a FeatureSpec,
    backbone: &'a Backbone,
    progress: &'a dyn Progress,
}

impl Job<'_> {
    /// The files of all domains in `refs`. A domain that another run is computing is put off, not waited for, as long
    /// as there are others to do.
    fn domains(&self, refs: &[SampleRef], folder: &Path) -> Result<HashMap<u32, Arc<DomainFile>>> {
        let mut files = HashMap::new();
        let mut wanted: Vec<u32> = refs.iter().map(|r| r.domain).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut queue: VecDeque<u32> = wanted.into();
        let mut waiting = Instant::now();
        while let Some(domain) = queue.pop_front() {
            let header = self.header(domain)?;
            let path = folder.join("features").join(format!("{}.bin", key::key(&header.identity)));
            let force = waiting.elapsed() > PATIENCE;
            let make = |sink: &mut dyn FnMut(&[f32]) -> Result<()>| {
                let name = &self.dataset.info().domains[domain as usize].name;
                self.compute(&header.samples(domain), name, sink)
            };
            match file::open_or_make(&path, &header, force, make)? {
                Some(file) => {
                    files.insert(domain, file);
                    waiting = Instant::now();
                }
                None => {
                    queue.push_back(domain);
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        }
        Ok(files)
    }

    /// What identifies the features of `domain`.
    fn header(&self, domain: u32) -> Result<Header> {
        let info = self.dataset.info();
        let Some(about) = info.domains.get(domain as usize) else {
            return Err(Error::failed(format!("{} has no domain {domain}", info.name)));
        };
        let Kind::Image { height, width, .. } = info.kind else {
            return Err(Error::refused(format!("{} takes images", self.spec.backbone)));
        };
        let (tall, wide) = (height.max(LEAST_SIDE), width.max(LEAST_SIDE));
        let mut header = Header {
            identity: json!(null),
            pools: [Pool::Normal, Pool::Anomalous, Pool::Reference].map(|pool| about.size(pool) as u64),
            values: self.backbone.layer_shapes(&self.spec.layers, tall, wide)?.iter().map(|s| self.kept(s)).sum(),
        };
        let content = match self.dataset.identity(domain as usize) {
            Some(identity) => identity,
            None => self.hash_of_samples(&header.samples(domain))?,
        };
        header.identity = json!({
            "samples": content, "pools": header.pools, "image": [height, width],
            "spec": self.spec, "weights": self.backbone.digest(), "preprocessing": 1,
        });
        Ok(header)
    }

    fn kept(&self, shape: &LayerShape) -> u64 {
        match self.spec.reduction {
            Reduction::Map => shape.len() as u64,
            Reduction::Mean => shape.channels as u64,
        }
    }

    fn hash_of_samples(&self, refs: &[SampleRef]) -> Result<String> {
        let mut hasher = blake3::Hasher::new();
        for batch in refs.chunks(BATCH) {
            for value in self.dataset.gather(batch)?.to_f32().iter() {
                hasher.update(&value.to_le_bytes());
            }
        }
        Ok(hasher.finalize().to_hex().to_string())
    }

    /// Hands the features of each of `refs`, in order, to `sink`.
    fn compute(&self, refs: &[SampleRef], name: &str, mut sink: impl FnMut(&[f32]) -> Result<()>) -> Result<()> {
        let mut sample = Vec::new();
        for (number, batch) in refs.chunks(BATCH).enumerate() {
            self.progress.tick((number * BATCH) as u64, refs.len() as u64, &format!("features {name}"));
            let images = self.dataset.gather(batch)?;
            let &[channels, height, width] = images.shape() else {
                return Err(Error::refused(format!("{} takes images, not {:?}", self.spec.backbone, images.shape())));
            };
            let mut values = images.to_f32();
            let (tall, wide) = (height.max(LEAST_SIDE), width.max(LEAST_SIDE));
            if (tall, wide) != (height, width) {
                let planes = LayerShape { channels: batch.len() * channels, height, width };
                values = patches::resize_bilinear(planes, &values, tall, wide).into();
            }
            let plane = tall * wide;
            // Gray images are shown to all three channels.
            let rgb: Vec<f32> = match channels {
                1 => values.chunks_exact(plane).flat_map(|p| [p, p, p]).flatten().copied().collect(),
                _ => values.into_owned(),
            };
            let maps = self.backbone.features(&rgb, tall, wide, &self.spec.layers)?;
            for i in 0..batch.len() {
                sample.clear();
                for map in &maps {
                    let values = &map.values[i * map.shape.len()..(i + 1) * map.shape.len()];
                    match self.spec.reduction {
                        Reduction::Map => sample.extend_from_slice(values),
                        Reduction::Mean => {
                            let plane = map.shape.height * map.shape.width;
                            let mean = |p: &[f32]| (p.iter().map(|&v| f64::from(v)).sum::<f64>() / plane as f64) as f32;
                            sample.extend(values.chunks_exact(plane).map(mean));
                        }
                    }
                }
                sink(&sample)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
