//! ACR with Deep SVDD losses: every domain's majority is mapped to one learned centre.

use candle_core::{Tensor, Var};
use zsad_core::{Method, MethodDef, MethodSpec, Needs, Params, Result, Setting};
use zsad_nn::{Init, loss, params::Builder};

use crate::meta::{MetaMethod, Objective};
use crate::network::{Network, NetworkSpec, Phase};
use crate::settings::*;

/// The registry's entry.
pub const DEF: AcrDsvdd = AcrDsvdd;

/// Adaptive centered representations with d and 1/d of the squared distance d to a trained centre; see [`DEF`].
pub struct AcrDsvdd;

static SPEC: MethodSpec = MethodSpec {
    name: "acr_dsvdd",
    version: 1,
    summary: "meta-trained batch norm maps each batch's majority to one centre; score: squared distance to it",
    citation: "Li, Qiu, Kloft, Smyth, Rudolph, Mandt: Zero-Shot Anomaly Detection via Batch Normalization, NeurIPS 2023",
    setting: Setting::ZeroShot,
    needs: Needs::ANY,
    params: META,
};

impl MethodDef for AcrDsvdd {
    fn spec(&self) -> &'static MethodSpec {
        &SPEC
    }

    fn build(&self, params: &Params) -> Result<Box<dyn Method>> {
        Ok(Box::new(MetaMethod { spec: &SPEC, params: params.clone(), network: NetworkSpec::resolve, build }))
    }
}

struct Dsvdd {
    network: Network,
    centre: Var,
}

fn build(_: &Params, spec: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<Box<dyn Objective>> {
    let network = Network::new(&mut b.scope("net"), spec)?;
    let centre = b.add("center", &[spec.latent], Init::Normal(0.0, 1.0))?;
    Ok(Box::new(Dsvdd { network, centre }))
}

impl Objective for Dsvdd {
    fn losses(&self, x: &Tensor, phase: Phase) -> zsad_nn::Result<(Tensor, Tensor)> {
        loss::dsvdd(&self.network.forward(x, phase)?, &self.centre)
    }
}
