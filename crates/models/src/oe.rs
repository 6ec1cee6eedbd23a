//! Outlier exposure without adaptation: one binary detector for all domains.

use std::path::Path;

use candle_core::{D, Tensor};
use zsad_core::{
    Device, FitContext, FitReport, Fitted, Method, MethodDef, MethodSpec, Needs, ParamDefault, ParamSpec, Params, Pool,
    Result, Setting,
};
use zsad_nn::optim::{Adam, AdamConfig, StepLr};
use zsad_nn::train::Tasks;
use zsad_nn::{loss, params::Builder};

use crate::acr_bce::Logit;
use crate::network::{NetworkSpec, Phase, Style};
use crate::pooled::update;
use crate::settings::*;
use crate::tasks::{TaskSettings, TaskSource};
use crate::trained::{LossCurve, Model, Trained, fresh, load};

/// The registry's entry.
pub const DEF: Oe = Oe;

/// Normals against exposed outliers under one binary head, with running statistics; see [`DEF`].
///
/// A sample of one domain is an outlier of another, so with outliers from other domains the labels contradict each
/// other once domains are pooled: what remains is what no domain's normals look like. That is the point of comparison.
pub struct Oe;

static SPEC: MethodSpec = MethodSpec {
    name: "oe",
    version: 1,
    summary: "pooled binary training against exposed outliers, no adaptation; score: the logit",
    citation: "Hendrycks, Mazeika, Dietterich: Deep Anomaly Detection with Outlier Exposure, ICLR 2019; binary one-class \
               form, trained with Adam",
    setting: Setting::ZeroShot,
    needs: Needs::ANY,
    params: &[
        NETWORK,
        HIDDEN,
        LATENT,
        NORM_RUNNING,
        STEPS,
        LR,
        LR_STEP,
        LR_GAMMA,
        WEIGHT_DECAY,
        GRAD_CLIP,
        ParamSpec { default: ParamDefault::Int(8), ..TASKS },
        TASK_BATCH,
        TRAIN_CONTAMINATION,
        ParamSpec {
            doc: "where outliers come from; auto: genuine where every meta-train domain has some, else as with ACR",
            ..OUTLIERS
        },
        NOISE_SIGMA,
        ParamSpec { default: ParamDefault::Bool(false), ..PERMUTE_COLUMNS },
        DOMAINS,
        float(
            "weight",
            f64::INFINITY,
            ParamDefault::Float(0.5),
            "weight of the outliers' mean loss beside the normals'",
        ),
    ],
};

impl MethodDef for Oe {
    fn spec(&self) -> &'static MethodSpec {
        &SPEC
    }

    fn build(&self, params: &Params) -> Result<Box<dyn Method>> {
        Ok(Box::new(OutlierExposure { params: params.clone() }))
    }
}

struct OutlierExposure {
    params: Params,
}

fn build(_: &Params, spec: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<Box<Logit>> {
    Ok(Box::new(Logit::new(spec, b)?))
}

impl Model for Logit {
    fn scores(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        self.forward(x, Phase::Score)
    }
}

impl Method for OutlierExposure {
    fn trains(&self) -> bool {
        true
    }

    fn fit(&self, ctx: &FitContext) -> Result<Box<dyn Fitted>> {
        let (params, info) = (&self.params, ctx.dataset.info());
        let network = NetworkSpec { style: Style::Plain, ..NetworkSpec::resolve(params, info)? };
        let training = Training::resolve(params, &network);
        let genuine = ctx.fold.meta_train.iter().all(|&d| info.domains[d].size(Pool::Anomalous) > 0);
        let settings = TaskSettings::resolve(params, &network, info, ctx.fold, genuine)?;
        let source = TaskSource::new(ctx, &settings)?;
        let (store, model) = fresh(&SPEC, build, params, &network, ctx.device, ctx.seed)?;
        let config = AdamConfig { weight_decay: training.weight_decay, ..AdamConfig::default() };
        let mut adam = Adam::new(&store, config).map_err(zsad_core::Error::from)?;
        let lr = StepLr { base: training.lr, every: training.lr_step, gamma: training.lr_gamma };
        let mut curve = LossCurve::new(training.steps);
        for step in 1..=training.steps {
            let tasks = source.step(step, store.device())?;
            let loss = exposure(&model.forward(tasks.x(), Phase::Pooled)?, &tasks, params.float("weight"))?;
            let value = update(&store, &mut adam, lr.at(step - 1), training.grad_clip, &loss)?;
            curve.push(step, value);
            ctx.progress.tick(step, training.steps, &format!("loss {value:.4}"));
        }
        let mut notes = vec![("network".into(), network.describe())];
        notes.extend(training.notes().into_iter().chain(settings.notes()));
        let report = FitReport { loss: curve.into_points(), parameters: store.count() as u64, notes };
        Ok(Box::new(Trained { spec: &SPEC, params: params.clone(), network, store, model, report }))
    }

    fn load(&self, path: &Path, device: Device) -> Result<Box<dyn Fitted>> {
        load(&SPEC, build, path, device, |_, _, _, model| model)
    }
}

/// The normals' mean −log(1 − p) plus `weight` times the outliers' mean −log p, of logits `[n]`: a scalar.
fn exposure(logits: &Tensor, tasks: &Tasks, weight: f64) -> zsad_nn::Result<Tensor> {
    let (normal, outlier) = loss::bce(logits)?;
    let share = |outliers: bool| {
        let chosen = tasks.outliers().iter().filter(|&&o| o == outliers).count().max(1) as f64;
        let of = |&o: &bool| if o == outliers { 1.0 / chosen as f32 } else { 0.0 };
        Tensor::from_iter(tasks.outliers().iter().map(of), logits.device())
    };
    let normal = (normal * share(false)?)?.sum(D::Minus1)?;
    Ok((normal + ((outlier * share(true)?)?.sum(D::Minus1)? * weight)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{assert_close, wave};

    /// ```python
    /// logits = wave(10) * 3; y = torch.tensor([False, False, False, True, True] * 2)
    /// print(F.softplus(logits[~y]).mean() + 0.5 * F.softplus(-logits[y]).mean())
    /// ```
    #[test]
    fn the_loss_is_that_of_torch() {
        let tasks = Tasks::new(wave(&[10, 3]), [false, false, false, true, true].repeat(2), 2).unwrap();
        assert_close(&exposure(&(wave(&[10]) * 3.0).unwrap(), &tasks, 0.5).unwrap(), &[1.49909528]);
    }
}
