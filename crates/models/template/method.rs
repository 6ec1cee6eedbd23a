//! One sentence: what this method assumes of normal samples.

use candle_core::{D, Tensor, Var};
use zsad_core::{Method, MethodDef, MethodSpec, Needs, Params, Result, Setting};
use zsad_nn::{Init, params::Builder};

use crate::meta::{MetaMethod, Objective};
use crate::network::{Network, NetworkSpec, Phase};
use crate::settings::META;

/// The registry's entry.
pub const DEF: NewMethod = NewMethod;

/// What it does, with the equation it follows; see [`DEF`].
pub struct NewMethod;

static SPEC: MethodSpec = MethodSpec {
    name: "new_method",
    // Count up whenever its numbers may change: finished cells are then computed again.
    version: 1,
    summary: "meta-trained batch norm around a trained centre; score: distance to it",
    citation: "authors: title, venue and year",
    setting: Setting::ZeroShot,
    needs: Needs::ANY,
    // The parameters of every meta-trained method; own ones are declared like those in settings.rs.
    params: META,
};

impl MethodDef for NewMethod {
    fn spec(&self) -> &'static MethodSpec {
        &SPEC
    }

    fn build(&self, params: &Params) -> Result<Box<dyn Method>> {
        Ok(Box::new(MetaMethod { spec: &SPEC, params: params.clone(), network: NetworkSpec::resolve, build }))
    }
}

struct Distances {
    network: Network,
    centre: Var,
}

/// Registers what is trained; a checkpoint keeps it by these names.
fn build(_: &Params, spec: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<Box<dyn Objective>> {
    let network = Network::new(&mut b.scope("net"), spec)?;
    let centre = b.add("center", &[spec.latent], Init::Normal(0.0, 1.0))?;
    Ok(Box::new(Distances { network, centre }))
}

impl Objective for Distances {
    /// The loss of each sample if it is normal, which is also its score, and if it is an outlier: `[n]` each.
    fn losses(&self, x: &Tensor, phase: Phase) -> zsad_nn::Result<(Tensor, Tensor)> {
        let z = self.network.forward(x, phase)?;
        let distance = (z.broadcast_sub(&self.centre)?.sqr()?.sum(D::Minus1)? + 1e-6)?.sqrt()?;
        let inverse = distance.recip()?;
        Ok((distance, inverse))
    }
}
