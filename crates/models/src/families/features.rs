//! The methods on features of images, which a frozen backbone makes: which features, how they are had, and how a method
//! is adapted to a support set once and scores batches from then on.

mod selection;
mod summed;
mod view;
mod weighted;

use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use zsad_backbones::features::{FeatureSpec, FeatureStore, Reduction};
use zsad_backbones::{Backbone, BackboneKind, NormMode};
use zsad_core::{
    AbnormalReferences, Batch, DatasetInfo, Detector, Environment, Error, FitContext, FitReport, Fold, Given, Masks,
    Method, MethodDef, MethodSpec, Operators, ParamProblem, ParamSet, ParamSpec, Placement, Progress, Result, SampleId,
    SampleSource, Scores, Shots, Silent, State, Supervision,
};

pub(crate) use selection::{FewShotFeatures, FitTo, InBatchFeatures, Selection, named};
pub(crate) use summed::Summed;
pub(crate) use view::View;
#[cfg(test)]
pub(crate) use view::testing;
pub use weighted::weighted;
use zsad_core::params::{All, Both};

/// A method on image features; `self` is its parameters beside the [`Selection`].
pub(crate) trait FeatureMethod: ParamSet {
    /// How it names backbone and layers.
    type Selection: Selection;
    /// What a fit gives.
    type Detector: FeatureDetector;
    /// What is kept of a layer.
    const REDUCTION: Reduction = Reduction::Map;
    /// What it trains and scores with, on the device that was asked for; none: it does not train.
    const OPERATORS: Operators = Operators::NONE;
    /// See [`MethodDef::control`].
    const CONTROL: Option<&'static str> = None;
    /// Whether, without references, it scores each image by itself and never looks at the batch.
    const ALONE: bool = false;

    /// See [`Method::takes_abnormal_shots`].
    const TAKES_ABNORMAL_SHOTS: bool = false;

    /// Settles what is left open.
    fn settle(&mut self) {}

    /// Refuses parameters that make no sense together, saying why.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// Normal references of the target that it wants.
    fn shots(&self, selection: &Self::Selection) -> Shots {
        selection.shots()
    }

    /// Whether, with these parameters, it trains.
    fn learns(&self) -> bool {
        Self::OPERATORS != Operators::NONE
    }

    /// The layers whose features it wants, in its own order.
    fn layers(&self, selection: &Self::Selection) -> Vec<usize> {
        selection.layers()
    }

    /// Files beside the network's weights that its numbers depend on; see [`Method::artifacts`].
    fn artifacts(&self, _selection: &Self::Selection, _env: &Environment) -> Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    /// A detector, trained if the method trains; everything is settled.
    fn fit(&self, selected: &Selected, ctx: &FitContext) -> Result<Self::Detector>;

    /// The detector that left `state`.
    fn restore(&self, _: &State, _: &Environment) -> Result<Self::Detector> {
        Err(Error::failed("this method has no trained state"))
    }
}

/// A detector that is adapted to a support set and then scores batches.
pub(crate) trait FeatureDetector: Send + Sync + 'static {
    /// What it keeps of a support set.
    type Support: Send + Sync;

    /// The work that depends on the support set alone.
    fn adapt(&self, support: &View) -> Result<Self::Support>;

    /// The same beside labelled anomalies of the target with their masks.
    fn adapt_beside(&self, support: &View, _anomalies: &View, _masks: &Masks) -> Result<Self::Support> {
        self.adapt(support)
    }

    /// The scores of a batch.
    fn score(&self, support: &Self::Support, batch: &View) -> Result<Scores>;

    /// See [`Detector::state`].
    fn state(&self) -> Result<Option<State>> {
        Ok(None)
    }

    /// See [`Detector::report`].
    fn report(&self) -> FitReport {
        FitReport::default()
    }
}

/// Backbone and features, settled.
#[derive(Debug, Clone)]
pub(crate) struct Selected {
    pub backbone: BackboneKind,
    pub spec: FeatureSpec,
    pub shots: Shots,
}

impl Selected {
    /// The network, read once an environment.
    pub fn network(&self, env: &Environment) -> Result<Arc<Backbone>> {
        let path = Backbone::weights_file(self.backbone, &env.data)?;
        env.memo.get_or_make(&path.to_string_lossy(), || {
            Backbone::from_tensors(self.backbone, NormMode::Running, &zsad_nn::weights::read(&path)?, &path)
        })
    }

    /// The features of `ids`; see [`FeatureStore::open`].
    pub fn open(
        &self,
        source: &dyn SampleSource,
        ids: &[SampleId],
        env: &Environment,
        progress: &dyn Progress,
    ) -> Result<FeatureStore> {
        FeatureStore::open(source, ids, &self.spec, &*self.network(env)?, env, progress)
    }

    /// The features of a batch or of a support set.
    pub fn view<'a>(&self, batch: &'a Batch<'a>) -> Result<View<'a>> {
        let ids = batch.ids();
        View::new(batch, self.open(batch.source(), &ids, batch.env(), &Silent)?, ids)
    }
}

/// The entry of a method on image features in the registry.
pub struct Features<M> {
    spec: &'static MethodSpec,
    method: PhantomData<fn() -> M>,
}

impl<M> Features<M> {
    pub(crate) const fn new(spec: &'static MethodSpec) -> Self {
        Features { spec, method: PhantomData }
    }
}

/// A method with all of its parameters.
#[derive(Clone)]
struct Configured<M: FeatureMethod>(Both<M::Selection, M>);

impl<M: FeatureMethod> MethodDef for Features<M> {
    fn spec(&self) -> &'static MethodSpec {
        self.spec
    }

    fn params(&self) -> Vec<ParamSpec> {
        Both::<M::Selection, M>::specs()
    }

    fn supervision(&self) -> Supervision {
        Configured::<M>(Both::default()).supervision()
    }

    fn control(&self) -> Option<&'static str> {
        M::CONTROL
    }

    fn placement(&self) -> Placement {
        Placement { features: true, operators: M::OPERATORS }
    }

    fn configure(&self, given: &Given) -> Result<Arc<dyn Method>, Vec<ParamProblem>> {
        let Both(selection, method) = Both::<M::Selection, M>::parse(given)?;
        let backbone = selection.backbone();
        if let Some(layer) = selection.layers().into_iter().find(|&layer| layer > backbone.layers()) {
            let message = format!("{backbone} has layers 1 to {}, not {layer}", backbone.layers());
            return Err(vec![ParamProblem::combination(message)]);
        }
        method.check().map_err(|message| vec![ParamProblem::combination(message)])?;
        Ok(Arc::new(Configured(Both(selection, method))))
    }
}

impl<M: FeatureMethod> Configured<M> {
    fn settled(&self) -> Self {
        let mut settled = self.clone();
        settled.0.0.settle();
        settled.0.1.settle();
        settled
    }

    fn selected(&self) -> Selected {
        let Both(selection, method) = &self.0;
        let spec = FeatureSpec { layers: method.layers(selection), reduction: M::REDUCTION };
        Selected { backbone: selection.backbone(), spec, shots: method.shots(selection) }
    }

    fn detector(&self, detector: M::Detector) -> Box<dyn Detector> {
        Box::new(OnFeatures { detector: Arc::new(detector), selected: self.selected(), support: None })
    }
}

impl<M: FeatureMethod> Method for Configured<M> {
    fn values(&self) -> Value {
        self.0.values()
    }

    fn resolve(&self, _: &DatasetInfo, _: &Fold) -> Result<Arc<dyn Method>> {
        Ok(Arc::new(self.settled()))
    }

    fn learns(&self) -> bool {
        self.0.1.learns()
    }

    fn shots(&self) -> Shots {
        self.0.1.shots(&self.0.0)
    }

    fn supervision(&self) -> Supervision {
        match (self.shots(), self.learns() || M::ALONE) {
            (Shots::Word(All), _) => Supervision::OneClass,
            (Shots::Number(0), true) => Supervision::ZeroShot,
            (Shots::Number(0), false) => Supervision::InBatch,
            (Shots::Number(_), _) => Supervision::FewShot,
        }
    }

    /// Without references it is adapted to the batch itself, unless it never looks at the batch.
    fn takes_labels(&self) -> bool {
        self.shots() == Shots::Number(0) && !M::ALONE
    }

    fn takes_abnormal_shots(&self) -> bool {
        M::TAKES_ABNORMAL_SHOTS
    }

    fn artifacts(&self, env: &Environment) -> Result<Vec<PathBuf>> {
        let mut files = vec![Backbone::weights_file(self.0.0.backbone(), &env.data)?];
        files.extend(self.0.1.artifacts(&self.0.0, env)?);
        Ok(files)
    }

    fn fit(&self, ctx: &FitContext) -> Result<Box<dyn Detector>> {
        let settled = self.settled();
        Ok(self.detector(settled.0.1.fit(&self.selected(), ctx)?))
    }

    fn restore(&self, state: &State, env: &Environment) -> Result<Box<dyn Detector>> {
        Ok(self.detector(self.settled().0.1.restore(state, env)?))
    }
}

/// A [`FeatureDetector`] with the features that it looks at, and with its support set once it has one.
struct OnFeatures<D: FeatureDetector> {
    detector: Arc<D>,
    selected: Selected,
    support: Option<D::Support>,
}

impl<D: FeatureDetector> Detector for OnFeatures<D> {
    fn adapt(&self, support: &Batch) -> Result<Option<Box<dyn Detector>>> {
        let support = Some(self.detector.adapt(&self.selected.view(support)?)?);
        let (detector, selected) = (self.detector.clone(), self.selected.clone());
        Ok(Some(Box::new(OnFeatures { detector, selected, support })))
    }

    fn adapt_beside(&self, support: &Batch, anomalies: &AbnormalReferences) -> Result<Option<Box<dyn Detector>>> {
        let (support, shown) = (self.selected.view(support)?, self.selected.view(&anomalies.batch)?);
        let support = Some(self.detector.adapt_beside(&support, &shown, &anomalies.masks)?);
        let (detector, selected) = (self.detector.clone(), self.selected.clone());
        Ok(Some(Box::new(OnFeatures { detector, selected, support })))
    }

    /// A method that wants no references is adapted to the batch itself.
    fn score(&self, batch: &Batch) -> Result<Scores> {
        let view = self.selected.view(batch)?;
        match &self.support {
            Some(support) => self.detector.score(support, &view),
            None => self.detector.score(&self.detector.adapt(&view)?, &view),
        }
    }

    fn state(&self) -> Result<Option<State>> {
        self.detector.state()
    }

    fn report(&self) -> FitReport {
        self.detector.report()
    }
}
