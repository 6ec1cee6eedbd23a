//! A backbone as a list of steps over a few activation buffers.

use crate::activation::Activation;
use crate::conv::{Act, Conv, Window};
use crate::depthwise::{self, Depthwise};
use crate::layer::{FeatureMap, LayerShape};
use crate::norm::Norm;
use crate::winograd::Winograd;

/// Number of an activation buffer; 0 is the network's input.
pub(crate) type Slot = usize;

/// One step.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "a network has some hundred steps, most of them operations")]
pub(crate) enum Step {
    /// `dst = act(norm(op(src)) + add)`; without a norm here it is folded into the operation.
    Op { op: Op, src: Slot, dst: Slot, add: Option<Slot>, norm: Option<Norm>, act: Act },
    /// The buffer is the output of this layer.
    Output { src: Slot, layer: usize },
}

/// What a step computes.
#[derive(Debug)]
pub(crate) enum Op {
    Conv(Conv),
    Winograd(Winograd),
    Depthwise(Depthwise),
    MaxPool(Window),
}

/// The steps, and what the buffers need.
#[derive(Debug)]
pub(crate) struct Graph {
    pub steps: Vec<Step>,
    pub slots: usize,
    /// Zeros around the input and around every other buffer.
    pub borders: (usize, usize),
}

/// The buffers of one run, kept for the next.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    buffers: Vec<Activation>,
}

impl Graph {
    /// Runs the steps on images `[n, 3, h, w]`, normalised as `x · scale + shift` per channel, up to the last of
    /// `layers`; the maps come in the order of `layers`.
    pub fn run(
        &self,
        images: &[f32],
        (n, h, w): (usize, usize, usize),
        (scale, shift): ([f32; 3], [f32; 3]),
        layers: &[usize],
        workspace: &mut Workspace,
    ) -> Vec<FeatureMap> {
        workspace.buffers.resize_with(self.slots, Activation::default);
        let input = &mut workspace.buffers[0];
        input.reset_dense(n, h, w, 3, self.borders.0);
        for (i, image) in images.chunks_exact(3 * h * w).enumerate() {
            for y in 0..h {
                let start = input.origin(i) + y * input.row_stride();
                for (x, pixel) in input.data[start..start + 3 * w].chunks_exact_mut(3).enumerate() {
                    for (c, value) in pixel.iter_mut().enumerate() {
                        *value = image[(c * h + y) * w + x] * scale[c] + shift[c];
                    }
                }
            }
        }
        let mut maps: Vec<Option<FeatureMap>> = layers.iter().map(|_| None).collect();
        for step in &self.steps {
            match step {
                Step::Op { op, src, dst, add, norm, act } => {
                    self.step(op, (*src, *dst, *add), norm.as_ref(), *act, &mut workspace.buffers);
                }
                Step::Output { src, layer } => {
                    for (map, _) in maps.iter_mut().zip(layers).filter(|(_, wanted)| *wanted == layer) {
                        *map = Some(FeatureMap::from_activation(&workspace.buffers[*src]));
                    }
                }
            }
            if maps.iter().all(Option::is_some) {
                break;
            }
        }
        maps.into_iter().flatten().collect()
    }

    fn step(
        &self,
        op: &Op,
        (src, dst, add): (Slot, Slot, Option<Slot>),
        norm: Option<&Norm>,
        act: Act,
        buffers: &mut [Activation],
    ) {
        let border = self.borders.1;
        // Taken out so that the others can be read beside it.
        let mut out = std::mem::take(&mut buffers[dst]);
        let (from, added) = (&buffers[src], add.map(|slot| &buffers[slot]));
        let (now_act, now_add) = if norm.is_some() { (Act::Linear, None) } else { (act, added) };
        match op {
            Op::Conv(conv) => conv.run(from, &mut out, now_add, border, now_act),
            Op::Winograd(conv) => conv.run(from, &mut out, now_add, border, now_act),
            Op::Depthwise(conv) => conv.run(from, &mut out, border, now_act),
            Op::MaxPool(window) => depthwise::max_pool(*window, from, &mut out, border),
        }
        if let Some(norm) = norm {
            norm.apply_batch_stats(&mut out, added, act);
        }
        buffers[dst] = out;
    }

    /// The shape of every layer's output for images of `h` × `w`, by layer number.
    pub fn layer_shapes(&self, h: usize, w: usize) -> Vec<(usize, LayerShape)> {
        let mut shapes = vec![LayerShape { channels: 3, height: h, width: w }; self.slots];
        let mut layers = Vec::new();
        for step in &self.steps {
            match step {
                Step::Op { op, src, dst, .. } => {
                    let from = shapes[*src];
                    let (window, channels) = match op {
                        Op::Conv(conv) => (conv.window, conv.cout),
                        Op::Winograd(conv) => (conv.window, conv.cout),
                        Op::Depthwise(conv) => (conv.window, from.channels),
                        Op::MaxPool(window) => (*window, from.channels),
                    };
                    let (height, width) = (window.outputs(from.height).0, window.outputs(from.width).0);
                    shapes[*dst] = LayerShape { channels, height, width };
                }
                Step::Output { src, layer } => layers.push((*layer, shapes[*src])),
            }
        }
        layers
    }
}
