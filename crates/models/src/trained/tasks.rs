//! The batches of meta-training: tasks, each a majority of one domain's normals followed by its outliers.

use candle_core::{Device, Tensor};
use rand::RngExt;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use zsad_core::params::All;
use zsad_core::rng::stream;
use zsad_core::{DatasetInfo, Error, FitContext, Fold, OrWord, ParamProblem, Result};
use zsad_data::sampler::{OutlierSource, TaskProtocol, TaskSampler};
use zsad_nn::train::Tasks;

use super::dihedral::{TaskAugment, variant};
use super::hyperparams::{OutlierChoice, OutlierDraw, OutlierParams, TaskParams};
use super::spec::{Backbone, NetworkSpec};

/// What a step's tasks are made of.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskSettings {
    /// Tasks in a step.
    pub tasks: usize,
    /// Normals in a task.
    pub normals: usize,
    /// Outliers in a task.
    pub outliers: usize,
    source: Source,
    permute_columns: bool,
    domains: Option<usize>,
    /// What makes more domains of one.
    pub augment: TaskAugment,
    /// Domains that are held out of the tasks.
    pub held_out: usize,
    /// Samples of the published task, where this one has fewer.
    published: Option<usize>,
}

/// Where a task's outliers come from.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Source {
    /// From the data set.
    Drawn(OutlierSource),
    /// The task's own normals, with Gaussian noise of this standard deviation added.
    Noise(f64),
}

impl OutlierParams {
    /// The source; with `genuine`, an automatic one is the domains' genuine anomalies.
    fn settle(&mut self, network: &NetworkSpec, genuine: bool) -> Source {
        if self.outliers == OutlierChoice::Auto {
            self.outliers = match network.backbone {
                _ if genuine => OutlierChoice::Genuine,
                Backbone::FeatureSvdd => OutlierChoice::SyntheticNoise,
                _ => OutlierChoice::OtherDomains,
            };
        }
        match self.outliers {
            OutlierChoice::None => Source::Drawn(OutlierSource::None),
            OutlierChoice::Genuine => Source::Drawn(OutlierSource::Genuine),
            OutlierChoice::SyntheticNoise => Source::Noise(self.noise_sigma),
            OutlierChoice::OtherDomains | OutlierChoice::Auto => Source::Drawn(match self.outlier_draw {
                OutlierDraw::Samples => OutlierSource::OtherDomains,
                OutlierDraw::Domains => OutlierSource::OtherDomainsEqually,
            }),
        }
    }
}

impl TaskParams {
    /// A mistake that needs no data to be seen.
    ///
    /// # Errors
    /// Where a share of outliers is given that there are none for.
    pub fn check(&self) -> Result<(), ParamProblem> {
        match self.train_contamination {
            Some(share) if share > 0.0 && self.outliers.outliers == OutlierChoice::None => Err(ParamProblem {
                name: "train_contamination".into(),
                message: format!("`train_contamination: {share}` has no effect with `outliers: none`"),
                hint: "leave one of the two out".into(),
            }),
            _ => Ok(()),
        }
    }

    /// The tasks, with the published values of `network` where nothing is said: turned by `augment`, of all domains but
    /// `held_out`.
    ///
    /// An automatic task is made smaller where fewer than nine of ten domains could fill it; with `genuine`, automatic
    /// outliers are genuine anomalies.
    ///
    /// # Errors
    /// [`Error::Config`] where a task would have no majority of normals.
    pub fn settle(
        &mut self,
        network: &NetworkSpec,
        info: &DatasetInfo,
        fold: &Fold,
        genuine: bool,
        augment: TaskAugment,
        held_out: usize,
    ) -> Result<TaskSettings> {
        let published = network.published();
        let source = self.outliers.settle(network, genuine);
        let none = source == Source::Drawn(OutlierSource::None);
        let share = if none { 0.0 } else { self.train_contamination.unwrap_or(published.contamination) };
        let automatic = || automatic_size(published.task_batch, share, source, info, fold);
        let total = *self.task_batch.get_or_insert_with(automatic);
        self.train_contamination = Some(share);
        // The small term mends products such as 30 · (1 − 0.9) that fall just below a whole number.
        let normals = (total as f64 * (1.0 - share) + 1e-9).floor() as usize;
        if normals < 2 || normals < total - normals {
            return Err(Error::Config(format!(
                "a task of {total} samples with {share} outliers has {normals} normals: they must be a majority, and two at least"
            )));
        }
        let rows = network.backbone == Backbone::Mlp && network.input.len() == 1;
        Ok(TaskSettings {
            tasks: self.tasks,
            normals,
            outliers: total - normals,
            source,
            permute_columns: *self.permute_columns.get_or_insert(rows),
            domains: self.domains.number(),
            augment,
            held_out,
            published: Some(published.task_batch).filter(|&n| n > total),
        })
    }
}

impl TaskSettings {
    /// So many tasks of so many normals and outliers, for methods that adapt to some of the normals.
    pub fn few_shot(
        tasks: usize,
        [normals, outliers]: [usize; 2],
        source: &mut OutlierParams,
        domains: OrWord<All>,
        network: &NetworkSpec,
    ) -> Self {
        let (source, domains) = (source.settle(network, false), domains.number());
        let (augment, held_out, published) = (TaskAugment::None, 0, None);
        TaskSettings { tasks, normals, outliers, source, permute_columns: false, domains, augment, held_out, published }
    }

    /// As notes for the record.
    pub fn notes(&self) -> Vec<(String, String)> {
        let source = match self.source {
            Source::Noise(sigma) => format!("synthetic noise, standard deviation {sigma}"),
            Source::Drawn(OutlierSource::OtherDomains) => "other domains".into(),
            Source::Drawn(OutlierSource::OtherDomainsEqually) => "other domains, each as often".into(),
            Source::Drawn(OutlierSource::Genuine) => "genuine anomalies".into(),
            Source::Drawn(OutlierSource::None) => "none".into(),
        };
        let published = self.published.map(|n| format!(" (published: of {n})")).unwrap_or_default();
        vec![
            ("tasks".into(), format!("{} of {} + {}{published}", self.tasks, self.normals, self.outliers)),
            ("outliers".into(), source),
            ("permute_columns".into(), self.permute_columns.to_string()),
        ]
    }
}

/// `published`, or the largest task that nine of ten meta-train domains can fill.
fn automatic_size(published: usize, share: f64, source: Source, info: &DatasetInfo, fold: &Fold) -> usize {
    let room = |d: &usize| {
        let domain = &info.domains[*d];
        let by_normals = domain.normal as f64 / (1.0 - share);
        match source {
            Source::Drawn(OutlierSource::Genuine) if share > 0.0 => by_normals.min(domain.anomalous as f64 / share),
            _ => by_normals,
        }
    };
    let mut rooms: Vec<usize> = fold.meta_train.iter().map(|d| room(d) as usize).collect();
    rooms.sort_unstable();
    rooms.get(rooms.len() / 10).map_or(published, |&most| published.min(most))
}

/// Draws the steps of a fit.
pub(crate) struct TaskSource<'a> {
    ctx: &'a FitContext<'a>,
    sampler: TaskSampler<'a>,
    settings: &'a TaskSettings,
    shape: Vec<usize>,
}

impl<'a> TaskSource<'a> {
    /// A source of `settings` for the data set and seed of `ctx`.
    ///
    /// # Errors
    /// [`Error::Refused`] where the domains cannot fill a task.
    pub fn new(ctx: &'a FitContext<'a>, settings: &'a TaskSettings) -> Result<Self> {
        let (outliers, source) = match settings.source {
            Source::Noise(_) => (0, OutlierSource::None),
            Source::Drawn(source) => (settings.outliers, source),
        };
        let TaskSettings { domains, held_out, .. } = *settings;
        let protocol = TaskProtocol { domains, held_out, ..TaskProtocol::new(settings.normals, outliers, source) };
        if let Some(published) = settings.published.filter(|n| n / 10 > settings.normals + settings.outliers) {
            let (name, n) = (&ctx.data.info().name, settings.normals + settings.outliers);
            tracing::warn!("{name}: tasks of {n} samples, less than a tenth of the published {published}");
        }
        let sampler = TaskSampler::new(ctx.data.info(), ctx.data.fold(), protocol, ctx.seed)?;
        Ok(TaskSource { ctx, sampler, settings, shape: ctx.data.info().modality.shape() })
    }

    /// The number of domains that tasks come from.
    pub fn domains(&self) -> usize {
        self.sampler.train_domains().len() * self.settings.augment.variants()
    }

    /// The names of the domains that are held out.
    pub fn held_out(&self) -> impl Iterator<Item = &str> {
        self.sampler.held_out().iter().map(move |&d| self.ctx.data.info().domains[d].name.as_str())
    }

    /// Batch number `number` to validate on, `[n, shape…]`, of a task's size, with its labels; see
    /// [`TaskSampler::validation`].
    ///
    /// # Errors
    /// Where a data file is damaged.
    pub fn validation(&self, number: usize, device: &Device) -> zsad_nn::Result<(Tensor, Vec<bool>)> {
        let task = self.sampler.validation(number, self.settings.normals + self.settings.outliers);
        let labels = (0..task.normals.len() + task.outliers.len()).map(|i| i >= task.normals.len()).collect();
        let refs = [task.normals, task.outliers].concat();
        let values = self.ctx.data.gather(&refs)?.to_f32().into_owned();
        Ok((Tensor::from_vec(values, [&[refs.len()], self.shape.as_slice()].concat(), device)?, labels))
    }

    /// The tasks of step `step`, in each the normals first.
    ///
    /// # Errors
    /// Where a data file is damaged.
    pub fn step(&self, step: u64, device: &Device) -> zsad_nn::Result<Tasks> {
        let (tasks, normals, outliers) = (self.settings.tasks, self.settings.normals, self.settings.outliers);
        let parts: Vec<Vec<f32>> =
            (0..tasks).into_par_iter().map(|index| self.task(step, index)).collect::<Result<_>>()?;
        let labels: Vec<bool> = (0..normals + outliers).map(|i| i >= normals).collect();
        let parts: Vec<_> = parts.iter().map(|x| (x.as_slice(), labels.as_slice())).collect();
        Tasks::stack(&self.shape, &parts, device)
    }

    fn task(&self, step: u64, index: usize) -> Result<Vec<f32>> {
        let task = self.sampler.task(step, index);
        let refs: Vec<_> = task.normals.into_iter().chain(task.outliers).collect();
        let mut values = self.ctx.data.gather(&refs)?.to_f32().into_owned();
        let stream = |purpose| {
            let (step, index) = (step.to_string(), index.to_string());
            stream(self.ctx.seed, &[("purpose", purpose), ("step", &step), ("index", &index)])
        };
        let d: usize = self.shape.iter().product();
        if let (TaskAugment::RotateFlip, &[_, side, _]) = (self.settings.augment, self.shape.as_slice()) {
            let k = stream("task_variant").random_range(0..self.settings.augment.variants());
            values = values.chunks(side * side).flat_map(|plane| variant(plane, side, k)).collect();
        }
        if let Source::Noise(sigma) = self.settings.source {
            let mut rng = stream("synthetic_noise");
            let noise = zsad_nn::Init::Normal(0.0, sigma).draw(&[self.settings.outliers * d], &mut rng);
            // Outlier i is a noisy copy of normal i, from the start again where there are more outliers.
            let copies = values.clone().into_iter().cycle().zip(noise).map(|(x, e)| x + e);
            values.extend(copies);
        }
        if self.settings.permute_columns {
            let mut order: Vec<usize> = (0..d).collect();
            order.shuffle(&mut stream("permute_columns"));
            values = values.chunks(d).flat_map(|row| order.iter().map(|&j| row[j])).collect();
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests;
