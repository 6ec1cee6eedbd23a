//! Omniglot comes with the program: it needs no data folder, and what is read is never in doubt.

use std::fs;
use std::io::{Cursor, Write};

use serde_json::Value;
use zsad_tests::Sandbox;

const EXPERIMENT: &str = "experiment: x\ndatasets: [omniglot]\nmethods: [knn]\nprotocol: {batch_size: [20], contamination: \
                          [0.1], n_batches: 1}\nseeds: [0]\n";

/// A zip as Omniglot's, of so many characters with 20 drawings each: `<part>/<Alphabet>/characterNN/XXXX_YY.png`.
fn characters(part: &str, first: usize, n: usize) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for i in first..first + n {
        // A character is a bar of its own place and width; its drawings differ by a dot.
        for drawing in 1..=20u32 {
            let ink = |x: u32, y: u32| {
                let bar = (i % 90) as u32..(i % 90 + 3 + i / 90) as u32;
                if bar.contains(&x) || (x, y) == (drawing, drawing) { 0u8 } else { 255 }
            };
            let picture = image::GrayImage::from_fn(105, 105, |x, y| image::Luma([ink(x, y)]));
            let mut png = Cursor::new(Vec::new());
            picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
            let name = format!("{part}/Alphabet_{}/character{:02}/{i:04}_{drawing:02}.png", i / 30, i % 30 + 1);
            zip.start_file(name, options).unwrap();
            zip.write_all(png.get_ref()).unwrap();
        }
    }
    zip.finish().unwrap().into_inner()
}

fn fit_key(sandbox: &Sandbox, data: &[&str]) -> String {
    let plan = sandbox.run(&[&["plan", "x.yaml", "--json"], data].concat()).expect(0);
    let plan: Value = serde_json::from_str(&plan.out).unwrap();
    plan["fits"][0]["fit_key"].as_str().unwrap().to_owned()
}

#[test]
fn without_a_data_folder_omniglot_runs_and_says_what_it_read() {
    let sandbox = Sandbox::default();
    sandbox.write("x.yaml", EXPERIMENT);
    let note = "drawings: embedded, 28×28, 16 grey levels; `zsad data fetch omniglot` brings the originals";
    let done = sandbox.run(&["run", "x.yaml"]).expect(0);
    assert!(done.out.contains(&format!("\nomniglot: {note}\n")), "{}", done.out);
    let out = sandbox.path("results/runs/x");
    let provenance: Value = serde_json::from_slice(&fs::read(out.join("provenance.json")).unwrap()).unwrap();
    assert_eq!(provenance["runs"][0]["data_notes"], serde_json::json!([format!("omniglot: {note}")]));
    assert!(sandbox.run(&["describe", "omniglot"]).expect(0).out.contains(note));
    let list = |args: &[&str]| sandbox.run(&[&["data", "list"], args].concat()).expect(0).out;
    assert!(list(&["omniglot"]).contains("omniglot  embedded"), "{}", list(&["omniglot"]));
    assert!(list(&["--for", "x.yaml"]).contains("omniglot  embedded"));
    let nothing = sandbox.run(&["data", "fetch", "--for", "x.yaml"]).expect(0);
    assert_eq!(nothing.out, "x: nothing is missing that could be fetched\n");
    // The picture of a batch is drawn by the run, and again from its scores to the same bytes.
    let picture = out.join("plots/ranked_omniglot.png");
    let drawn = fs::read(&picture).unwrap();
    fs::remove_file(&picture).unwrap();
    let done = sandbox.run(&["plot", "x", "--ranked"]).expect(0);
    assert!(done.out.ends_with("ranked_omniglot.png\n") && fs::read(&picture).unwrap() == drawn);

    // The originals are other data, and take the place of what is embedded.
    let embedded = fit_key(&sandbox, &[]);
    sandbox.write("data/omniglot/images_background.zip", characters("images_background", 1, 964));
    let done = sandbox.run(&["plan", "x.yaml"]).expect(3);
    assert!(
        done.err.contains("data/omniglot/images_evaluation.zip: not found"),
        "half of it is no data set: {}",
        done.err
    );
    sandbox.write("data/omniglot/images_evaluation.zip", characters("images_evaluation", 965, 659));
    let plan = sandbox.run(&["plan", "x.yaml"]).expect(0).out;
    assert!(plan.contains("data: embedded/omniglot/background_1.xz is gone"), "{plan}");
    assert_ne!(fit_key(&sandbox, &[]), embedded);
    assert_eq!(fit_key(&sandbox, &["--data", "elsewhere"]), embedded);
    let done = sandbox.run(&["plot", "x", "--ranked"]).expect(3);
    assert!(done.err.contains("data: other data than those of the run"), "{}", done.err);
    let done = sandbox.run(&["run", "x.yaml"]).expect(0);
    assert!(!done.out.contains("embedded"), "{}", done.out);
}

#[test]
fn rows_of_a_table_are_not_drawn() {
    let sandbox = Sandbox::default();
    let row = |i: usize| format!("d{},{},{}\n", i / 40, i * 37 % 101, i * 53 % 89);
    sandbox.write("t.csv", "day,a,b\n".to_owned() + &(0..160).map(row).collect::<String>());
    let table = "{name: table, params: {file: t.csv, domain: day}}";
    sandbox.write("x.yaml", EXPERIMENT.replace("omniglot", table));
    sandbox.run(&["run", "x.yaml"]).expect(0);
    let done = sandbox.run(&["plot", "x", "--ranked"]).expect(2);
    assert!(done.err.contains("--ranked: no data set of this run holds pictures"), "{}", done.err);
}
