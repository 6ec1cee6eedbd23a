//! The training: episodes of other domains, each a few normal references, a labelled defect or several, and a query.

use candle_core::Tensor;
use rand::RngExt;
use rand::seq::index;
use rayon::prelude::*;
use zsad_backbones::LayerShape;
use zsad_backbones::features::FeatureStore;
use zsad_core::rng::stream;
use zsad_core::{Error, FitContext, FitReport, SampleId, SampleRef, Subset};
use zsad_nn::Result;
use zsad_nn::optim::{AdamConfig, Gradients, add_gradients};
use zsad_nn::train::{Updater, run};

use super::Nagl;
use super::likeness::{Normals, cells, patches};
use super::loss::Loss;
use super::network::Network;
use crate::families::features::Selected;
use crate::trained::method::OPERATORS_NOTE;

/// Masks that are read at once.
const MASKS: usize = 16;

/// What episodes of a domain are drawn from.
struct Domain {
    /// What may be normal references.
    references: Vec<SampleId>,
    /// What normal queries are; none where they are drawn from the references.
    normals: Vec<SampleId>,
    /// Anomalies with their masks.
    anomalies: Vec<(SampleId, Vec<u8>)>,
}

/// An episode.
pub(super) struct Episode<'a> {
    pub references: Vec<SampleId>,
    pub defects: Vec<&'a (SampleId, Vec<u8>)>,
    pub query: SampleId,
    /// The query's mask; empty of a normal.
    pub mask: &'a [u8],
}

/// Trains on the meta-train domains of `ctx` whose anomalies have masks.
pub(super) fn train(params: &Nagl, selected: &Selected, ctx: &FitContext) -> zsad_core::Result<(Network, FitReport)> {
    let domains = domains(params, ctx)?;
    let of = |d: &Domain| {
        let anomalies = d.anomalies.iter().map(|(id, _)| *id);
        d.references.iter().chain(&d.normals).copied().chain(anomalies).collect::<Vec<_>>()
    };
    let ids: Vec<SampleId> = domains.iter().flat_map(of).collect();
    let store = selected.open(ctx.data.source(), &ids, ctx.env, ctx.progress)?;
    let channels = store.shapes().iter().map(|s| s.channels).sum();
    let network = Network::new(params, channels, ctx.env.device, ctx.seed)?;
    let (grid, image) = (store.shapes()[0], ctx.data.info().modality.image_size().unwrap_or_default());
    let like = Tensor::zeros((), network.store.dtype(), network.store.device()).map_err(Error::failed)?;
    let loss = Loss::new(grid, image, &like)?;
    let count = |of: fn(&Domain) -> usize| domains.iter().map(of).sum::<usize>();
    let (normal, anomalous) = (count(|d| d.references.len() + d.normals.len()), count(|d| d.anomalies.len()));
    let (backbone, layers) = (selected.backbone, &selected.spec.layers);
    let mut notes = vec![
        ("backbone".into(), format!("{backbone} layers {layers:?}: {channels} channels")),
        ("positions".into(), format!("{} × {}", grid.height, grid.width)),
        ("training_images".into(), format!("{normal} normal, {anomalous} anomalous")),
        ("meta_train_domains".into(), domains.len().to_string()),
    ];
    let shots = selected.shots.of(usize::MAX);
    let training = Training { params, seed: ctx.seed, shots, domains, store, grid, image, loss };
    let before = network.store.snapshot()?;
    let curve = training.steps(&network, ctx)?;
    notes.push((OPERATORS_NOTE.into(), network.store.describe_operators()));
    let (parameters, moved) = (network.store.count() as u64, Some(network.store.moved_from(&before)?));
    Ok((network, FitReport { loss: curve, parameters, notes, moved }))
}

/// The domains that can fill an episode.
fn domains(params: &Nagl, ctx: &FitContext) -> zsad_core::Result<Vec<Domain>> {
    let data = ctx.data;
    let (mut domains, wanted) = (Vec::new(), params.train_abnormal_shots + 1);
    for &domain in &data.fold().meta_train {
        let about = &data.info().domains[domain];
        let all = |subset| SampleRef::all(domain, subset, about.size(subset)).collect::<Vec<_>>();
        let own = if about.reference > 0 { Subset::Reference } else { Subset::Normal };
        let normals = if own == Subset::Reference { all(Subset::Normal) } else { vec![] };
        let mut anomalies = Vec::new();
        for part in all(Subset::Anomalous).chunks(MASKS) {
            let Some(masks) = data.masks(part)? else { break };
            let each = masks.values.chunks_exact(masks.shape.iter().product());
            anomalies.extend(data.ids(part)?.into_iter().zip(each.map(<[u8]>::to_vec)));
        }
        if anomalies.len() < wanted || about.size(own) < 2 {
            let (name, n) = (&about.name, anomalies.len());
            let what =
                format!("an episode wants two normals and {wanted} anomalies with masks, and it has {n} of these");
            tracing::warn!("domain `{name}` is left out of training: {what}");
            continue;
        }
        let (references, normals) = (data.ids(&all(own))?, data.ids(&normals)?);
        domains.push(Domain { references, normals, anomalies });
    }
    match domains.is_empty() {
        true => {
            let why =
                format!("no meta-train domain has two normals and {wanted} anomalies with masks, which it learns from");
            Err(Error::refused(why))
        }
        false => Ok(domains),
    }
}

struct Training<'a> {
    params: &'a Nagl,
    seed: u64,
    shots: usize,
    domains: Vec<Domain>,
    store: FeatureStore,
    grid: LayerShape,
    image: (usize, usize),
    loss: Loss,
}

impl Training<'_> {
    fn steps(&self, network: &Network, ctx: &FitContext) -> Result<Vec<(u64, f64)>> {
        let Nagl { steps, tasks, weight_decay, .. } = *self.params;
        let adam = AdamConfig { weight_decay, decoupled: true, ..AdamConfig::default() };
        let mut updater = Updater::new(&network.store, adam, None)?;
        run(steps, &network.store, ctx.progress, &mut updater, |updater, step| {
            let one = |i: usize| self.gradients(network, &self.episode(step, i));
            let found: Vec<Result<(f64, Gradients)>> = (0..tasks).into_par_iter().map(one).collect();
            // Summed in their order, so that the bits do not depend on which was ready first.
            let (mut mean, mut sum) = (0.0, Gradients::new());
            for one in found {
                let (loss, gradients) = one?;
                mean += loss;
                add_gradients(&mut sum, gradients)?;
            }
            Ok(updater.update(mean, sum, self.params.rate(step - 1))?.into())
        })
    }

    /// Episode number `i` of a step.
    fn episode(&self, step: u64, i: usize) -> Episode<'_> {
        let (at, number) = (step.to_string(), i.to_string());
        let mut rng = stream(self.seed, &[("purpose", "episode"), ("step", &at), ("index", &number)]);
        let domain = &self.domains[rng.random_range(0..self.domains.len())];
        let anomalous = (step as usize * self.params.tasks + i) % 2 == 1;
        // One more than is shown, which a query may be.
        let most = domain.references.len() - usize::from(domain.normals.is_empty());
        let shots = self.shots.min(most);
        let drawn = index::sample(&mut rng, domain.references.len(), (shots + 1).min(domain.references.len()));
        let references: Vec<SampleId> = drawn.iter().map(|i| domain.references[i]).collect();
        let wanted = self.params.train_abnormal_shots;
        let drawn = index::sample(&mut rng, domain.anomalies.len(), wanted + 1);
        let mut defects: Vec<&(SampleId, Vec<u8>)> = drawn.iter().map(|i| &domain.anomalies[i]).collect();
        let last = defects.pop();
        let (query, mask) = match last.filter(|_| anomalous) {
            Some((id, mask)) => (*id, mask.as_slice()),
            None if domain.normals.is_empty() => (references[shots], &[][..]),
            None => (domain.normals[rng.random_range(0..domain.normals.len())], &[][..]),
        };
        Episode { references: references[..shots].to_vec(), defects, query, mask }
    }

    /// The loss of an episode and its gradients, each a share of the step's mean.
    fn gradients(&self, network: &Network, episode: &Episode) -> Result<(f64, Gradients)> {
        let of = |id: SampleId| patches(&self.store, id);
        let normals =
            Normals::new(&episode.references.iter().map(|&id| of(id)).collect::<zsad_core::Result<Vec<_>>>()?);
        let images = episode.defects.iter().map(|(id, _)| of(*id)).collect::<zsad_core::Result<Vec<_>>>()?;
        let defects: Vec<Vec<bool>> =
            episode.defects.iter().map(|(_, mask)| cells(self.image, mask, self.grid)).collect();
        let shown: Vec<_> =
            images.iter().zip(&defects).map(|(image, defect)| (image, Some(defect.as_slice()))).collect();
        let query = of(episode.query)?;
        let likeness: Vec<f32> = normals.likeness(&query).into_iter().map(|v| v as f32).collect();
        let normal = Tensor::new(likeness, network.store.device())?.to_dtype(network.store.dtype())?;
        let defects_seen = network.see(&shown, self.grid, &normals)?;
        let proxies = network.residual_proxies(&defects_seen, &defects.concat())?;
        let abnormal = network.abnormality(&proxies, &network.see(&[(&query, None)], self.grid, &normals)?)?;
        let loss = self.loss.of(&normal, &abnormal, episode.mask)?;
        network.store.gradients_of(&(loss / self.params.tasks as f64)?)
    }
}
