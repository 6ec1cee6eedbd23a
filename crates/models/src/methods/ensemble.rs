//! The mean of what several methods say.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use zsad_core::{
    Accepts, Batch, Choice, DatasetInfo, Detector, Environment, Error, FitContext, Fold, Given, Method, MethodDef,
    MethodSpec, ParamProblem, ParamSet, ParamSpec, Placement, Result, Scores, Shots, Supervision,
};
use zsad_metrics::stats::{rank_shares, z_scores};

use member::Member;

mod member;

/// The registry's entry: each member scores the batch; its scores become ranks, or are standardised over the batch, and a sample's
/// score is their mean. Members that train are not taken: what they learn would have no place in the store.
pub const DEF: EnsembleDef = EnsembleDef;

const SPEC: MethodSpec = MethodSpec {
    name: "ensemble",
    version: 1,
    summary: "mean over other methods of the ranks, or standardised scores, that they give the samples of a batch",
    citation: "Aggarwal, Sathe: Theoretical Foundations and Algorithms for Outlier Ensembles, SIGKDD Explorations 2015",
    accepts: Accepts::ANY,
};

zsad_core::choices! {
    /// What is averaged.
    pub enum Combine {
        /// Ranks in the batch, equals sharing theirs, divided by its size.
        Rank = "rank",
        /// Scores less their mean, divided by their standard deviation over the batch.
        Standardised = "standardised",
    }
}

zsad_core::params! {
    /// Its parameters.
    pub struct Ensemble {
        /// its members: names of methods that do not train, each with parameters after it, such as `knn k=20`
        pub methods: Vec<String> = ["knn k=20", "iforest", "hbos"].map(str::to_owned).to_vec();
        /// what is averaged: rank: ranks in the batch; standardised: scores less their mean, in standard deviations
        pub combine: Combine = Combine::Rank;
    }
}

impl Combine {
    /// What a member's scores add; one to whom all samples are alike adds nothing.
    fn of(self, scores: &[f64]) -> Vec<f64> {
        match self {
            Combine::Rank => rank_shares(scores),
            Combine::Standardised => z_scores(scores),
        }
    }
}

/// The entry itself.
pub struct EnsembleDef;

impl MethodDef for EnsembleDef {
    fn spec(&self) -> &'static MethodSpec {
        &SPEC
    }

    fn params(&self) -> Vec<ParamSpec> {
        Ensemble::specs()
    }

    fn supervision(&self) -> Supervision {
        Supervision::InBatch
    }

    fn placement(&self) -> Placement {
        Placement { features: true, ..Placement::default() }
    }

    fn configure(&self, given: &Given) -> Result<Arc<dyn Method>, Vec<ParamProblem>> {
        let Ensemble { methods, combine } = Ensemble::parse(given)?;
        if methods.is_empty() {
            return Err(vec![ParamProblem::combination("an ensemble wants a member at least")]);
        }
        let (mut members, mut problems) = (Vec::new(), Vec::new());
        for text in &methods {
            match Member::parse(text) {
                Ok(member) => members.push(member),
                Err(message) => problems.push(ParamProblem::combination(message)),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let shots = shots(&members).map_err(|message| vec![ParamProblem::combination(message)])?;
        Ok(Arc::new(Configured { members, combine, shots }))
    }
}

/// The references that the members want: all of those that want some must want as many.
fn shots(members: &[Member]) -> Result<Shots, String> {
    let mut wanted = Shots::Number(0);
    for member in members {
        let shots = member.method.shots();
        match (wanted, shots) {
            (_, Shots::Number(0)) => {}
            (Shots::Number(0), _) => wanted = shots,
            (wanted, shots) if wanted == shots => {}
            _ => return Err("members that take references want the same number of them: set their `shots`".into()),
        }
    }
    Ok(wanted)
}

struct Configured {
    members: Vec<Member>,
    combine: Combine,
    shots: Shots,
}

impl Method for Configured {
    fn values(&self) -> Value {
        let methods: Vec<String> = self.members.iter().map(Member::text).collect();
        json!({ "methods": methods, "combine": self.combine.word() })
    }

    fn resolve(&self, info: &DatasetInfo, fold: &Fold) -> Result<Arc<dyn Method>> {
        let members = self.members.iter().map(|m| m.resolved(info, fold)).collect::<Result<_>>()?;
        Ok(Arc::new(Configured { members, combine: self.combine, shots: self.shots }))
    }

    fn learns(&self) -> bool {
        false
    }

    fn shots(&self) -> Shots {
        self.shots
    }

    fn artifacts(&self, env: &Environment) -> Result<Vec<PathBuf>> {
        let mut all = Vec::new();
        for member in &self.members {
            all.extend(member.method.artifacts(env)?);
        }
        all.sort();
        all.dedup();
        Ok(all)
    }

    fn fit(&self, ctx: &FitContext) -> Result<Box<dyn Detector>> {
        let fit = |member: &Member| {
            let own = member.method.fit(ctx).map_err(|e| e.at(member.name()))?;
            Ok(Voice { name: member.name(), wants: member.method.shots() != Shots::Number(0), own: own.into() })
        };
        Ok(Box::new(Fitted { combine: self.combine, voices: self.members.iter().map(fit).collect::<Result<_>>()? }))
    }
}

/// A member that is ready to score.
#[derive(Clone)]
struct Voice {
    name: &'static str,
    /// Whether it takes references.
    wants: bool,
    own: Arc<dyn Detector>,
}

struct Fitted {
    combine: Combine,
    voices: Vec<Voice>,
}

impl Detector for Fitted {
    fn adapt(&self, support: &Batch) -> Result<Option<Box<dyn Detector>>> {
        let adapt = |voice: &Voice| {
            let adapted = if voice.wants { voice.own.adapt(support).map_err(|e| e.at(voice.name))? } else { None };
            Ok(Voice { own: adapted.map_or_else(|| voice.own.clone(), Arc::from), ..voice.clone() })
        };
        let voices = self.voices.iter().map(adapt).collect::<Result<_>>()?;
        Ok(Some(Box::new(Fitted { combine: self.combine, voices })))
    }

    fn score(&self, batch: &Batch) -> Result<Scores> {
        let mut sums = vec![0.0; batch.len()];
        for voice in &self.voices {
            let scores = voice.own.score(batch).map_err(|e| e.at(voice.name))?.samples;
            if let Some(bad) = scores.iter().find(|s| !s.is_finite()) {
                return Err(Error::failed(format!("{} gives a score of {bad}", voice.name)));
            }
            sums.iter_mut().zip(self.combine.of(&scores)).for_each(|(sum, v)| *sum += v);
        }
        let n = self.voices.len() as f64;
        Ok(sums.into_iter().map(|sum| sum / n).collect::<Vec<f64>>().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::testing::agree;

    // import numpy as np; from scipy.stats import rankdata, zscore
    // a, b = np.array([.2, .9, .4, .7, .2]), np.array([1.1, 3, 1, 1.4, 1.2])
    // print((rankdata(a) + rankdata(b)) / 10, (zscore(a) + zscore(b)) / 2)
    #[test]
    fn ranks_and_standardised_scores_are_scipys() {
        let (a, b) = ([0.2, 0.9, 0.4, 0.7, 0.2], [1.1, 3.0, 1.0, 1.4, 1.2]);
        let mean = |combine: Combine| -> Vec<f64> {
            combine.of(&a).iter().zip(combine.of(&b)).map(|(a, b)| (a + b) / 2.0).collect()
        };
        agree(&mean(Combine::Rank), &[0.35, 1.0, 0.4, 0.8, 0.45], 1e-12);
        agree(&mean(Combine::Standardised), &Z, 1e-12);
        assert_eq!(Combine::Standardised.of(&[2.0; 3]), [0.0; 3]);
    }

    #[test]
    fn members_have_parameters_and_say_what_is_wrong_with_them() {
        let configure = |methods: &[&str]| {
            let methods: Vec<Value> = methods.iter().map(|m| Value::from(*m)).collect();
            DEF.configure(&[("methods".to_owned(), methods.into())].into())
        };
        let ensemble = configure(&["knn k=20 aggregate=mean", "ecod"]).unwrap();
        let values = ensemble.values();
        let written = "knn@1 aggregate=\"mean\" fit=\"batch\" k=20 k_share=0.0 pool_samples=5000";
        assert_eq!(values["methods"][0], written);
        let again = configure(&[written, "ecod"]).unwrap();
        assert_eq!(again.values(), values, "what is written can be read");
        for (methods, message) in [
            (&["kn"][..], "did you mean `knn`?"),
            (&["knn k=0"], "`k` cannot be 0"),
            (&["knn 5"], "`5` is no parameter"),
            (&["knn@99"], "version"),
            (&["acr_dsvdd"], "trains"),
            (&["ensemble"], "no member of one"),
            (&["patchcore shots=1", "padim shots=2"], "the same number"),
            (&[], "a member at least"),
        ] {
            let problems = configure(methods).err().unwrap_or_default();
            assert!(problems.iter().any(|p| p.message.contains(message)), "{methods:?}: {problems:?}");
        }
    }

    const Z: [f64; 5] =
        [-0.7991108373418725, 1.7378301220300005, -0.5075272412851524, 0.3005233106867471, -0.7317153540897235];
}
