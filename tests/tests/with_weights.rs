//! What needs real pictures and the weights of a frozen network; ignored, with the reason, where they are not there.

use std::path::PathBuf;

use libtest_mimic::{Arguments, Trial};
use zsad_tests::{Sandbox, files};

const NEEDED: [&str; 2] = ["industrial", "weights/efficientnet_lite0.safetensors"];

fn main() {
    let data = std::env::var_os("ZSAD_DATA").map(PathBuf::from);
    let missing = NEEDED.iter().find(|f| !data.as_ref().is_some_and(|d| d.join(f).exists()));
    let name = "heat_maps_are_drawn_from_outside";
    let title = missing.map_or(name.to_owned(), |f| format!("{name} (ignored: $ZSAD_DATA holds no {f})"));
    let run = move || {
        heat_maps_are_drawn_from_outside(&data.unwrap_or_default().to_string_lossy());
        Ok(())
    };
    let trial = Trial::test(title, run).with_ignored_flag(missing.is_some());
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit();
}

/// The weights are found where `--data` says, by whichever command needs them.
fn heat_maps_are_drawn_from_outside(data: &str) {
    let sandbox = Sandbox::default();
    let text = "experiment: x\ndatasets: [{name: mvtec, params: {roots: [industrial], categories: [rail], aspect: stretch, \
                resize: 64, crop: 64}}]\nmethods: [patchcore]\nprotocol: {batch_size: 4, contamination: 0.5, n_batches: 1}\n\
                seeds: 0\n";
    sandbox.write("x.yaml", text);
    sandbox.run(&["run", "x.yaml", "--out", "out", "--data", data]).expect(0);
    sandbox.run(&["plot", "out", "--heatmaps", "--data", data]).expect(0);
    let sheets = files(&sandbox.path("out/plots/heatmaps"));
    assert!(sheets.contains_key("rail.png"), "{:?}", sheets.keys());
    let elsewhere = sandbox.run(&["plot", "out", "--heatmaps", "--data", "nowhere"]).expect(3);
    assert!(elsewhere.err.contains("nowhere"), "{}", elsewhere.err);
}
