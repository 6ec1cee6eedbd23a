//! Internal contrastive learning: a window of a row's features against the rest of the same row.

use candle_core::{D, Tensor};
use zsad_core::{
    DatasetInfo, Error, Kind, Method, MethodDef, MethodSpec, Needs, ParamDefault, ParamSpec, Params, Result, Setting,
};
use zsad_nn::nets::{Mlp, MlpConfig};
use zsad_nn::{Pass, params::Builder};

use crate::network::{Backbone, NetworkSpec, Norm, Style};
use crate::pooled::{Pooled, PooledMethod, Step, batch, decay, epochs, lr, milestones};
use crate::settings::*;
use crate::trained::Model;

/// The registry's entry.
pub const DEF: Icl = Icl;

/// InfoNCE between every window of k consecutive features and its complement, among the windows of one row;
/// see [`DEF`].
pub struct Icl;

static SPEC: MethodSpec = MethodSpec {
    name: "icl",
    version: 1,
    summary: "pooled training to tell which window of features completes a row, no adaptation; score: that loss",
    citation: "Shenkar, Wolf: Anomaly Detection for Tabular Data with Internal Contrastive Learning, ICLR 2022",
    setting: Setting::ZeroShot,
    needs: Needs { image: false, ..Needs::ANY },
    params: &[
        int(
            "window",
            1,
            ParamDefault::Auto,
            "features in a window; auto: 2 up to 40 features, 10 up to 160, else d − 150",
        ),
        widths("hidden", &[200], "hidden widths of the two encoders, each linear and ReLU"),
        int("latent", 1, ParamDefault::Int(128), "dimensions of the codes"),
        epochs(100),
        batch(64),
        lr(1e-3),
        milestones(&[]),
        decay(0.0),
        DOMAINS,
        ParamSpec { default: ParamDefault::Float(0.01), ..TEMPERATURE },
        float(
            "stop_loss",
            f64::INFINITY,
            ParamDefault::Auto,
            "end once an epoch's mean loss is below; auto: 0.001, or 0.01 above 40 features",
        ),
    ],
};

impl MethodDef for Icl {
    fn spec(&self) -> &'static MethodSpec {
        &SPEC
    }

    fn build(&self, params: &Params) -> Result<Box<dyn Method>> {
        Ok(Box::new(PooledMethod { spec: &SPEC, params: params.clone(), network, build, amsgrad: false }))
    }
}

fn network(params: &Params, info: &DatasetInfo) -> Result<NetworkSpec> {
    let Kind::Tabular { dim } = info.kind else {
        return Err(Error::refused("icl contrasts the features of rows, and these are images"));
    };
    let window = window(params, dim);
    if dim < 3 || window >= dim {
        return Err(Error::refused(format!(
            "a window of {window} leaves nothing of {dim} features to contrast it with"
        )));
    }
    Ok(NetworkSpec {
        backbone: Backbone::Mlp,
        input: vec![dim],
        hidden: params.ints("hidden").iter().map(|&w| w as usize).collect(),
        latent: params.size("latent"),
        norm: Norm::None,
        style: Style::Plain,
    })
}

/// The published rule.
fn window(params: &Params, d: usize) -> usize {
    let rule = match d {
        ..=40 => 2,
        41..=160 => 10,
        _ => d - 150,
    };
    params.opt_int("window").map_or(rule, |k| k as usize)
}

struct Contrast {
    /// Of the windows.
    inner: Mlp,
    /// Of what is outside them.
    outer: Mlp,
    d: usize,
    window: usize,
    temperature: f64,
    stop: f64,
}

fn build(params: &Params, spec: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<Box<dyn Pooled>> {
    let d = spec.input[0];
    let window = window(params, d);
    let encoder = |d| MlpConfig::plain(d, &spec.hidden, spec.latent, true);
    let inner = Mlp::new(&mut b.scope("inner"), &encoder(window))?;
    let outer = Mlp::new(&mut b.scope("outer"), &encoder(d - window))?;
    let stop = params.opt_float("stop_loss").unwrap_or(if d > 40 { 1e-2 } else { 1e-3 });
    Ok(Box::new(Contrast { inner, outer, d, window, temperature: params.float("temperature"), stop }))
}

impl Contrast {
    /// Unit codes `[n, windows, latent]` of the columns that `of` picks for each window.
    fn codes(&self, net: &Mlp, x: &Tensor, of: impl Fn(usize, usize) -> bool) -> zsad_nn::Result<Tensor> {
        let (n, windows) = (x.dims()[0], self.d - self.window + 1);
        let columns: Vec<u32> = (0..windows)
            .flat_map(|w| (0..self.d).filter(|&j| of(w, j)).map(|j| j as u32).collect::<Vec<_>>())
            .collect();
        let width = columns.len() / windows;
        let columns = Tensor::new(columns, x.device())?;
        let parts = x.contiguous()?.index_select(&columns, 1)?.reshape((n * windows, width))?;
        let z = net.forward(&parts, Pass::train(1))?;
        let norm = z.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?.maximum(1e-12)?;
        Ok(z.broadcast_div(&norm)?.reshape((n, windows, ()))?)
    }

    /// InfoNCE of every row, averaged over its windows: `[n]`.
    fn losses(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        let inside = |w: usize, j: usize| (w..w + self.window).contains(&j);
        let inner = self.codes(&self.inner, x, inside)?;
        let outer = self.codes(&self.outer, x, |w, j| !inside(w, j))?;
        let similarity = (inner.matmul(&outer.t()?.contiguous()?)? / self.temperature)?;
        let own = ((inner * outer)?.sum(D::Minus1)? / self.temperature)?;
        Ok((similarity.log_sum_exp(D::Minus1)? - own)?.mean(D::Minus1)?)
    }
}

impl Model for Contrast {
    fn scores(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        self.losses(x)
    }
}

impl Pooled for Contrast {
    fn loss(&self, x: &Tensor, _: Step) -> zsad_nn::Result<Tensor> {
        Ok(self.losses(x)?.mean(D::Minus1)?)
    }

    fn stop_below(&self) -> Option<f64> {
        Some(self.stop)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::golden::{assert_close, built, params, perceptron, wave};

    /// ```python
    /// f, g = mlp(2, [4], 3, final=False, norm=False), mlp(3, [4], 3, final=False, norm=False)
    /// fill([*f.parameters(), *g.parameters()])
    /// for row in wave(4, 5):
    ///     a = torch.stack([row[i:i + 2] for i in range(4)])
    ///     b = torch.stack([torch.cat([row[:i], row[i + 2:]]) for i in range(4)])
    ///     logits = F.normalize(f(a), dim=1) @ F.normalize(g(b), dim=1).T / 0.1
    ///     print(F.cross_entropy(logits, torch.arange(4)))
    /// ```
    #[test]
    fn losses_are_those_of_torch() {
        let spec = perceptron(5, &[4], 3, Norm::None, Style::Plain);
        let (_, model) = built(build, &params(&SPEC, json!({"temperature": 0.1})), &spec);
        assert_close(&model.scores(&wave(&[4, 5])).unwrap(), &[2.56827334, 4.47125696, 4.03780736, 5.00979666]);
    }

    #[test]
    fn the_window_follows_the_published_rule() {
        let auto = Params::defaults(SPEC.params);
        assert_eq!([6, 40, 41, 160, 161, 570].map(|d| window(&auto, d)), [2, 2, 10, 10, 11, 420]);
    }
}
