//! A trained method: a struct of parameters that settles, builds a network and trains it. What all of them share is here.

use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use zsad_core::rng::{Rng, stream};
use zsad_core::{
    DatasetInfo, Detector, Device, Environment, Error, FitContext, FitReport, Fold, Given, Method, MethodDef,
    MethodSpec, Operator, ParamProblem, ParamSet, ParamSpec, Placement, Result, Shots, State, Supervision,
};
use zsad_nn::ParamStore;

use super::detector::{Model, Trained};
use super::official;
use super::spec::NetworkSpec;

/// What a training comes to: its loss curve, and facts for the record.
pub type Outcome = (Vec<(u64, f64)>, Vec<(String, String)>);

/// The fact in a fit's record that says which operators were computed how.
pub const OPERATORS_NOTE: &str = "operators";

/// How a family of methods trains.
pub trait Train: 'static {
    /// The parameters.
    type Params: ParamSet;
    /// What is trained.
    type Model: Model;
    /// What training works with beside the parameters.
    type Plan;

    /// A mistake in the parameters that needs no data to be seen.
    ///
    /// # Errors
    /// What is wrong with which of them.
    fn check(_params: &Self::Params) -> Result<(), ParamProblem> {
        Ok(())
    }

    /// Gives every parameter the value that it will truly have on such data; settled ones keep theirs.
    ///
    /// # Errors
    /// [`Error::Refused`] where the method does not apply to such data; [`Error::Config`] where parameters make no sense
    /// on it.
    fn settle(params: &mut Self::Params, info: &DatasetInfo, fold: &Fold) -> Result<(NetworkSpec, Self::Plan)>;

    /// Builds the model from settled parameters, registering what is trained in the empty `store`.
    fn build(
        params: &Self::Params,
        network: &NetworkSpec,
        store: &mut ParamStore,
        rng: &mut Rng,
    ) -> zsad_nn::Result<Self::Model>;

    /// Trains it.
    ///
    /// # Errors
    /// [`Error::Refused`] where there are too few data; [`Error::Failed`] where the training diverges.
    fn train(
        params: &Self::Params,
        plan: Self::Plan,
        network: &NetworkSpec,
        store: &ParamStore,
        model: &Self::Model,
        ctx: &FitContext,
    ) -> Result<Outcome>;

    /// See [`MethodDef::control`].
    const CONTROL: Option<&'static str> = None;

    /// See [`Method::shots`].
    fn shots(_params: &Self::Params) -> Shots {
        Shots::Number(0)
    }

    /// See [`Method::takes_labels`]: whether a sample's score depends on the batch that it stands in.
    const TAKES_LABELS: bool = false;
}

/// The entry in the registry of a method that trains as `T` says.
pub struct TrainedDef<T> {
    spec: &'static MethodSpec,
    train: PhantomData<fn() -> T>,
}

impl<T: Train> TrainedDef<T> {
    /// The entry with this description.
    pub const fn new(spec: &'static MethodSpec) -> Self {
        TrainedDef { spec, train: PhantomData }
    }
}

struct Configured<T: Train> {
    spec: &'static MethodSpec,
    params: T::Params,
}

impl<T: Train> MethodDef for TrainedDef<T> {
    fn spec(&self) -> &'static MethodSpec {
        self.spec
    }

    fn params(&self) -> Vec<ParamSpec> {
        T::Params::specs()
    }

    fn supervision(&self) -> Supervision {
        Configured::<T> { spec: self.spec, params: T::Params::default() }.supervision()
    }

    fn control(&self) -> Option<&'static str> {
        T::CONTROL
    }

    fn placement(&self) -> Placement {
        Placement { features: false, operators: T::Model::OPERATORS.and(&[Operator::Adam]) }
    }

    fn configure(&self, given: &Given) -> Result<Arc<dyn Method>, Vec<ParamProblem>> {
        let params = T::Params::parse(given)?;
        T::check(&params).map_err(|problem| vec![problem])?;
        Ok(Arc::new(Configured::<T> { spec: self.spec, params }))
    }
}

impl<T: Train> Configured<T> {
    /// An empty store on `device` with the model of `network`, its weights drawn from `seed`.
    fn fresh(
        &self,
        params: &T::Params,
        network: &NetworkSpec,
        device: Device,
        seed: u64,
    ) -> Result<(ParamStore, T::Model)> {
        let mut store = ParamStore::on(device)?;
        let mut rng = stream(seed, &[("purpose", "init"), ("method", self.spec.name)]);
        let model = T::build(params, network, &mut store, &mut rng)?;
        Ok((store, model))
    }
}

impl<T: Train> Method for Configured<T> {
    fn values(&self) -> Value {
        self.params.values()
    }

    fn resolve(&self, info: &DatasetInfo, fold: &Fold) -> Result<Arc<dyn Method>> {
        let mut params = self.params.clone();
        T::settle(&mut params, info, fold)?;
        Ok(Arc::new(Configured::<T> { spec: self.spec, params }))
    }

    fn learns(&self) -> bool {
        true
    }

    fn shots(&self) -> Shots {
        T::shots(&self.params)
    }

    fn takes_labels(&self) -> bool {
        T::TAKES_LABELS && self.shots() == Shots::Number(0)
    }

    fn fit(&self, ctx: &FitContext) -> Result<Box<dyn Detector>> {
        let mut params = self.params.clone();
        let (network, plan) = T::settle(&mut params, ctx.data.info(), ctx.data.fold())?;
        let (store, model) = self.fresh(&params, &network, ctx.env.device, ctx.seed)?;
        let before = store.snapshot()?;
        let (loss, facts) = T::train(&params, plan, &network, &store, &model, ctx)?;
        let network_notes =
            vec![("network".into(), network.describe()), (OPERATORS_NOTE.into(), store.describe_operators())];
        let notes = [network_notes, facts].concat();
        let moved = Some(store.moved_from(&before)?);
        let report = FitReport { loss, parameters: store.count() as u64, notes, moved };
        Ok(Box::new(Trained { network, store, model, report }))
    }

    fn restore(&self, state: &State, env: &Environment) -> Result<Box<dyn Detector>> {
        let network: NetworkSpec =
            serde_json::from_value(state.network.clone()).map_err(|e| Error::failed(format!("network: {e}")))?;
        // Every drawn value is replaced.
        let (store, model) = self.fresh(&self.params, &network, env.device, 0)?;
        store.restore(state)?;
        let report = FitReport { parameters: store.count() as u64, ..FitReport::default() };
        Ok(Box::new(Trained { network, store, model, report }))
    }

    fn import(&self, path: &Path, env: &Environment) -> Result<Box<dyn Detector>> {
        official::open(self.spec, path, env.device)
    }
}
