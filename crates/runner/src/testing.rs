//! A registry of small things with known behaviour, for the tests of this crate.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use zsad_core::{
    AnomalySource, DataDir, Dataset, DatasetDef, DatasetSpec, Device, Error, FitContext, FitReport, Fitted, Fold, Kind,
    Method, MethodDef, MethodSpec, MetricDef, Needs, ParamDefault, ParamKind, ParamSpec, Params, Result, Samples,
    Scores, Setting, TestBatch, Values, file,
};
use zsad_data::memory::{InMemory, MemoryDomain};

use crate::registry::Registry;

/// Four domains of 30 points on a line; domain d lies around 10 d.
pub struct Line;

impl DatasetDef for Line {
    fn spec(&self) -> &'static DatasetSpec {
        &DatasetSpec {
            name: "line",
            version: 1,
            summary: "points on a line",
            citation: "none",
            files: "",
            params: &[ParamSpec {
                name: "damaged",
                doc: "fail to open, as a damaged file does",
                kind: ParamKind::Bool,
                default: ParamDefault::Bool(false),
            }],
        }
    }

    fn open(&self, params: &Params, dir: &DataDir) -> Result<Arc<dyn Dataset>> {
        if params.bool("damaged") {
            return Err(Error::data(dir.path.join("line.bin"), "cut off after 3 bytes", "fetch it again"));
        }
        let domain = |d: usize| {
            let values = (0..30).map(|i| 10.0 * d as f64 + ((i * 7) % 30) as f64 / 30.0).collect();
            MemoryDomain::normals(format!("d{d}"), Samples::new(vec![1], Values::F64(values)))
        };
        let fold = Fold { name: String::new(), meta_train: vec![0, 1], meta_test: vec![2, 3] };
        let domains = (0..4).map(domain).collect();
        Ok(Arc::new(InMemory::new("line", Kind::Tabular { dim: 1 }, domains, vec![fold], AnomalySource::OtherDomains)?))
    }
}

/// What a planted method does when it scores.
#[derive(Clone, Copy, PartialEq)]
pub enum Deed {
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
pub struct Planted {
    spec: &'static MethodSpec,
    deed: Deed,
    trains: bool,
    /// Times that `fit` trained.
    pub fits: AtomicUsize,
    /// Times that `score` was called.
    pub scores: AtomicUsize,
}

const PARAMS: &[ParamSpec] = &[
    ParamSpec { name: "k", doc: "a number", kind: ParamKind::Int { min: 1, max: 99 }, default: ParamDefault::Int(5) },
    ParamSpec {
        name: "shrinkage",
        doc: "a share",
        kind: ParamKind::Float { min: 0.0, max: 1.0 },
        default: ParamDefault::Float(0.5),
    },
];

impl Planted {
    /// A method called `name`. It is leaked, as registries live for the whole program.
    pub fn new(name: &'static str, version: u32, deed: Deed, trains: bool) -> &'static Planted {
        let spec = Box::leak(Box::new(MethodSpec {
            name,
            version,
            summary: "planted",
            citation: "none",
            setting: if trains { Setting::ZeroShot } else { Setting::InBatch },
            needs: Needs::ANY,
            params: PARAMS,
        }));
        Box::leak(Box::new(Planted { spec, deed, trains, fits: 0.into(), scores: 0.into() }))
    }

    /// How often it was trained and how often it scored.
    pub fn counts(&self) -> (usize, usize) {
        (self.fits.load(Ordering::Relaxed), self.scores.load(Ordering::Relaxed))
    }
}

impl MethodDef for &'static Planted {
    fn spec(&self) -> &'static MethodSpec {
        self.spec
    }

    fn build(&self, params: &Params) -> Result<Box<dyn Method>> {
        Ok(Box::new(Configured { planted: self, k: params.int("k") }))
    }
}

struct Configured {
    planted: &'static Planted,
    k: i64,
}

impl Method for Configured {
    fn trains(&self) -> bool {
        self.planted.trains
    }

    fn fit(&self, ctx: &FitContext) -> Result<Box<dyn Fitted>> {
        self.planted.fits.fetch_add(1, Ordering::Relaxed);
        ctx.progress.tick(1, 1, "trained");
        Ok(Box::new(Detector { planted: self.planted, shift: (self.k as u64 + ctx.seed) as f64 }))
    }

    fn load(&self, path: &Path, _device: Device) -> Result<Box<dyn Fitted>> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, &e))?;
        let shift = text.parse().map_err(|_| Error::data(path, "not a number", ""))?;
        Ok(Box::new(Detector { planted: self.planted, shift }))
    }
}

struct Detector {
    planted: &'static Planted,
    shift: f64,
}

impl Fitted for Detector {
    fn score(&self, batch: &TestBatch) -> Result<Scores> {
        self.planted.scores.fetch_add(1, Ordering::Relaxed);
        let values = batch.samples()?.to_f64().into_owned();
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let median = sorted[sorted.len() / 2];
        let mut scores: Vec<f64> = values.iter().map(|v| (v - median).abs() + self.shift).collect();
        match self.planted.deed {
            Deed::Score => {}
            Deed::Panic => panic!("planted panic at {}", self.shift),
            Deed::Nan => scores[1] = f64::NAN,
            Deed::TooFew => drop(scores.pop()),
            Deed::Refuse => return Err(Error::refused("planted refusal")),
        }
        Ok(scores.into())
    }

    fn save(&self, path: &Path) -> Result<()> {
        file::write(path, self.shift.to_string().as_bytes())
    }

    fn report(&self) -> FitReport {
        FitReport { loss: vec![(1, 0.5)], parameters: 1, notes: vec![] }
    }
}

/// A registry of [`Line`], `methods`, and AUROC and AP.
pub fn registry(methods: &[&'static Planted]) -> Registry {
    registry_with(methods, &["auroc", "aupr"])
}

/// The same with these metrics.
pub fn registry_with(methods: &[&'static Planted], metrics: &[&str]) -> Registry {
    let methods: Vec<&'static dyn MethodDef> =
        methods.iter().map(|&m| &*Box::leak(Box::new(m)) as &'static dyn MethodDef).collect();
    let metrics: Vec<&'static dyn MetricDef> = metrics.iter().filter_map(|m| zsad_metrics::find(m)).collect();
    Registry { datasets: &[&Line], methods: methods.leak(), metrics: metrics.leak() }
}
