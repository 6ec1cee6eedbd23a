//! From tensor names and shapes to a network: `Sequential` indices, duplicated entries and unused norms included.

use std::collections::BTreeSet;

use zsad_core::{Array, Arrays};

use crate::layers::{NormConfig, NormMode};
#[cfg(doc)]
use crate::nets::{ConvNet, Mlp, Ntl};
use crate::nets::{ConvNetConfig, MlpConfig, NtlConfig, Reduction};

/// The classes of the official code whose state dicts are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// `TabDSVDD` (AnoShift): an MLP over vectors.
    TabDsvdd,
    /// `FeatureSVDD` (MVTec AD): an MLP over patch features.
    FeatureSvdd,
    /// `TabNeutralAD` (AnoShift): learned views and an encoder.
    TabNeutralAd,
    /// `OmniglotDSVDD`: convolutions over 1 × 28 × 28.
    OmniglotDsvdd,
    /// `Cifar100DSVDD`: convolutions over 3 × 32 × 32.
    Cifar100Dsvdd,
}

/// The sizes of a network.
#[derive(Debug, Clone, PartialEq)]
pub enum NetworkConfig {
    /// See [`Mlp`].
    Mlp(MlpConfig),
    /// See [`ConvNet`].
    ConvNet(ConvNetConfig),
    /// See [`Ntl`].
    Ntl(NtlConfig),
}

/// What a state dict turned out to be.
#[derive(Debug)]
pub(super) struct Inferred {
    pub architecture: Architecture,
    pub config: NetworkConfig,
    /// By this crate's names.
    pub values: Vec<(String, Array)>,
    pub center: Array,
}

/// What is wrong with the state dict.
type Inference<T> = Result<T, String>;

/// Finds the network that `tensors` belong to.
pub(super) fn infer(tensors: &Arrays) -> Inference<Inferred> {
    let any = |prefix: &str| tensors.keys().any(|name| name.starts_with(prefix));
    let mut reader = Reader { tensors, used: BTreeSet::new(), values: Vec::new() };
    let (architecture, config) = if any("trans.0.") {
        (Architecture::TabNeutralAd, reader.ntl()?)
    } else if any("logits.base.") || any("logits.features.") {
        reader.conv_net()?
    } else if any("logits.enc.") {
        (Architecture::TabDsvdd, NetworkConfig::Mlp(reader.mlp("logits.", "", Some("batch_norm"))?))
    } else if any("enc.") && any("fc.") {
        (Architecture::FeatureSvdd, NetworkConfig::Mlp(reader.mlp("", "", Some("batch_norm"))?))
    } else {
        let names: Vec<_> = tensors.keys().take(5).map(String::as_str).collect();
        return Err(format!("its tensors ({}, …) are of no network of the official ACR code", names.join(", ")));
    };
    let center = reader.take("center")?;
    let codes = match &config {
        NetworkConfig::Mlp(config) => config.output,
        NetworkConfig::ConvNet(config) => config.output,
        NetworkConfig::Ntl(config) => config.encoder.output,
    };
    if center.values().len() != codes {
        return Err(format!("`center` has shape {:?}, and the codes have {codes} values", center.shape()));
    }
    let unknown: Vec<_> = tensors.keys().filter(|name| !reader.used.contains(*name)).map(String::as_str).collect();
    if !unknown.is_empty() {
        return Err(format!("tensors beside the network's: {}", unknown.join(", ")));
    }
    Ok(Inferred { architecture, config, values: reader.values, center })
}

struct Reader<'a> {
    tensors: &'a Arrays,
    used: BTreeSet<String>,
    values: Vec<(String, Array)>,
}

impl Reader<'_> {
    /// `[linear, norm, ReLU] × hidden` under `<theirs>enc`, linear under `<theirs>fc`, and the norm `last`.
    fn mlp(&mut self, theirs: &str, ours: &str, last: Option<&str>) -> Inference<MlpConfig> {
        let mut widths = Vec::new();
        let mut norm = None;
        for (i, n) in self.layers(&format!("{theirs}enc.")).into_iter().enumerate() {
            widths.push(self.linear(&format!("{theirs}enc.{n}"), &format!("{ours}{i}.linear"))?);
            let found = self.norm(&format!("{theirs}enc.{}", n + 1), &format!("{ours}{i}.norm"))?;
            if i > 0 && norm != found {
                return Err(format!("only some layers of `{theirs}enc` have a norm"));
            }
            norm = found;
        }
        widths.push(self.linear(&format!("{theirs}fc"), &format!("{ours}head.linear"))?);
        if let Some(pair) = widths.windows(2).find(|pair| pair[0].1 != pair[1].0) {
            return Err(format!("a layer with {} outputs is followed by one with {} inputs", pair[0].1, pair[1].0));
        }
        let final_norm = match last {
            Some(last) => self.norm(last, &format!("{ours}head.norm"))?,
            None => None,
        };
        Ok(MlpConfig {
            input: widths[0].0,
            hidden: widths[..widths.len() - 1].iter().map(|w| w.1).collect(),
            output: widths[widths.len() - 1].1,
            bias: true,
            norm: norm.unwrap_or(NormConfig::new(NormMode::None)),
            final_norm,
        })
    }

    fn ntl(&mut self) -> Inference<NetworkConfig> {
        let encoder = self.mlp("enc.", "encoder.", None)?;
        // Stored, but the official forward pass never applies it.
        self.skip_norm("batch_norm");
        let mut views = 0;
        let mut view_hidden = None;
        while self.tensors.contains_key(&format!("trans.{views}.net.0.weight")) {
            let layers = self.layers(&format!("trans.{views}.net."));
            let mut widths = vec![encoder.input];
            for (i, n) in layers.into_iter().enumerate() {
                let (input, output) = self.linear(&format!("trans.{views}.net.{n}"), &format!("views.{views}.{i}"))?;
                if widths.last() != Some(&input) {
                    return Err(format!(
                        "`trans.{views}.net.{n}` has {input} inputs after {:?} outputs",
                        widths.last()
                    ));
                }
                widths.push(output);
            }
            if widths.last() != Some(&encoder.input) || view_hidden.as_ref().is_some_and(|w| *w != widths) {
                return Err(format!(
                    "view `trans.{views}` has the sizes {widths:?}, unlike the data or the other views"
                ));
            }
            view_hidden = Some(widths);
            views += 1;
        }
        let view_hidden = view_hidden.map(|w| w[1..w.len() - 1].to_vec()).unwrap_or_default();
        Ok(NetworkConfig::Ntl(NtlConfig { views, view_hidden, encoder }))
    }

    /// `OmniglotDSVDD` and `Cifar100DSVDD` store every block twice: as `logits.base` and inside `logits.features`.
    fn conv_net(&mut self) -> Inference<(Architecture, NetworkConfig)> {
        let mut blocks = Vec::new();
        let mut norm = None;
        while self.tensors.contains_key(&format!("logits.base.{}.conv.weight", blocks.len())) {
            let i = blocks.len();
            let theirs = format!("logits.base.{i}");
            blocks.push(self.conv(&format!("{theirs}.conv"), &format!("{i}.conv"))?);
            let found = self.norm(&format!("{theirs}.normalize"), &format!("{i}.norm"))?;
            if found.is_none() || i > 0 && norm != found {
                return Err(format!("`{theirs}.normalize` is not there, or unlike the other blocks'"));
            }
            norm = found;
        }
        self.same_again("logits.base.", "logits.features.1.")?;
        let (features, output) = self.linear("logits.full_conn", "head.linear")?;
        let final_norm = self.norm("batch_norm", "head.norm")?;
        let (&(channels, filters), Some(norm)) = (blocks.first().ok_or("has no `logits.base.0.conv.weight`")?, norm)
        else {
            return Err("has no convolutions".into());
        };
        if features != filters || blocks[1..].iter().any(|&b| b != (filters, filters)) {
            return Err(format!("its blocks are not all of {filters} filters"));
        }
        let (architecture, input) = match channels {
            1 => (Architecture::OmniglotDsvdd, [1, 28, 28]),
            3 => (Architecture::Cifar100Dsvdd, [3, 32, 32]),
            _ => return Err(format!("`logits.base.0.conv` has {channels} input channels: neither Omniglot nor CIFAR")),
        };
        let (filters, reduction) = (vec![filters; blocks.len()], Reduction::StrideMean);
        let config = ConvNetConfig { input, filters, output, reduction, norm, final_norm, head: None };
        Ok((architecture, NetworkConfig::ConvNet(config)))
    }

    /// Indices of the linear layers of a `Sequential`, in order.
    fn layers(&self, prefix: &str) -> Vec<usize> {
        let index = |(name, tensor): (&String, &Array)| {
            let index = name.strip_prefix(prefix)?.strip_suffix(".weight")?.parse().ok()?;
            (tensor.shape().len() == 2).then_some(index)
        };
        let mut layers: Vec<usize> = self.tensors.iter().filter_map(index).collect();
        layers.sort_unstable();
        layers
    }

    /// (inputs, outputs)
    fn linear(&mut self, theirs: &str, ours: &str) -> Inference<(usize, usize)> {
        match self.pair(theirs, ours)?.as_slice() {
            &[output, input] => Ok((input, output)),
            shape => Err(format!("`{theirs}.weight` has shape {shape:?}, not [outputs, inputs]")),
        }
    }

    /// (input channels, filters)
    fn conv(&mut self, theirs: &str, ours: &str) -> Inference<(usize, usize)> {
        match self.pair(theirs, ours)?.as_slice() {
            &[output, input, 3, 3] => Ok((input, output)),
            shape => Err(format!("`{theirs}.weight` has shape {shape:?}, not [filters, channels, 3, 3]")),
        }
    }

    /// Takes `weight` and `bias`; the weight's shape.
    fn pair(&mut self, theirs: &str, ours: &str) -> Inference<Vec<usize>> {
        let (weight, bias) = (self.take(&format!("{theirs}.weight"))?, self.take(&format!("{theirs}.bias"))?);
        let shape = weight.shape().to_vec();
        if bias.shape() != &shape[..1.min(shape.len())] {
            return Err(format!("`{theirs}` has a weight of {shape:?} and a bias of {:?}", bias.shape()));
        }
        self.values.push((format!("{ours}.weight"), weight));
        self.values.push((format!("{ours}.bias"), bias));
        Ok(shape)
    }

    /// Takes a batch norm where there is one. Its running statistics are left: the official code never uses them.
    fn norm(&mut self, theirs: &str, ours: &str) -> Inference<Option<NormConfig>> {
        if !self.tensors.contains_key(&format!("{theirs}.running_mean")) {
            return Ok(None);
        }
        let affine = self.tensors.contains_key(&format!("{theirs}.weight"));
        if affine {
            self.pair(theirs, ours)?;
        }
        self.skip_norm(theirs);
        Ok(Some(NormConfig { affine, ..NormConfig::new(NormMode::BatchStats) }))
    }

    fn skip_norm(&mut self, theirs: &str) {
        for part in ["weight", "bias", "running_mean", "running_var"] {
            self.used.insert(format!("{theirs}.{part}"));
        }
    }

    /// Marks the copies under `second` of what lies under `first`; they must be equal.
    fn same_again(&mut self, first: &str, second: &str) -> Inference<()> {
        for (name, copy) in self.tensors {
            let Some(rest) = name.strip_prefix(second) else { continue };
            if self.tensors.get(&format!("{first}{rest}")) != Some(copy) {
                return Err(format!("`{name}` differs from `{first}{rest}`, and both are the same layer"));
            }
            self.used.insert(name.clone());
        }
        Ok(())
    }

    fn take(&mut self, name: &str) -> Inference<Array> {
        self.used.insert(name.to_owned());
        self.tensors.get(name).cloned().ok_or_else(|| format!("has no tensor `{name}`"))
    }
}
