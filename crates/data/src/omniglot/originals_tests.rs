use super::*;
use crate::omniglot::DEF;
use crate::testing;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::Path;

/// A ring: 1 bit a pixel, ink 0, as the original files.
const RING: &[u8] = include_bytes!("../../tests/fixtures/omniglot_ring.png");

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

fn name(character: usize, drawing: usize) -> String {
    format!("images_background/Greek/character{character:02}/{character:04}_{drawing:02}.png")
}

fn write_zip(path: &Path, drawings: usize) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.add_directory("images_background/Greek", options).unwrap();
    zip.start_file("__MACOSX/images_background/Greek/character01/x.png", options).unwrap();
    for i in 0..2 * drawings {
        zip.start_file(name(i % 2 + 1, i / 2 + 1), options).unwrap();
        zip.write_all(RING).unwrap();
    }
    zip.finish().unwrap();
}

#[test]
fn a_drawing_is_resized_as_pillow_does_it() {
    // Image.open("omniglot_ring.png").convert("L").resize((28, 28), Image.BICUBIC): sum, row 10, SHA-256
    let small = decode(RING).unwrap();
    assert_eq!(small.iter().map(|&v| u64::from(v)).sum::<u64>(), 188_056);
    assert_eq!(small[286..294], [220, 29, 236, 255, 255, 255, 255, 255]);
    assert_eq!(hex(&small), "84ae417032c98621583da95e60e625f40b31c9344ca2fbbf1c3571698029f470");
}

#[test]
fn zip_and_tree_read_alike() {
    let dir = tempfile::tempdir().unwrap();
    let zip = dir.path().join("images_background.zip");
    write_zip(&zip, DRAWINGS);
    let tree = dir.path().join("tree");
    for i in 0..2 * DRAWINGS {
        let file = tree.join(name(i % 2 + 1, i / 2 + 1).strip_prefix("images_background/").unwrap());
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, RING).unwrap();
    }
    let from_zip = read_part(&ImageTree::open(&zip).unwrap()).unwrap();
    let from_tree = read_part(&ImageTree::open(&tree).unwrap()).unwrap();
    assert_eq!(from_zip, from_tree);
    let names: Vec<_> = from_zip.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(names, ["Greek/character01", "Greek/character02"]);
    assert!(from_zip.iter().all(|(_, images)| images.len() == DRAWINGS * SIDE * SIDE));
}

#[test]
fn missing_incomplete_and_damaged_archives_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let zip = dir.path().join("omniglot/images_background.zip");
    let fails = || testing::open(&DEF, json!({}), dir.path()).err().unwrap().to_string();
    std::fs::create_dir_all(dir.path().join("omniglot/images_evaluation")).unwrap();
    let message = fails();
    assert!(message.contains("images_background.zip: not found") && message.contains("extract them"), "{message}");
    write_zip(&zip, DRAWINGS - 1);
    assert!(fails().contains("Greek/character01 has 19 drawings instead of 20"), "{}", fails());
    write_zip(&zip, DRAWINGS);
    assert!(fails().contains("2 characters instead of 964"), "{}", fails());
    let mut bytes = std::fs::read(&zip).unwrap();
    let at = bytes.windows(4).rposition(|w| w == b"IDAT").unwrap();
    bytes[at + 8] ^= 0xff;
    std::fs::write(&zip, &bytes).unwrap();
    assert!(fails().contains("character02/0002_20.png: "), "{}", fails());
    std::fs::write(&zip, &bytes[..bytes.len() / 2]).unwrap();
    assert!(fails().contains("images_background.zip: damaged or truncated"), "{}", fails());
}
