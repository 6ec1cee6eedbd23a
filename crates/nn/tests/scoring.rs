//! Without gradients the results are the same and nothing is kept for a way back.

#[path = "common/every_path.rs"]
mod every_path;

use candle_core::{DType, Device, Tensor};
use zsad_nn::layers::{NormConfig, NormMode};
use zsad_nn::{Init, ParamStore, Pass, Result, loss, nets, no_grad};

fn input(shape: &[usize]) -> Tensor {
    let n: usize = shape.iter().product();
    let values: Vec<f32> = (0..n).map(|i| ((i * i) as f32 * 0.013 + i as f32 * 0.7).sin()).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn check(x: &Tensor, scores: impl Fn(&Tensor) -> Result<Tensor>) {
    let (with, without) = (scores(x).unwrap(), no_grad(|| scores(x)).unwrap());
    let bits = |t: &Tensor| t.to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect::<Vec<_>>();
    assert_eq!(bits(&with), bits(&without));
    // A tensor that is not tracked holds no operation, and so none of the tensors behind it.
    assert!(with.track_op() && !without.track_op());
    assert!(scores(x).unwrap().track_op(), "gradients are back");
}

#[test]
fn nothing_is_kept() {
    for mode in
        [NormMode::BatchStats, NormMode::Running, NormMode::Layer, NormMode::Instance, NormMode::Group, NormMode::None]
    {
        let mut params = ParamStore::new(&Device::Cpu, DType::F32);
        let mut rng = zsad_core::rng::stream(4, &[]);
        let mut b = params.builder(&mut rng);
        let centre = b.add("center", &[5], Init::Normal(0.0, 1.0)).unwrap();
        let (distance, contrastive) = (loss::Distance::new(&mut b), loss::Contrastive::new(&mut b, 0.1));
        let norm = NormConfig::new(mode);
        for config in [nets::ConvNetConfig::omniglot([1, 12, 12]), nets::ConvNetConfig::cnn4([2, 9, 8])] {
            // Instance norm wants space, of which the mean leaves none and four blocks too little. Convolutions of fewer
            // than eight channels add up in another order where the input wants no gradient.
            let final_norm = config.final_norm.filter(|_| mode != NormMode::Instance).map(|_| norm);
            let config = nets::ConvNetConfig { filters: vec![8; 2], output: 5, norm, final_norm, ..config };
            let [c, h, w] = config.input;
            let net = nets::ConvNet::new(&mut b.scope(format!("conv{c}")), &config).unwrap();
            check(&input(&[9, c, h, w]), |x| distance.squared(&net.forward(x, Pass::eval(1))?, &centre));
        }
        if mode == NormMode::Instance {
            continue;
        }
        let config = nets::MlpConfig { norm, ..nets::MlpConfig::acr(7, &[13, 6], 5) };
        let net = nets::Mlp::new(&mut b.scope("mlp"), &config).unwrap();
        check(&input(&[9, 7]), |x| Ok(distance.dsvdd(&net.forward(x, Pass::eval(1))?, &centre)?.1));
        for view_hidden in [vec![4], vec![]] {
            let scope = format!("ntl{}", view_hidden.len());
            let mut config = nets::NtlConfig { views: 3, view_hidden, ..nets::NtlConfig::acr(6) };
            (config.encoder.hidden, config.encoder.norm) = (vec![8, 8], norm);
            let net = nets::Ntl::new(&mut b.scope(scope), &config).unwrap();
            check(&input(&[40, 6]), |x| Ok(contrastive.losses(&net.forward(x, Pass::eval(1))?)?.0));
        }
    }
}
