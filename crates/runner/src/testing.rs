//! A registry of small things with known behaviour, for the tests of this crate.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use zsad_core::{
    Accepts, AnomalySource, Array, Batch, DataDir, DataFile, Dataset, DatasetDef, DatasetInfo, DatasetSpec, Detector,
    Environment, Error, FitContext, FitReport, Fold, Given, Load, Method, MethodDef, MethodSpec, Modality,
    ParamProblem, ParamSet, ParamSpec, Result, Samples, Scores, State, Supervision, Values,
};
use zsad_data::memory::{InMemory, MemoryDomain};
use zsad_metrics::Metric;

use crate::registry::Registry;

const LINE: DatasetDef = DatasetDef::new::<Line>(&DatasetSpec {
    name: "line",
    version: 1,
    summary: "points on a line",
    citation: "none",
    files: "",
    test_params: &["shift"],
});

zsad_core::params! {
    /// Four domains of 30 points on a line; domain d lies around 10 d.
    pub struct Line {
        /// fail to open, as a damaged file does
        pub damaged: bool = false;
        /// how far the points of meta-test domains are moved
        pub shift: usize = 0, in 0..=9;
    }
}

impl Load for Line {
    fn files(&self, _: &DataDir) -> Result<Vec<DataFile>> {
        Ok(Vec::new())
    }

    fn open(&self, data: &DataDir) -> Result<Arc<dyn Dataset>> {
        if self.damaged {
            return Err(Error::data(data.path.join("line.bin"), "cut off after 3 bytes", "fetch it again"));
        }
        let domain = |d: usize| {
            let moved = if d < 2 { 0.0 } else { self.shift as f64 };
            let values = (0..30).map(|i| 10.0 * d as f64 + moved + ((i * 7) % 30) as f64 / 30.0).collect();
            MemoryDomain::normals(format!("d{d}"), Samples::new(vec![1], Values::F64(values)))
        };
        let fold = Fold { name: String::new(), meta_train: vec![0, 1], meta_test: vec![2, 3] };
        let domains = (0..4).map(domain).collect();
        Ok(Arc::new(InMemory::new("line", Modality::rows(1), domains, vec![fold], AnomalySource::OtherDomains)?))
    }
}

/// What a planted method does when it scores.
#[derive(Clone, Copy, PartialEq)]
pub enum Fault {
    /// Scores by the distance from the batch's median.
    Score,
    /// Panics.
    Panic,
    /// Returns one NaN.
    Nan,
    /// Returns a score too few.
    TooFew,
    /// Refuses.
    Refuse,
}

/// A method with a planted deed, counting what is asked of it.
pub struct FaultInjection {
    spec: &'static MethodSpec,
    fault: Fault,
    learns: bool,
    default_k: usize,
    /// Times that `fit` trained.
    pub fits: AtomicUsize,
    /// Times that `score` was called.
    pub scores: AtomicUsize,
}

zsad_core::params! {
    /// Its parameters.
    pub struct PlantedParams {
        /// a number
        pub k: usize = 5, in 1..=99;
        /// a share
        pub shrinkage: f64 = 0.5, in 0.0..=1.0;
    }
}

impl FaultInjection {
    /// A method called `name`. It is leaked, as registries live for the whole program.
    pub fn new(name: &'static str, version: u32, fault: Fault, learns: bool) -> &'static FaultInjection {
        Box::leak(Box::new(FaultInjection::of(name, version, fault, learns)))
    }

    /// One that learns and scores, and whose default of `k` is another.
    pub fn with_default(name: &'static str, default_k: usize) -> &'static FaultInjection {
        Box::leak(Box::new(FaultInjection { default_k, ..FaultInjection::of(name, 1, Fault::Score, true) }))
    }

    fn of(name: &'static str, version: u32, fault: Fault, learns: bool) -> FaultInjection {
        let (summary, citation, accepts) = ("planted", "none", Accepts::ANY);
        let spec = Box::leak(Box::new(MethodSpec { name, version, summary, citation, accepts }));
        FaultInjection { spec, fault, learns, default_k: 5, fits: 0.into(), scores: 0.into() }
    }

    /// How often it was trained and how often it scored.
    pub fn counts(&self) -> (usize, usize) {
        (self.fits.load(Ordering::Relaxed), self.scores.load(Ordering::Relaxed))
    }
}

impl MethodDef for &'static FaultInjection {
    fn spec(&self) -> &'static MethodSpec {
        self.spec
    }

    fn params(&self) -> Vec<ParamSpec> {
        PlantedParams::specs()
    }

    fn supervision(&self) -> Supervision {
        if self.learns { Supervision::ZeroShot } else { Supervision::InBatch }
    }

    fn configure(&self, given: &Given) -> Result<Arc<dyn Method>, Vec<ParamProblem>> {
        let mut params = PlantedParams::parse(given)?;
        if !given.contains_key("k") {
            params.k = self.default_k;
        }
        Ok(Arc::new(Configured { planted: self, params }))
    }
}

#[derive(Clone)]
struct Configured {
    planted: &'static FaultInjection,
    params: PlantedParams,
}

impl Method for Configured {
    fn values(&self) -> Value {
        self.params.values()
    }

    fn resolve(&self, _: &DatasetInfo, _: &Fold) -> Result<Arc<dyn Method>> {
        Ok(Arc::new(self.clone()))
    }

    fn learns(&self) -> bool {
        self.planted.learns
    }

    fn fit(&self, ctx: &FitContext) -> Result<Box<dyn Detector>> {
        self.planted.fits.fetch_add(1, Ordering::Relaxed);
        ctx.progress.tick(1, 1, "trained")?;
        Ok(Box::new(Distance { planted: self.planted, shift: (self.params.k as u64 + ctx.seed) as f32 }))
    }

    fn restore(&self, state: &State, _: &Environment) -> Result<Box<dyn Detector>> {
        let shift = state.array("shift")?.as_f32().ok_or_else(|| Error::failed("not a number"))?[0];
        Ok(Box::new(Distance { planted: self.planted, shift }))
    }
}

struct Distance {
    planted: &'static FaultInjection,
    shift: f32,
}

impl Detector for Distance {
    fn score(&self, batch: &Batch) -> Result<Scores> {
        self.planted.scores.fetch_add(1, Ordering::Relaxed);
        let values = batch.samples()?.to_f64().into_owned();
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let median = sorted[sorted.len() / 2];
        let mut scores: Vec<f64> = values.iter().map(|v| (v - median).abs() + f64::from(self.shift)).collect();
        match self.planted.fault {
            Fault::Score => {}
            Fault::Panic => panic!("planted panic at {}", self.shift),
            Fault::Nan => scores[1] = f64::NAN,
            Fault::TooFew => drop(scores.pop()),
            Fault::Refuse => return Err(Error::refused("planted refusal")),
        }
        Ok(scores.into())
    }

    fn state(&self) -> Result<Option<State>> {
        let arrays = [("shift".to_owned(), Array::single(vec![], vec![self.shift]))].into();
        Ok(self.planted.learns.then(|| State { network: serde_json::json!({}), arrays }))
    }

    fn report(&self) -> FitReport {
        FitReport { loss: vec![(1, 0.5)], parameters: 1, ..FitReport::default() }
    }
}

/// A registry of [`Line`], `methods`, and AUROC and AP.
pub fn registry(methods: &[&'static FaultInjection]) -> Registry {
    registry_with(methods, &["auroc", "aupr"])
}

/// The same with these metrics.
pub fn registry_with(methods: &[&'static FaultInjection], metrics: &[&str]) -> Registry {
    let methods: Vec<&'static dyn MethodDef> =
        methods.iter().map(|&m| &*Box::leak(Box::new(m)) as &'static dyn MethodDef).collect();
    let metrics: Vec<&'static Metric> = metrics.iter().filter_map(|m| zsad_metrics::find(m)).collect();
    Registry {
        datasets: &[&LINE],
        methods: methods.leak(),
        metrics: metrics.leak(),
        analyses: crate::analyses::ANALYSES,
    }
}
