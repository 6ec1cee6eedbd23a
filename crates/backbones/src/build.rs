//! Turns named weights into steps: takes each tensor with its shape checked, folds or keeps the norm.

use std::path::Path;

use zsad_core::{Array, Arrays, Error, Result};

use crate::conv::{Act, Conv, Window};
use crate::depthwise::Depthwise;
use crate::graph::{Graph, Op, Slot, Step};
use crate::norm::{Norm, NormMode};
use crate::winograd::Winograd;

/// Weights and the file they came from.
#[derive(Clone, Copy)]
pub(crate) struct Weights<'a> {
    pub arrays: &'a Arrays,
    pub path: &'a Path,
}

/// Collects the steps of a backbone.
pub(crate) struct Builder<'a> {
    weights: Weights<'a>,
    mode: NormMode,
    eps: f32,
    steps: Vec<Step>,
}

/// Where a convolution reads, writes and adds.
pub(crate) struct Io {
    pub src: Slot,
    pub dst: Slot,
    pub add: Option<Slot>,
    pub act: Act,
}

impl Io {
    pub fn new(src: Slot, dst: Slot, act: Act) -> Self {
        Io { src, dst, add: None, act }
    }
}

impl<'a> Builder<'a> {
    pub fn new(weights: Weights<'a>, mode: NormMode, eps: f32) -> Self {
        Builder { weights, mode, eps, steps: Vec::new() }
    }

    /// A dense convolution without bias, then batch norm, then what `io` says.
    pub fn conv(&mut self, conv: &str, bn: &str, window: Window, channels: (usize, usize), io: Io) -> Result<()> {
        let (cin, cout) = channels;
        let weight = self.tensor(&format!("{conv}.weight"), &[cout, cin, window.kernel, window.kernel])?;
        let (scale, shift, norm) = self.norm(bn, cout)?;
        // A norm by the batch's own statistics magnifies rounding errors: there the direct sums stay.
        let op = match self.mode == NormMode::Running && Winograd::applies(window, cin, cout) {
            true => Op::Winograd(Winograd::new(window, cin, cout, weight, &scale, &shift)),
            false => Op::Conv(Conv::new(window, cin, cout, weight, &scale, &shift)),
        };
        self.steps.push(Step::Op { op, src: io.src, dst: io.dst, add: io.add, norm, act: io.act });
        Ok(())
    }

    /// A depthwise convolution without bias, then batch norm, then what `io` says (nothing is added).
    pub fn depthwise(&mut self, conv: &str, bn: &str, window: Window, channels: usize, io: Io) -> Result<()> {
        let weight = self.tensor(&format!("{conv}.weight"), &[channels, 1, window.kernel, window.kernel])?;
        let (scale, shift, norm) = self.norm(bn, channels)?;
        let op = Op::Depthwise(Depthwise::new(window, channels, weight, &scale, &shift));
        self.steps.push(Step::Op { op, src: io.src, dst: io.dst, add: None, norm, act: io.act });
        Ok(())
    }

    pub fn max_pool(&mut self, window: Window, src: Slot, dst: Slot) {
        self.steps.push(Step::Op { op: Op::MaxPool(window), src, dst, add: None, norm: None, act: Act::Linear });
    }

    pub fn output(&mut self, src: Slot, layer: usize) {
        self.steps.push(Step::Output { src, layer });
    }

    pub fn finish(self, slots: usize, borders: (usize, usize)) -> Graph {
        Graph { steps: self.steps, slots, borders }
    }

    /// Scale and shift to fold into the convolution, or the norm to apply after it.
    fn norm(&self, name: &str, channels: usize) -> Result<(Vec<f32>, Vec<f32>, Option<Norm>)> {
        let vector = |part: &str| self.tensor(&format!("{name}.{part}"), &[channels]).map(<[f32]>::to_vec);
        let norm = Norm {
            weight: vector("weight")?,
            bias: vector("bias")?,
            mean: vector("running_mean")?,
            var: vector("running_var")?,
            eps: self.eps,
        };
        Ok(match self.mode {
            NormMode::Running => {
                let (scale, shift) = norm.folded();
                (scale, shift, None)
            }
            NormMode::BatchStats => (vec![1.0; channels], vec![0.0; channels], Some(norm)),
        })
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Result<&'a [f32]> {
        self.weights.tensor(name, shape)
    }
}

impl<'a> Weights<'a> {
    fn find(self, name: &str) -> Option<&'a Array> {
        self.arrays.get(name).or_else(|| self.arrays.get(&format!("module.{name}")))
    }

    /// Whether there is a tensor of this name.
    pub fn has(self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The shape of a tensor.
    pub fn shape(self, name: &str) -> Result<Vec<usize>> {
        let found = self.find(name).ok_or_else(|| self.wrong(format!("has no tensor `{name}`")))?;
        Ok(found.shape().to_vec())
    }

    /// The values of a tensor of this shape.
    pub fn tensor(self, name: &str, shape: &[usize]) -> Result<&'a [f32]> {
        let array = self.find(name).ok_or_else(|| self.wrong(format!("has no tensor `{name}`")))?;
        if array.shape() != shape {
            return Err(self.wrong(format!("tensor `{name}` has shape {:?}, wanted {shape:?}", array.shape())));
        }
        array.as_f32().ok_or_else(|| self.wrong(format!("tensor `{name}` is not in single precision")))
    }

    /// Damaged weights, or others than the wanted ones.
    pub fn wrong(self, what: String) -> Error {
        Error::data(self.path, what, "these are not this backbone's weights; fetch them again")
    }
}
