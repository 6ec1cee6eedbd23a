//! Features of a frozen backbone, computed once and kept on disk, memory-mapped.
//!
//! One file holds all rows of one domain for one (domain, backbone and its weights, layers, reduction, preprocessing);
//! its name is the hash of these, so that experiments on different domains of a data set share files. Methods ask for
//! the samples of a batch and get slices of the mapped files; images are read in small batches and never all at once.
//! Features do not depend on the batch they were computed in: batch norms use running statistics here. For
//! `batch_stats`, run [`Backbone::features`] on the batch.

mod file;

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;
use zsad_core::{Environment, Error, Modality, Progress, Result, SampleId, SampleSource, key};

use crate::backbone::Backbone;
use crate::layer::LayerShape;
use crate::maps;
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

/// Which features of a backbone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FeatureSpec {
    /// Layers, 1 …; the order in which they are handed out.
    pub layers: Vec<usize>,
    /// What is kept of each.
    pub reduction: Reduction,
}

impl FeatureSpec {
    /// The shapes of the features of samples of `modality`, layer by layer.
    ///
    /// # Errors
    /// [`Error::Refused`] where the samples are no images; [`Error::Config`] for a layer that the network does not have.
    pub fn shapes(&self, backbone: &Backbone, modality: &Modality) -> Result<Vec<LayerShape>> {
        let Modality::Image { channels: 1 | 3, height, width } = *modality else {
            return Err(Error::refused(format!("{} takes images of 1 or 3 channels", backbone.kind())));
        };
        let mut shapes = backbone.layer_shapes(&self.layers, height.max(LEAST_SIDE), width.max(LEAST_SIDE))?;
        if self.reduction == Reduction::Mean {
            shapes.iter_mut().for_each(|s| (s.height, s.width) = (1, 1));
        }
        Ok(shapes)
    }
}

/// Features of the samples of some domains.
#[derive(Debug)]
pub struct FeatureStore {
    shapes: Vec<LayerShape>,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    Files(HashMap<u32, Arc<DomainFile>>),
    Memory { index: HashMap<SampleId, usize>, values: Vec<f32> },
}

/// One sample's features.
#[derive(Debug, Clone, Copy)]
pub struct Features<'a> {
    shapes: &'a [LayerShape],
    values: &'a [f32],
}

impl<'a> Features<'a> {
    /// Features of layers of these `shapes`, one after the other.
    ///
    /// # Panics
    /// Where there are not as many values (a mistake of the caller).
    pub fn new(shapes: &'a [LayerShape], values: &'a [f32]) -> Self {
        assert_eq!(values.len(), shapes.iter().map(LayerShape::len).sum::<usize>(), "values of {shapes:?}");
        Features { shapes, values }
    }

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
    /// Features for `ids`. With a cache folder in `env` the domains of `ids` are computed whole (unless they lie there
    /// already) and mapped; without one, `ids` alone are computed and kept in memory.
    ///
    /// Call it outside of parallel iterators: it works on the current rayon pool, and may wait for another run.
    ///
    /// # Errors
    /// [`Error::Refused`] where the samples are no images; [`Error::Data`] where images are missing or damaged, or the
    /// cache cannot be written; [`Error::Config`] for a layer that the network does not have.
    pub fn open(
        source: &dyn SampleSource,
        ids: &[SampleId],
        spec: &FeatureSpec,
        backbone: &Backbone,
        env: &Environment,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let shapes = spec.shapes(backbone, source.modality())?;
        let len = shapes.iter().map(LayerShape::len).sum::<usize>();
        let job = Job { source, spec, backbone, values: len as u64, env, progress };
        if let Some(folder) = &env.cache {
            return Ok(FeatureStore { shapes, kept: Kept::Files(job.domains(ids, folder)?) });
        }
        let mut values = Vec::with_capacity(ids.len() * len);
        job.compute(ids, "", |sample| {
            values.extend_from_slice(sample);
            Ok(())
        })?;
        Ok(FeatureStore::in_memory(shapes, ids, values))
    }

    /// Features that are there already: those of `ids`, one after the other, of layers of these `shapes`.
    pub fn in_memory(shapes: Vec<LayerShape>, ids: &[SampleId], values: Vec<f32>) -> Self {
        FeatureStore {
            shapes,
            kept: Kept::Memory { index: ids.iter().enumerate().map(|(i, id)| (*id, i)).collect(), values },
        }
    }

    /// The layers' shapes, in the order of the spec.
    pub fn shapes(&self) -> &[LayerShape] {
        &self.shapes
    }

    /// The features of one of the samples that the store was opened for.
    ///
    /// # Errors
    /// [`Error::Failed`] for a sample of another domain, or without a cache any other sample.
    pub fn get(&self, id: SampleId) -> Result<Features<'_>> {
        let len = self.shapes.iter().map(LayerShape::len).sum::<usize>();
        let values = match &self.kept {
            Kept::Files(files) => files.get(&id.domain).and_then(|file| file.row(id.row)),
            Kept::Memory { index, values } => index.get(&id).map(|i| &values[i * len..(i + 1) * len]),
        };
        let values = values.ok_or_else(|| Error::failed(format!("no features were computed for {id:?}")))?;
        Ok(Features { shapes: &self.shapes, values })
    }
}

/// What is needed to compute features.
struct Job<'a> {
    source: &'a dyn SampleSource,
    spec: &'a FeatureSpec,
    backbone: &'a Backbone,
    /// Values of one sample.
    values: u64,
    env: &'a Environment,
    progress: &'a dyn Progress,
}

impl Job<'_> {
    /// The files of all domains in `ids`. A domain that another run is computing is put off, not waited for, as long
    /// as there are others to do.
    fn domains(&self, ids: &[SampleId], folder: &Path) -> Result<HashMap<u32, Arc<DomainFile>>> {
        let mut files = HashMap::new();
        let mut wanted: Vec<u32> = ids.iter().map(|id| id.domain).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut queue: VecDeque<u32> = wanted.into();
        let mut waiting = Instant::now();
        while let Some(domain) = queue.pop_front() {
            let header = self.header(domain)?;
            let path = folder.join("features").join(format!("{}.bin", key::key(&header.identity)));
            let force = waiting.elapsed() > PATIENCE;
            let make = |sink: &mut dyn FnMut(&[f32]) -> Result<()>| {
                self.compute(&rows(domain, header.rows), self.source.domain_name(domain), sink)
            };
            match file::open_or_make(&self.env.memo, &path, &header, force, make)? {
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

    /// What identifies the features of `domain`. Its name is part of it: the order of the rows depends on it.
    fn header(&self, domain: u32) -> Result<Header> {
        let count = self.source.rows(domain) as u64;
        let content = match self.source.identity(domain) {
            Some(identity) => identity,
            None => self.hash_of_samples(&rows(domain, count))?,
        };
        let identity = json!({
            "samples": content, "domain": self.source.domain_name(domain), "rows": count,
            "image": self.source.modality().image_size(), "spec": self.spec, "backbone": self.backbone.kind(),
            "weights": self.backbone.digest(), "revision": 2,
        });
        Ok(Header { identity, rows: count, values: self.values })
    }

    fn hash_of_samples(&self, ids: &[SampleId]) -> Result<String> {
        let mut hasher = blake3::Hasher::new();
        for batch in ids.chunks(BATCH) {
            for value in self.source.gather(batch)?.to_f32().iter() {
                hasher.update(&value.to_le_bytes());
            }
        }
        Ok(hasher.finalize().to_hex().to_string())
    }

    /// Hands the features of each of `ids`, in order, to `sink`.
    fn compute(&self, ids: &[SampleId], name: &str, mut sink: impl FnMut(&[f32]) -> Result<()>) -> Result<()> {
        let mut sample = Vec::new();
        for (number, batch) in ids.chunks(BATCH).enumerate() {
            self.progress.tick((number * BATCH) as u64, ids.len() as u64, &format!("features {name}"))?;
            self.env.stop.check()?;
            let images = self.source.gather(batch)?;
            let &[channels, height, width] = images.shape() else {
                let kind = self.backbone.kind();
                return Err(Error::refused(format!("{kind} takes images, not {:?}", images.shape())));
            };
            let mut values = images.to_f32();
            let (tall, wide) = (height.max(LEAST_SIDE), width.max(LEAST_SIDE));
            if (tall, wide) != (height, width) {
                let planes = LayerShape { channels: batch.len() * channels, height, width };
                values = maps::resize_bilinear(planes, &values, tall, wide).into();
            }
            // Gray images are shown to all three channels.
            let rgb: Vec<f32> = match channels {
                1 => values.chunks_exact(tall * wide).flat_map(|p| [p, p, p]).flatten().copied().collect(),
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
                            let plane = map.shape.positions();
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

/// All `n` rows of a domain.
fn rows(domain: u32, n: u64) -> Vec<SampleId> {
    (0..n as u32).map(|row| SampleId { domain, row }).collect()
}

#[cfg(test)]
mod tests;
