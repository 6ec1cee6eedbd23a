//! A folder of a person's own pictures: names, what is left out, and how they are brought to one size.

#![allow(clippy::disallowed_methods, reason = "fixtures may be written in any way")]

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use zsad_tests::{Done, Sandbox};

/// A colour picture; `defect` paints a red bar over its left margin.
fn picture((width, height): (u32, u32), seed: u32, defect: bool) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| match defect && x * 18 < width {
        true => Rgb([255, 0, 0]),
        false => {
            let v = ((x * 100 / width) + (y * 60 / height) + (x * 7 + y * 3 + seed * 11) % 9) as u8;
            Rgb([v, v / 2, 90])
        }
    })
}

fn save(sandbox: &Sandbox, name: &str, image: &RgbImage) {
    let path = sandbox.path(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.save(path).unwrap();
}

fn score(sandbox: &Sandbox, method: &str, more: &[&str]) -> Done {
    sandbox.run(&[&["score", "--method", method, "--input", "parts", "--out", "y.csv"], more].concat())
}

/// File and score of every line after the head.
fn lines(sandbox: &Sandbox) -> Vec<(String, f64)> {
    let text = std::fs::read_to_string(sandbox.path("y.csv")).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("index,score,file"));
    let line = |(i, line): (usize, &str)| {
        let fields: Vec<&str> = line.splitn(3, ',').collect();
        assert_eq!(fields[0], i.to_string());
        (fields[2].to_owned(), fields[1].parse().unwrap())
    };
    lines.enumerate().map(line).collect()
}

#[test]
fn every_score_has_its_files_name_and_what_is_left_out_is_named() {
    let sandbox = Sandbox::default();
    for (i, name) in ["a.png", "b.tif", "c.webp", "d.bmp", "e.jpg", "f, g.TIFF"].iter().enumerate() {
        save(&sandbox, &format!("parts/{name}"), &picture((40, 30), i as u32, i == 2));
    }
    sandbox.write("parts/notes.txt", "x");
    sandbox.write("parts/.hidden", "x");
    save(&sandbox, "parts/more/h.png", &picture((40, 30), 9, false));
    let done = score(&sandbox, "knn", &["--explain"]).expect(0);
    let names: Vec<String> = lines(&sandbox).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a.png", "b.tif", "c.webp", "d.bmp", "e.jpg", "\"f, g.TIFF\""]);
    let said = "warning: parts: left out: 1 file of another format (notes.txt), 1 subfolder (more)";
    assert_eq!(done.err.lines().filter(|l| l.contains("left out")).collect::<Vec<_>>(), [said]);
    assert!(done.out.contains("sample 2 (c.webp): "), "{}", done.out);
}

#[test]
fn a_folder_of_folders_says_which_there_are() {
    let sandbox = Sandbox::default();
    save(&sandbox, "parts/good/0.png", &picture((40, 30), 0, false));
    save(&sandbox, "parts/bad/0.png", &picture((40, 30), 0, true));
    let done = score(&sandbox, "knn", &[]).expect(3);
    assert!(done.err.contains("subfolders are not looked into: bad, good; hint: give one of them"), "{}", done.err);
}

#[test]
fn pictures_that_cannot_be_read_stop_the_batch_or_are_left_out_by_name() {
    let sandbox = Sandbox::default();
    for i in 0..6 {
        save(&sandbox, &format!("parts/{i}.png"), &picture((40, 30), i, false));
    }
    let whole = std::fs::read(sandbox.path("parts/1.png")).unwrap();
    sandbox.write("parts/1.png", &whole[..whole.len() / 2]);
    sandbox.write("parts/3.png", "");
    let done = score(&sandbox, "knn", &[]).expect(3);
    assert!(done.err.contains("1.png: ") && done.err.contains("and 1 more like it"), "{}", done.err);
    assert!(done.err.contains("hint: mend it, or leave such pictures out with --skip-bad"), "{}", done.err);
    let done = score(&sandbox, "knn", &["--skip-bad"]).expect(0);
    assert!(done.err.contains("left out: 2 pictures that cannot be read (1.png, 3.png)"), "{}", done.err);
    let names: Vec<String> = lines(&sandbox).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["0.png", "2.png", "4.png", "5.png"]);
}

#[test]
fn pictures_are_turned_as_their_camera_says() {
    let sandbox = Sandbox::default();
    let mut bytes = Cursor::new(Vec::new());
    picture((40, 30), 0, true).write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
    let bytes = bytes.into_inner();
    // An Exif segment: one directory, in which orientation (tag 274) is 6, a turn by 90° to the right.
    let exif = b"\xff\xe1\0\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    sandbox.write("parts/turned.jpg", [&bytes[..2], exif, &bytes[2..]].concat());
    let decoded: DynamicImage = image::load_from_memory(&bytes).unwrap();
    save(&sandbox, "parts/upright.png", &decoded.rotate90().into_rgb8());
    save(&sandbox, "parts/other.png", &picture((30, 40), 1, false));
    score(&sandbox, "knn", &["--param", "k=1"]).expect(0);
    let found = lines(&sandbox);
    assert_eq!((found[1].1, found[2].1), (0.0, 0.0), "the two are one picture: {found:?}");
    assert!(found[0].1 > 0.0);
}

#[test]
fn every_picture_is_scored_whole_whatever_its_size_unless_a_crop_is_asked_for() {
    let sandbox = Sandbox::default();
    let sizes = [(60, 20), (60, 20), (90, 30), (40, 40), (60, 20)];
    for (i, size) in sizes.into_iter().enumerate() {
        save(&sandbox, &format!("parts/{i}.png"), &picture(size, 0, i == 4));
    }
    for more in [&["--param", "k=1"][..], &["--param", "k=1", "--aspect", "keep", "--resize", "64"]] {
        let done = score(&sandbox, "knn", more).expect(0);
        assert!(done.err.contains("parts: 5 pictures of 3 sizes, each whole, "), "{}", done.err);
        let found = lines(&sandbox);
        assert!(found[4].1 > 3.0 * found[0].1.max(found[2].1), "the margin counts: {found:?}");
    }
    let done = score(&sandbox, "knn", &["--param", "k=1", "--resize", "64", "--crop", "32"]).expect(0);
    assert!(
        done.err.contains("warning: parts: 5 pictures of 3 sizes, stretched to 64×64 and cut to 32×32"),
        "{}",
        done.err
    );
    assert!(done.err.contains("75 % of it is not"), "{}", done.err);
    assert_eq!(lines(&sandbox)[4].1, 0.0, "the defect lies outside");
    let done = score(&sandbox, "knn", &["--resize", "32", "--crop", "64"]).expect(2);
    assert!(done.err.contains("--crop 64 is more than --resize 32 leaves"), "{}", done.err);
}

#[test]
fn a_models_file_says_how_its_pictures_were_made() {
    let sandbox = Sandbox::default();
    for i in 0..20 {
        save(&sandbox, &format!("parts/{i:02}.png"), &picture((40, 30), i, i == 4));
    }
    let text = "experiment: x\ndatasets: [digits]\nmethods: [{name: acr_dsvdd, params: {steps: 2}}]\n\
                protocol: {batch_size: 20, contamination: 0.1, n_batches: 1}\nseeds: 0\n";
    sandbox.write("x.yaml", text);
    sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    let fit = std::fs::read_dir(sandbox.path("results/store")).unwrap().next().unwrap().unwrap().path();
    // The model alone, without what lies beside it.
    std::fs::copy(fit.join("model.safetensors"), sandbox.path("m.safetensors")).unwrap();
    let header = std::fs::read(Path::new(&sandbox.path("m.safetensors"))).unwrap();
    assert!(String::from_utf8_lossy(&header).contains("pictures"));
    let done = score(&sandbox, "acr_dsvdd", &["--checkpoint", "m.safetensors"]).expect(0);
    assert!(done.err.contains("20 pictures of 40×30, each whole, stretched to 8×8"), "{}", done.err);
    let done = score(&sandbox, "acr_dsvdd", &["--checkpoint", "m.safetensors", "--resize", "32"]).expect(2);
    assert!(done.err.contains("the model was trained on pictures stretched to 8×8; hint: drop"), "{}", done.err);
}

#[test]
fn without_a_method_some_that_suit_the_batch_are_suggested() {
    let sandbox = Sandbox::default();
    for i in 0..3 {
        save(&sandbox, &format!("parts/{i}.png"), &picture((40, 30), i, false));
        save(&sandbox, &format!("good/{i}.png"), &picture((40, 30), i + 9, false));
    }
    sandbox.write("rows.csv", "a,b\n1,2\n3,4\n");
    for (input, references, said) in [
        ("parts", None, "3 pictures; hint: --method pca_residual, or musc"),
        ("parts", Some("good"), "3 pictures and 3 references; hint: --method patchcore"),
        ("rows.csv", None, "2 rows; hint: --method knn"),
    ] {
        let mut args = vec!["score", "--input", input, "--out", "y.csv"];
        args.extend(references.map(|r| ["--references", r]).into_iter().flatten());
        let done = sandbox.run(&args).expect(2);
        assert!(done.err.contains(&format!("no method was named for {said}")), "{}", done.err);
    }
    assert!(!sandbox.path("y.csv").exists());
}

#[test]
fn options_that_change_nothing_are_refused_and_say_what_does() {
    let sandbox = Sandbox::default();
    for i in 0..3 {
        save(&sandbox, &format!("parts/{i}.png"), &picture((40, 30), i, false));
    }
    std::fs::copy(sandbox.path("parts/0.png"), sandbox.path("m.safetensors")).unwrap();
    for (method, more, said) in [
        ("gaussian_ad", &[][..], "give some with --references, or fit it to the batch itself with --param fit=batch"),
        ("padim", &[], "hint: give some with --references\n"),
        (
            "padim",
            &["--references", "parts", "--param", "shots=1"],
            "parameter `shots` has no effect here: all references are used",
        ),
        (
            "gaussian_ad",
            &["--param", "fit=batch", "--param", "shots=1"],
            "`shots` has no effect here: there are no references",
        ),
        (
            "knn",
            &["--param", "pool_samples=9"],
            "parameter `pool_samples` has no effect here: the method is fitted to the batch",
        ),
        ("patchcore", &["--checkpoint", "m.safetensors"], "patchcore takes no trained model; hint: drop --checkpoint"),
    ] {
        let done = score(&sandbox, method, more).expect(2);
        assert!(done.err.contains(said), "{method}: {}", done.err);
    }
    let text = "experiment: x\ndatasets: [digits]\nmethods: [{name: acr_dsvdd, params: {steps: 2}}]\n\
                protocol: {batch_size: 20, contamination: 0.1, n_batches: 1}\nseeds: 0\n";
    sandbox.write("x.yaml", text);
    sandbox.run(&["run", "x.yaml", "--out", "out"]).expect(0);
    let fit = std::fs::read_dir(sandbox.path("results/store")).unwrap().next().unwrap().unwrap().path();
    let model = fit.join("model.safetensors");
    let model = model.to_str().unwrap();
    let done = score(&sandbox, "knn", &["--checkpoint", model]).expect(2);
    assert!(done.err.contains("a model of acr_dsvdd, which knn cannot use; hint: --method acr_dsvdd"), "{}", done.err);
    let done = score(&sandbox, "acr_dsvdd", &["--checkpoint", model, "--param", "steps=3"]).expect(2);
    assert!(done.err.contains("parameter `steps` has no effect here: a trained model keeps its own"), "{}", done.err);
}
