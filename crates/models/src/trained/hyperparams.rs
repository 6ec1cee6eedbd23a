//! The parameters that trained methods share, in groups, and how those that are left to the data are settled.
//!
//! Settling fills what is empty in place and returns what training works with; settled parameters settle to themselves.

use zsad_core::params::All;
use zsad_core::{Choice, DatasetInfo, Error, Fold, Modality, OrWord, Result};
use zsad_nn::ParamStore;
use zsad_nn::optim::{AdamConfig, StepLr};
use zsad_nn::train::Updater;

use super::dihedral::TaskAugment;
use super::spec::{Backbone, HeadKind, NetworkSpec, Norm, NormPosition};
use super::tasks::TaskSettings;
use super::validation::ValidationParams;

zsad_core::choices! {
    /// The parameter `network`.
    pub enum NetworkChoice {
        /// By the data's shape.
        Auto = "auto",
        /// See [`Backbone::Mlp`].
        Mlp = "mlp",
        /// See [`Backbone::OmniglotCnn`].
        OmniglotCnn = "omniglot_cnn",
        /// See [`Backbone::Cnn4`].
        Cnn4 = "cnn4",
        /// See [`Backbone::FeatureSvdd`].
        FeatureSvdd = "feature_svdd",
    }
}

zsad_core::choices! {
    /// How outliers are drawn from other domains.
    pub enum OutlierDraw {
        /// Uniformly over samples, without replacement.
        Samples = "samples",
        /// Domain first, then sample, with replacement.
        Domains = "domains",
    }
}

zsad_core::choices! {
    /// The parameter `outliers`.
    pub enum OutlierChoice {
        /// By the network.
        Auto = "auto",
        /// Normals of other domains.
        OtherDomains = "other_domains",
        /// Genuine anomalies of the domain.
        Genuine = "genuine",
        /// Normals with noise.
        SyntheticNoise = "synthetic_noise",
        /// None.
        None = "none",
    }
}

zsad_core::params! {
    /// A network's sizes and norm.
    pub struct Sizes {
        /// widths of the hidden layers, or the filters of a CNN; auto: as published
        pub hidden: Option<Vec<usize>> = None, in 1..=1 << 16;
        /// dimensions of the embedding
        pub latent: usize = 32, in 1..;
        /// batch_stats: the batch's own statistics at test time; running: those of the training; others per sample
        pub norm: Norm = Norm::BatchStats;
        /// layers that have it; the others keep its gain and offset
        pub norm_position: NormPosition = NormPosition::All;
    }
}

zsad_core::params! {
    /// A network.
    pub struct NetworkParams {
        /// auto: mlp for rows and images below 16 pixels, feature_svdd for feature vectors, cnn4 for 32×32, else omniglot_cnn
        pub network: NetworkChoice = NetworkChoice::Auto;
        /// its sizes
        pub sizes: Sizes = Sizes::default();
    }
}

zsad_core::params! {
    /// Adam with a stepwise learning rate.
    pub struct Schedule {
        /// training steps; auto: as published for the network
        pub steps: Option<u64> = None, in 1..;
        /// Adam's learning rate; auto: as published for the network
        pub lr: Option<f64> = None, in 0.0..;
        /// steps after which the rate is multiplied by lr_gamma; auto: as published
        pub lr_step: Option<u64> = None, in 1..;
        /// factor of the learning rate; auto: as published
        pub lr_gamma: Option<f64> = None, in 0.0..=1.0;
        /// L2 penalty, added to the gradient as in torch's Adam
        pub weight_decay: f64 = 0.0, in 0.0..;
        /// largest norm of the whole gradient; 0: not clipped
        pub grad_clip: f64 = 0.0, in 0.0..;
    }
}

zsad_core::params! {
    /// Where outliers come from.
    pub struct OutlierParams {
        /// where a task's outliers come from; auto: synthetic_noise with feature_svdd, else other_domains
        pub outliers: OutlierChoice = OutlierChoice::Auto;
        /// from other_domains; samples: uniformly, without replacement; domains: a domain, then a sample, with replacement,
        /// as released for images (the two are one where domains are equally large)
        pub outlier_draw: OutlierDraw = OutlierDraw::Samples;
        /// standard deviation of synthetic_noise, added to normals
        pub noise_sigma: f64 = 0.1, in 0.0..;
    }
}

zsad_core::params! {
    /// The tasks of a step.
    pub struct TaskParams {
        /// tasks in a training step
        pub tasks: usize = 32, in 1..;
        /// samples in a task; auto: as published, or what the smallest domain allows
        pub task_batch: Option<usize> = None, in 2..;
        /// share of outliers in a task; auto: as published for the network
        pub train_contamination: Option<f64> = None, in 0.0..=0.9;
        /// their outliers
        pub outliers: OutlierParams = OutlierParams::default();
        /// give each training task its own random order of the columns; auto: with mlp on rows
        pub permute_columns: Option<bool> = None;
        /// use only so many meta-train domains, or all
        pub domains: OrWord<All> = OrWord::default(), in 1..;
    }
}

zsad_core::params! {
    /// Meta-training.
    pub struct MetaTraining {
        /// its steps
        pub schedule: Schedule = Schedule::default();
        /// their tasks
        pub tasks: TaskParams = TaskParams::default();
        /// rotate_flip: square images are turned and mirrored, a task's all alike, so that each domain is eight
        pub task_augment: TaskAugment = TaskAugment::None;
        /// the choice of the step
        pub validation: ValidationParams = ValidationParams::default();
    }
}

zsad_core::params! {
    /// Training on the pooled normals of all meta-train domains; the published numbers of a method are its defaults.
    pub struct PooledParams {
        /// passes over the pooled normals of the meta-train domains
        pub epochs: u64 = 1, in 1..;
        /// samples in a mini-batch
        pub batch: usize = 2, in 2..;
        /// Adam's learning rate
        pub lr: f64 = 1e-3, in 0.0..;
        /// epochs after which the learning rate is divided by ten
        pub lr_milestones: Vec<u64> = Vec::new(), in 1..;
        /// L2 penalty, added to the gradient
        pub weight_decay: f64 = 0.0, in 0.0..;
        /// use only so many meta-train domains, or all
        pub domains: OrWord<All> = OrWord::default(), in 1..;
    }
}

impl PooledParams {
    /// The learning rate in an epoch, counted from 0.
    pub fn rate(&self, epoch: u64) -> f64 {
        let passed = self.lr_milestones.iter().filter(|&&m| m <= epoch).count();
        self.lr * 0.1f64.powi(passed as i32)
    }
}

impl NetworkParams {
    /// The defaults with a norm that keeps running statistics.
    pub fn running() -> Self {
        NetworkParams { sizes: Sizes { norm: Norm::Running, ..Sizes::default() }, ..NetworkParams::default() }
    }

    /// The network for samples of `info`, for codes that are for `head`.
    ///
    /// # Errors
    /// [`Error::Refused`] where it wants images and there are none, or has no place for its norm.
    pub fn settle(&mut self, info: &DatasetInfo, head: HeadKind) -> Result<NetworkSpec> {
        let backbone = match (Backbone::from_word(self.network.word()), &info.modality) {
            (Some(network @ (Backbone::OmniglotCnn | Backbone::Cnn4)), Modality::Tabular { .. }) => {
                return Err(Error::refused(format!("network {network} needs images, and {} has rows", info.name)));
            }
            (Some(network), _) => network,
            (None, &Modality::Image { height, width, .. }) => match (height, width) {
                (h, w) if h.min(w) < 16 => Backbone::Mlp,
                (32, 32) => Backbone::Cnn4,
                _ => Backbone::OmniglotCnn,
            },
            (None, &Modality::Tabular { dim, features }) if features || dim >= 1024 => Backbone::FeatureSvdd,
            (None, Modality::Tabular { .. }) => Backbone::Mlp,
        };
        // Every word of the one is a word of the other.
        self.network = NetworkChoice::from_word(backbone.word()).unwrap_or_default();
        self.sizes.settle(backbone, info, head)
    }
}

impl Sizes {
    /// A network of `backbone` for samples of `info`, for codes that are for `head`.
    ///
    /// # Errors
    /// [`Error::Refused`] where it has no place for its norm.
    pub fn settle(&mut self, backbone: Backbone, info: &DatasetInfo, head: HeadKind) -> Result<NetworkSpec> {
        let input = info.modality.shape();
        let d: usize = input.iter().product();
        let hidden = match (self.hidden.take().filter(|widths| !widths.is_empty()), backbone) {
            (Some(given), _) => given,
            (None, Backbone::Mlp) => vec![128; 3],
            (None, Backbone::OmniglotCnn) => vec![64; 4],
            (None, Backbone::Cnn4) => vec![128; 4],
            (None, Backbone::FeatureSvdd) => [512, 256, 128, 64, 32].into_iter().filter(|&w| w < d.max(33)).collect(),
        };
        self.hidden = Some(hidden.clone());
        if self.norm == Norm::Instance && matches!(backbone, Backbone::Mlp | Backbone::FeatureSvdd) {
            return Err(Error::refused("instance norm needs a convolutional network: each channel over space"));
        }
        Ok(NetworkSpec {
            backbone,
            input,
            hidden,
            latent: self.latent,
            norm: self.norm,
            norm_position: self.norm_position,
            style: head,
        })
    }
}

impl Schedule {
    /// Training steps of `network`; the published number where none is given.
    pub fn steps(&self, network: &NetworkSpec) -> u64 {
        self.steps.unwrap_or(network.published().steps)
    }

    /// The learning rate of `network`; the published one where none is given.
    pub fn rate(&self, network: &NetworkSpec) -> StepLr {
        let published = network.published();
        StepLr {
            base: self.lr.unwrap_or(published.lr),
            every: self.lr_step.unwrap_or(published.lr_step),
            gamma: self.lr_gamma.unwrap_or(published.lr_gamma),
        }
    }

    /// Says what it would else leave to `network`.
    pub fn settle(&mut self, network: &NetworkSpec) {
        let StepLr { base, every, gamma } = self.rate(network);
        (self.lr, self.lr_step, self.lr_gamma) = (Some(base), Some(every), Some(gamma));
        self.steps = Some(self.steps(network));
    }

    /// What updates `store`.
    pub fn updater(&self, store: &ParamStore) -> zsad_nn::Result<Updater> {
        let adam = AdamConfig { weight_decay: self.weight_decay, ..AdamConfig::default() };
        Updater::new(store, adam, Some(self.grad_clip).filter(|&c| c > 0.0))
    }

    /// As notes for the record.
    pub fn notes(&self, network: &NetworkSpec) -> Vec<(String, String)> {
        let StepLr { base, every, gamma } = self.rate(network);
        let schedule = format!("{base} × {gamma} every {every} steps");
        vec![("steps".into(), self.steps(network).to_string()), ("lr".into(), schedule)]
    }
}

impl MetaTraining {
    /// Settles steps and tasks for `network`, and says what the tasks are.
    ///
    /// # Errors
    /// [`Error::Config`] where a task would have no majority of normals; [`Error::Refused`] where samples that are no
    /// square images are to be turned.
    pub fn settle(&mut self, network: &NetworkSpec, info: &DatasetInfo, fold: &Fold) -> Result<TaskSettings> {
        self.task_augment.check(info)?;
        self.schedule.settle(network);
        let domains = self.tasks.domains.number().map_or(fold.meta_train.len(), |n| n.min(fold.meta_train.len()));
        // One domain to look at and two that are each other's outliers.
        let held_out = if domains < 3 { 0 } else { network.published().held_out };
        let held_out = *self.validation.validation_domains.get_or_insert(held_out);
        self.tasks.settle(network, info, fold, false, self.task_augment, held_out)
    }
}
