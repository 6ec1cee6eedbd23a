//! What needs real pictures and the weights of a frozen network; ignored, with the reason, where they are not there.

use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use libtest_mimic::{Arguments, Trial};
use zsad_data::formats::npy::{self, Numbers};
use zsad_tests::{Sandbox, files, readme};

const NEEDED: [&str; 2] = ["industrial", "weights/efficientnet_lite0.safetensors"];

fn main() {
    let data = std::env::var_os("ZSAD_DATA").map(PathBuf::from);
    let missing = NEEDED.iter().find(|f| !data.as_ref().is_some_and(|d| d.join(f).exists()));
    let data = data.unwrap_or_default().to_string_lossy().into_owned();
    let trial = |name: &str, test: fn(&str)| {
        let title = missing.map_or(name.to_owned(), |f| format!("{name} (ignored: $ZSAD_DATA holds no {f})"));
        let data = data.clone();
        let run = move || {
            test(&data);
            Ok(())
        };
        Trial::test(title, run).with_ignored_flag(missing.is_some())
    };
    let trials = vec![
        trial("heat_maps_are_drawn_from_outside", heat_maps_are_drawn_from_outside),
        trial("heat_maps_need_no_masks_and_samples_can_be_picked", heat_maps_need_no_masks_and_samples_can_be_picked),
        trial("a_folder_of_pictures_becomes_scores_and_maps_with_its_names", a_folder_becomes_scores_and_maps),
        trial("a_defect_at_the_margin_is_found_by_every_method", a_defect_at_the_margin_is_found),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
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

/// A part: a soft pattern; a bad one has a red mark at its left margin.
fn part(size: (u32, u32), seed: u32, bad: bool) -> RgbImage {
    RgbImage::from_fn(size.0, size.1, |x, y| match bad && x * 18 < size.0 && y * 4 > size.1 {
        true => Rgb([230, 20, 20]),
        false => {
            let wave = (f64::from(x) * 9.0 / f64::from(size.0)).sin() + (f64::from(y) * 5.0 / f64::from(size.1)).cos();
            let v = (120.0 + 30.0 * wave) as u32 + (x * 7 + y * 13 + seed * 5) % 7;
            Rgb([v as u8, v as u8, (v + 20) as u8])
        }
    })
}

fn save(sandbox: &Sandbox, name: &str, image: &RgbImage) {
    let path = sandbox.path(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.save(path).unwrap();
}

/// Eight parts, number 5 bad, and four references, of several sizes.
fn parts(sandbox: &Sandbox) {
    for i in 0..8 {
        let size = if i % 3 == 0 { (240, 160) } else { (200, 200) };
        save(sandbox, &format!("parts/p{i}.png"), &part(size, i, i == 5));
    }
    for i in 0..4 {
        save(sandbox, &format!("good/g{i}.png"), &part((220, 180), 20 + i, false));
    }
}

/// File and score of every line.
fn scores(sandbox: &Sandbox) -> Vec<(String, f64)> {
    let text = std::fs::read_to_string(sandbox.path("y.csv")).unwrap();
    assert!(text.starts_with("index,score,file\n"), "{text}");
    let line = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        (fields[2].to_owned(), fields[1].parse().unwrap())
    };
    text.lines().skip(1).map(line).collect()
}

fn a_folder_becomes_scores_and_maps(data: &str) {
    let sandbox = Sandbox::default();
    parts(&sandbox);
    // As the README has it.
    let commands = readme("Your own pictures", &[("DIR", data), ("scores.csv", "y.csv")]);
    let [command] = &commands[..] else { panic!("{commands:?}") };
    let done = sandbox.run(&command.iter().map(String::as_str).collect::<Vec<_>>()).expect(0);
    assert!(done.err.contains("8 pictures of 2 sizes, each whole, stretched to 224×224"), "{}", done.err);
    let found = scores(&sandbox);
    let worst = found.iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    assert_eq!(worst.0, "p5.png", "{found:?}");
    let maps = files(&sandbox.path("maps"));
    let names: Vec<&str> = maps.keys().map(String::as_str).collect();
    assert_eq!((names.len(), names[0], names[1], names[16]), (17, "p0.png.npy", "p0.png.overlay.png", "sheet.png"));
    let overlay = image::load_from_memory(&maps["p0.png.overlay.png"].0).unwrap();
    assert_eq!((overlay.width(), overlay.height()), (240, 160), "an overlay is as large as its picture");
    let map = npy::read(&maps["p5.png.npy"].0[..], maps["p5.png.npy"].0.len() as u64).unwrap();
    assert_eq!((&map.shape[..], matches!(map.numbers, Numbers::F32(_))), (&[224, 224][..], true));
    // The map glows at the left margin.
    let values = map.into_f64();
    let mean = |columns: std::ops::Range<usize>| {
        columns.clone().map(|x| values[150 * 224 + x]).sum::<f64>() / columns.len() as f64
    };
    assert!(mean(0..12) > 2.0 * mean(100..200), "{} {}", mean(0..12), mean(100..200));

    let none =
        sandbox.run(&["score", "--method", "knn", "--input", "parts", "--out", "y.csv", "--maps", "m"]).expect(2);
    assert!(none.err.contains("knn makes no anomaly maps; hint: drop --maps"), "{}", none.err);
    let args = ["score", "--method", "patchcore", "--references", "good", "--input", "parts", "--out", "y.csv"];
    let missing = sandbox.run(&args).expect(3);
    assert!(missing.err.contains("the data folder searched is `data`, chosen by the default"), "{}", missing.err);
}

fn a_defect_at_the_margin_is_found(data: &str) {
    let sandbox = Sandbox::default();
    parts(&sandbox);
    for method in ["patchcore", "padim", "spade", "gaussian_ad"] {
        for more in [&[][..], &["--aspect", "keep"]] {
            let args = [
                "score",
                "--method",
                method,
                "--references",
                "good",
                "--input",
                "parts",
                "--out",
                "y.csv",
                "--data",
                data,
            ];
            sandbox.run(&[&args[..], more].concat()).expect(0);
            let found = scores(&sandbox);
            let others = found.iter().filter(|(name, _)| name != "p5.png").map(|(_, s)| *s).fold(f64::MIN, f64::max);
            assert!(found[5].1 > others, "{method} {more:?}: {found:?}");
        }
    }
}

fn heat_maps_need_no_masks_and_samples_can_be_picked(data: &str) {
    let sandbox = Sandbox::default();
    for i in 0..6 {
        save(&sandbox, &format!("parts/screw/train/good/{i}.png"), &part((80, 80), i, false));
        save(&sandbox, &format!("parts/screw/test/good/{i}.png"), &part((80, 80), 30 + i, false));
        save(&sandbox, &format!("parts/screw/test/red/{i}.png"), &part((80, 80), 60 + i, true));
    }
    std::fs::create_dir_all(sandbox.path("weights")).unwrap();
    let weights = "weights/efficientnet_lite0.safetensors";
    std::os::unix::fs::symlink(Path::new(data).join(weights), sandbox.path(weights)).unwrap();
    let text = "experiment: x\ndatasets: [{name: mvtec, params: {roots: [parts], aspect: stretch, resize: 64, crop: 64}}]\n\
                methods: [gaussian_ad, patchcore]\nprotocol: {batch_size: 8, contamination: 0.5, n_batches: 1}\nseeds: 0\n";
    sandbox.write("x.yaml", text);
    sandbox.run(&["run", "x.yaml", "--out", "out", "--data", "."]).expect(0);
    let sheet = sandbox.path("out/plots/heatmaps/screw.png");
    assert!(!sheet.exists());
    let height = |pick: &[&str]| {
        sandbox.run(&[&["plot", "out", "--heatmaps", "--data", "."], pick].concat()).expect(0);
        image::open(&sheet).unwrap().height()
    };
    // A line a sample, all of one height.
    let (few, top, all) = (height(&[]), height(&["--pick", "top:2"]), height(&["--pick", "all"]));
    assert_eq!((few - top, all - few), (4 * (few - top) / 4, (few - top) / 2));
    assert!(height(&["--pick", "red"]) == height(&["--pick", "top:4"]), "all of a folder");
    let unknown = sandbox.run(&["plot", "out", "--heatmaps", "--data", ".", "--pick", "rde/1"]).expect(2);
    assert!(unknown.err.contains("is called `rde/1`; hint: did you mean"), "{}", unknown.err);
}
