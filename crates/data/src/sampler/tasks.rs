//! Training tasks: a majority of one meta-train domain, and outliers.

use rand::RngExt;
use rand::seq::SliceRandom;
use zsad_core::rng::stream;
use zsad_core::{DatasetInfo, Error, Fold, Result, SampleRef, Subset};

use super::Candidates;

/// Where a task's outliers come from. Synthetic noise is made by the method, from `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutlierSource {
    /// Normals of the other meta-train domains, uniformly over their samples.
    OtherDomains,
    /// The same, but the domain first, uniformly, and then its sample, with replacement.
    OtherDomainsEqually,
    /// The domain's own genuine anomalies.
    Genuine,
    /// No outliers.
    None,
}

/// What a task is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskProtocol {
    /// Normals of one domain in a task.
    pub normals: usize,
    /// Outliers in a task.
    pub outliers: usize,
    /// Where the outliers come from.
    pub source: OutlierSource,
    /// Use only so many meta-train domains, chosen at random by the seed; `None`: all.
    pub domains: Option<usize>,
    /// So many of these are held out of the tasks, chosen at random by the seed, for [`TaskSampler::validation`].
    pub held_out: usize,
}

impl TaskProtocol {
    /// Tasks of so many samples from all meta-train domains.
    pub fn new(normals: usize, outliers: usize, source: OutlierSource) -> Self {
        TaskProtocol { normals, outliers, source, domains: None, held_out: 0 }
    }
}

/// One training task (episode).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The domain of the majority.
    pub domain: usize,
    /// Different normals of that domain.
    pub normals: Vec<SampleRef>,
    /// Outliers, different but where they are drawn with replacement.
    pub outliers: Vec<SampleRef>,
}

/// Draws training tasks from the meta-train domains of a fold.
pub struct TaskSampler<'a> {
    info: &'a DatasetInfo,
    fold: &'a Fold,
    protocol: TaskProtocol,
    seed: u64,
    domains: Vec<usize>,
    held_out: Vec<usize>,
    normals: Candidates,
}

impl<'a> TaskSampler<'a> {
    /// A sampler of `protocol`. Meta-train domains that are too small for a task are left out, with a warning.
    ///
    /// # Errors
    /// [`Error::Refused`] where no domain is large enough, `protocol.domains` exceeds the number of domains, all domains
    /// would be held out, or the other domains hold too few outliers.
    pub fn new(info: &'a DatasetInfo, fold: &'a Fold, protocol: TaskProtocol, seed: u64) -> Result<Self> {
        let genuine = if protocol.source == OutlierSource::Genuine { protocol.outliers } else { 0 };
        let mut domains = fold.meta_train.clone();
        domains.sort_unstable();
        domains.retain(|&d| {
            let this = &info.domains[d];
            let enough = this.normal >= protocol.normals && this.anomalous >= genuine;
            if !enough {
                tracing::warn!(
                    "{}: domain `{}` is left out of training: a task wants {} normals and {genuine} genuine anomalies, \
                     and it has {} and {}",
                    info.name,
                    this.name,
                    protocol.normals,
                    this.normal,
                    this.anomalous
                );
            }
            enough
        });
        let refused = |why: String| Err(Error::refused(format!("{}: {why}", info.name)));
        if domains.is_empty() {
            return refused(format!(
                "no meta-train domain holds the {} normals and {genuine} genuine anomalies of a training task",
                protocol.normals
            ));
        }
        let axes = |purpose| [("purpose", purpose), ("dataset", info.name.as_str()), ("fold", fold.name.as_str())];
        if let Some(n) = protocol.domains {
            if n == 0 || n > domains.len() {
                return refused(format!("{n} meta-train domains wanted, and {} can be used", domains.len()));
            }
            domains.shuffle(&mut stream(seed, &axes("train_domains")));
            domains.truncate(n);
            domains.sort_unstable();
        }
        if protocol.held_out >= domains.len() {
            let (n, have) = (protocol.held_out, domains.len());
            return refused(format!("{n} meta-train domains are to be held out of training, and {have} can be used"));
        }
        let mut order = domains.clone();
        order.shuffle(&mut stream(seed, &axes("validation_domains")));
        let held_out = order[..protocol.held_out].to_vec();
        domains.retain(|d| !held_out.contains(d));
        let normals = Candidates::new(domains.iter().map(|&d| (d, info.domains[d].normal)), Subset::Normal);
        if matches!(protocol.source, OutlierSource::OtherDomains | OutlierSource::OtherDomainsEqually) {
            for &d in &domains {
                let others = normals.total - info.domains[d].normal;
                if others < protocol.outliers {
                    return refused(format!(
                        "a training task wants {} outliers from other meta-train domains, and beside `{}` there are {others}",
                        protocol.outliers, info.domains[d].name
                    ));
                }
            }
        }
        Ok(TaskSampler { info, fold, protocol, seed, domains, held_out, normals })
    }

    /// The domains that are held out of the tasks.
    pub fn held_out(&self) -> &[usize] {
        &self.held_out
    }

    /// Batch number `number` to validate on: normals of a held-out domain, each in turn, and normals of the domains of
    /// the tasks as its anomalies, a tenth of `size` samples and one at least. A small domain gives fewer normals.
    pub fn validation(&self, number: usize, size: usize) -> Task {
        let domain = self.held_out[number % self.held_out.len()];
        let have = self.info.domains[domain].normal;
        let anomalies = (size / 10).clamp(1, self.normals.total);
        let mut rng = stream(
            self.seed,
            &[
                ("purpose", "validation"),
                ("dataset", &self.info.name),
                ("fold", &self.fold.name),
                ("index", &number.to_string()),
            ],
        );
        let normals = size.saturating_sub(anomalies).min(have);
        let normals = Candidates::new([(domain, have)], Subset::Normal).draw(&mut rng, normals);
        Task { domain, normals, outliers: self.normals.draw(&mut rng, anomalies) }
    }

    /// The meta-train domains that tasks come from, ascending.
    pub fn train_domains(&self) -> &[usize] {
        &self.domains
    }

    /// Task number `index` of training step `step`: its domain is uniform over [`Self::train_domains`].
    pub fn task(&self, step: u64, index: usize) -> Task {
        let info = self.info;
        let (step, index) = (step.to_string(), index.to_string());
        let mut rng = stream(
            self.seed,
            &[
                ("purpose", "task"),
                ("dataset", &info.name),
                ("fold", &self.fold.name),
                ("step", &step),
                ("index", &index),
            ],
        );
        let domain = self.domains[rng.random_range(0..self.domains.len())];
        let this = &info.domains[domain];
        let normals = Candidates::new([(domain, this.normal)], Subset::Normal).draw(&mut rng, self.protocol.normals);
        let wanted = self.protocol.outliers;
        let outliers = match self.protocol.source {
            OutlierSource::OtherDomains => self.normals.draw_outside(&mut rng, wanted, domain),
            OutlierSource::OtherDomainsEqually => {
                let others: Vec<usize> = self.domains.iter().copied().filter(|&d| d != domain).collect();
                let draw = |_| {
                    let d = others[rng.random_range(0..others.len())];
                    let index = rng.random_range(0..info.domains[d].normal) as u32;
                    SampleRef { domain: d as u32, subset: Subset::Normal, index }
                };
                (0..wanted).map(draw).collect()
            }
            OutlierSource::Genuine => {
                Candidates::new([(domain, this.anomalous)], Subset::Anomalous).draw(&mut rng, wanted)
            }
            OutlierSource::None => Vec::new(),
        };
        Task { domain, normals, outliers }
    }
}
