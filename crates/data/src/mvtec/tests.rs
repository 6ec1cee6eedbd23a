//! Folders made by the tests, and the real ones where `$ZSAD_DATA` has them.

use std::fs;
use std::path::{Path, PathBuf};

use image::ColorType;
use serde_json::json;
use sha2::{Digest, Sha256};
use zsad_core::{ReadBy, SampleRef, Samples, Subset};

use super::*;
use crate::testing;

/// `[h, w, channels]` by a formula that the snippet below repeats.
fn picture(h: usize, w: usize, channels: usize) -> Vec<u8> {
    let at = |i: usize| (i / (w * channels), i / channels % w, i % channels);
    (0..h * w * channels).map(at).map(|(y, x, k)| (5 * y + 3 * x + 60 * k + x * y / 17) as u8).collect()
}

fn save(path: &Path, (h, w): (usize, usize), channels: usize, change: impl Fn(u8) -> u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let color = if channels == 1 { ColorType::L8 } else { ColorType::Rgb8 };
    let pixels: Vec<u8> = picture(h, w, channels).into_iter().map(change).collect();
    image::save_buffer(path, &pixels, w as u32, h as u32, color).unwrap();
}

fn mask_of(v: u8) -> u8 {
    if v > 200 { 255 } else { 0 }
}

/// Two categories with masks (`wide`: colour, landscape; `tall`: grey, portrait) and one without (`plain`).
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (category, size, channels) in [("wide", (170, 300), 3), ("tall", (401, 290), 1)] {
        let root = dir.path().join("mvtec_ad_subset").join(category);
        for file in
            ["train/good/001.png", "train/good/000.png", "test/good/000.png", "test/cut/000.png", "test/bend/7.png"]
        {
            save(&root.join(file), size, channels, |v| v);
        }
        save(&root.join("ground_truth/cut/000_mask.png"), size, 1, mask_of);
        save(&root.join("ground_truth/bend/7.png"), size, 1, |_| 0);
        fs::write(root.join("test/good/Thumbs.db"), "x").unwrap();
    }
    let plain = dir.path().join("mvtec_ad_subset/plain");
    for file in ["train/ok/0.bmp", "test/ok/0.bmp", "test/ko/0.bmp"] {
        save(&plain.join(file), (30, 40), 3, |v| v);
    }
    dir
}

fn root(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("mvtec_ad_subset")
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)[..8].iter().map(|b| format!("{b:02x}")).collect()
}

fn bytes(samples: &Samples) -> Vec<u8> {
    samples.to_f32().iter().map(|v| (v * 255.0).round() as u8).collect()
}

fn fails(given: serde_json::Value, dir: &Path) -> String {
    testing::open(&DEF, given, dir).err().unwrap().to_string()
}

/// ```python
/// import hashlib, numpy as np
/// from PIL import Image
/// def picture(h, w, c):
///     y, x, k = np.mgrid[0:h, 0:w, 0:c]
///     return ((5 * y + 3 * x + 60 * k + (x * y) // 17) % 256).astype(np.uint8)
/// def pipeline(im, filter):                                       # torchvision's Resize(256), CenterCrop(224)
///     w, h = im.size
///     im = im.resize((256, int(256 * h / w)) if w <= h else (int(256 * w / h), 256), filter)
///     w, h = im.size
///     top, left = int(round((h - 224) / 2)), int(round((w - 224) / 2))
///     return np.asarray(im.crop((left, top, left + 224, top + 224)))
/// digest = lambda a: hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest()[:16]
/// for h, w, c in [(170, 300, 3), (401, 290, 1)]:
///     a = picture(h, w, c)
///     im = Image.fromarray(a[:, :, 0] if c == 1 else a).convert("RGB")
///     mask = Image.fromarray((picture(h, w, 1)[:, :, 0] > 200).astype(np.uint8) * 255)
///     print(digest(pipeline(im, Image.BILINEAR).transpose(2, 0, 1)),
///           digest((pipeline(mask, Image.NEAREST) > 0).astype(np.uint8)))
/// ```
#[test]
fn pictures_and_masks_equal_pillows() {
    let dir = folder();
    let set = testing::open(&DEF, json!({"categories": ["wide", "tall"]}), dir.path()).unwrap();
    let names: Vec<_> = set.info().domains.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(names, ["tall", "wide"]);
    let golden = [("32b55f28b7af9bbe", "a6a8d05f3a08e6f3"), ("bf0ec25b15025df4", "51bdbcd0402a1d73")];
    for (domain, (image, mask)) in golden.into_iter().enumerate() {
        // Sorted by defect: `bend` with a mask without `_mask` in its name, then `cut`.
        let cut = testing::subset(&*set, domain, Subset::Anomalous)[1];
        let good = testing::subset(&*set, domain, Subset::Normal)[0];
        let x = set.gather(&[good, cut]).unwrap();
        assert_eq!(x.shape(), [3, 224, 224]);
        let pixels = bytes(&x);
        assert_eq!((hex(&pixels[..x.dim()]), hex(&pixels[x.dim()..])), (image.to_owned(), image.to_owned()));
        let masks = set.masks(&[cut, good]).unwrap().unwrap();
        assert_eq!(hex(&masks.values[..224 * 224]), mask);
        assert!(masks.values[224 * 224..].iter().all(|v| *v == 0), "normals have empty masks");
    }
}

#[test]
fn folds_leave_one_category_out_or_cross_folders() {
    let dir = folder();
    let set = testing::open(&DEF, json!({}), dir.path()).unwrap();
    let info = set.info();
    let sizes: Vec<_> = info.domains.iter().map(|d| (d.name.as_str(), d.reference, d.normal, d.anomalous)).collect();
    assert_eq!(sizes, [("plain", 1, 1, 1), ("tall", 2, 1, 2), ("wide", 2, 1, 2)]);
    let folds: Vec<_> = info.folds.iter().map(|f| (f.name.as_str(), &f.meta_train[..], &f.meta_test[..])).collect();
    assert_eq!(folds, [("plain", &[1, 2][..], &[0][..]), ("tall", &[0, 2], &[1]), ("wide", &[0, 1], &[2])]);
    assert_eq!(info.notes, [("images".to_owned(), "13 in 3 categories".to_owned())]);

    fs::rename(root(&dir).join("wide"), dir.path().join("other")).unwrap();
    save(&dir.path().join("more/tall/train/good/0.png"), (20, 20), 1, |v| v);
    fs::create_dir(dir.path().join("more/tall/test")).unwrap();
    let given = json!({"categories": ["tall"], "train_roots": ["other", "more"]});
    let set = testing::open(&DEF, given, dir.path()).unwrap();
    let names: Vec<_> = set.info().domains.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(names, ["mvtec_ad_subset/tall", "other", "more/tall"]);
    let fold = &set.info().folds[0];
    assert_eq!((fold.name.as_str(), &fold.meta_train[..], &fold.meta_test[..]), ("", &[1, 2][..], &[0][..]));
    let message = fails(json!({"train_categories": ["tall"]}), dir.path());
    assert!(message.contains("category `tall` would both train and test"), "{message}");
}

#[test]
fn a_category_without_masks_has_none() {
    let dir = folder();
    let set = testing::open(&DEF, json!({"aspect": "stretch", "resize": 32, "crop": 32}), dir.path()).unwrap();
    let of = |d| testing::subset(&*set, d, Subset::Anomalous)[0];
    assert_eq!(set.masks(&[of(0)]).unwrap(), None);
    assert_eq!(set.masks(&[of(1), of(0)]).unwrap(), None);
    assert_eq!(set.masks(&[of(1)]).unwrap().unwrap().values.len(), 32 * 32);
    assert_eq!(set.gather(&[of(0), of(2)]).unwrap().shape(), [3, 32, 32]);
}

/// As its folder on the authors' drive lays it out.
#[test]
fn dtd_synthetic_is_in_the_layout_of_mvtec() {
    let dir = tempfile::tempdir().unwrap();
    let texture = dir.path().join("dtd_synthetic/Woven_001");
    for file in ["train/good/000.png", "test/good/000.png", "test/bad/000.png"] {
        testing::save_plain(&texture.join(file), (32, 32), 9);
    }
    testing::save_mask(&texture.join("ground_truth/bad/000_mask.png"), (32, 32), (4, 6), 255);
    let set = testing::open(&DEF, json!({"roots": ["dtd_synthetic"], "resize": 32, "crop": 32}), dir.path()).unwrap();
    assert_eq!(testing::sizes(&*set), [("Woven_001".into(), 1, 1, 1)]);
    let mask = set.masks(&testing::subset(&*set, 0, Subset::Anomalous)).unwrap().unwrap().values;
    assert_eq!((mask[6 * 32 + 4], mask.iter().map(|&v| u32::from(v)).sum::<u32>()), (1, 1));
}

#[test]
fn bad_input_is_named() {
    let dir = folder();
    let root = root(&dir);
    assert!(fails(json!({"roots": ["visa"]}), dir.path()).contains("visa: not found"));
    let message = fails(json!({"categories": ["tal"]}), dir.path());
    assert!(message.contains("no category `tal` in mvtec_ad_subset; hint: did you mean `tall`?"), "{message}");
    assert!(fails(json!({"crop": 300}), dir.path()).contains("crop 300 is larger than resize 256"));

    let mask = root.join("tall/ground_truth/cut/000_mask.png");
    save(&mask, (400, 290), 1, mask_of);
    let message = fails(json!({}), dir.path());
    assert!(message.contains("cut/000_mask.png: a mask of 290×400 for") && message.contains("290×401"), "{message}");
    fs::remove_file(&mask).unwrap();
    let message = fails(json!({}), dir.path());
    assert!(message.contains("cut/000_mask.png: the mask of") && message.contains("is missing"), "{message}");
    save(&mask, (401, 290), 1, mask_of);

    let broken = root.join("wide/test/good/000.png");
    let whole = fs::read(&broken).unwrap();
    fs::write(&broken, &whole[..whole.len() / 2]).unwrap();
    let set = testing::open(&DEF, json!({}), dir.path()).unwrap();
    let message = set.gather(&testing::subset(&*set, 2, Subset::Normal)).unwrap_err().to_string();
    assert!(message.contains("wide/test/good/000.png: damaged or truncated"), "{message}");
    fs::write(&broken, "no picture").unwrap();
    assert!(fails(json!({}), dir.path()).contains("wide/test/good/000.png: damaged or truncated"));

    fs::remove_dir_all(root.join("plain/train/ok")).unwrap();
    assert!(fails(json!({}), dir.path()).contains("plain/train/good: not found"));
}

#[test]
fn every_file_belongs_to_its_category() {
    let dir = folder();
    let files = || testing::files(&DEF, json!({}), dir.path());
    let before = files();
    assert!(
        before.iter().all(|(_, by)| ["plain", "tall", "wide"].map(|c| ReadBy::Domain(c.into())).contains(by)),
        "{before:?}"
    );
    save(&root(&dir).join("wide/train/good/002.png"), (9, 9), 1, |v| v);
    assert_eq!(files().len(), before.len() + 1);
}

#[test]
fn a_categorys_identity_is_its_own_files_and_how_they_are_read() {
    let dir = folder();
    let identity = |params: serde_json::Value, category: &str| {
        let dataset = testing::open(&DEF, params, dir.path()).unwrap();
        let domain = dataset.info().domains.iter().position(|d| d.name == category).unwrap();
        dataset.identity(domain).unwrap()
    };
    let wide = identity(json!({}), "wide");
    assert_eq!(wide, identity(json!({"categories": ["plain", "wide"]}), "wide"));
    assert_eq!(wide, identity(json!({"categories": ["tall"], "train_categories": ["wide"]}), "wide"));
    assert_ne!(wide, identity(json!({}), "tall"));
    let cut = SampleRef { domain: 2, subset: Subset::Anomalous, index: 1 };
    assert_eq!(testing::open(&DEF, json!({}), dir.path()).unwrap().sample_name(&cut).unwrap(), "cut/000");
    assert_ne!(wide, identity(json!({"crop": 200}), "wide"));
    save(&root(&dir).join("wide/test/good/001.png"), (170, 300), 3, |v| v);
    assert_ne!(wide, identity(json!({}), "wide"));
}

#[test]
fn it_knows_the_files_that_its_samples_depend_on() {
    let dir = folder();
    testing::knows_its_files(&DEF, json!({}), dir.path());
}

#[test]
fn listed_references_are_taken_in_their_order_and_never_drawn() {
    let dir = folder();
    let list = dir.path().join("refs.txt");
    let given = json!({ "references": "refs.txt", "resize": 32, "crop": 32 });
    let open = || testing::open(&DEF, given.clone(), dir.path());
    fs::write(&list, "# two of wide\nwide/train/good/001.png\n\nmvtec_ad_subset/wide/train/good/000.png\n").unwrap();
    let set = open().unwrap();
    let wide = set.info().domains.iter().position(|d| d.name == "wide").unwrap();
    let tall = set.info().domains.iter().position(|d| d.name == "tall").unwrap();
    for seed in 0..3 {
        let found = crate::sampler::support(set.as_ref(), wide, zsad_core::Shots::Number(2), seed, &[]).unwrap();
        // Sorted, 000.png is the first picture of the pool.
        assert_eq!(
            found.iter().map(|r| (r.subset, r.index)).collect::<Vec<_>>(),
            [(Subset::Reference, 1), (Subset::Reference, 0)]
        );
    }
    let e = crate::sampler::support(set.as_ref(), tall, zsad_core::Shots::Number(1), 0, &[]).unwrap_err().to_string();
    assert!(e.contains("domain `tall` has 0"), "{e}");
    for (text, said) in [
        ("wide/test/cut/000.png\n", "line 1: `wide/test/cut/000.png` is no normal picture"),
        ("\ntrain/good/000.png\n", "line 2: `train/good/000.png` is the end of several"),
        ("wide/train/good/000.png\nwide/train/good/000.png\n", "line 2: `wide/train/good/000.png` was listed before"),
    ] {
        fs::write(&list, text).unwrap();
        let e = open().map(drop).unwrap_err().to_string();
        assert!(e.contains("refs.txt") && e.contains(said), "{e}");
    }
}
