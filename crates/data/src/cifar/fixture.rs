//! Small releases made by the tests.

use std::fs;
use std::path::Path;

use super::Release;
use crate::corruptions::LEN;

/// Training and test images of each class.
pub const SIZES: [usize; 2] = [3, 2];

/// Pixel `i` (planar) of image `number` of `class`: the test images follow the training images.
pub fn pixel(class: usize, number: usize, i: usize) -> u8 {
    ((i * 7 + class * 31 + number * 101) % 251) as u8
}

/// Writes all files, records round-robin over classes, and the names `class 0`, `class 1` … The training
/// images are spread evenly over the training files.
pub fn write(release: &Release, data: &Path) {
    let (folder, classes) = (data.join(release.folder), release.classes);
    fs::create_dir_all(&folder).unwrap();
    let records = |numbers: std::ops::Range<usize>| {
        let all = numbers.flat_map(move |number| (0..classes).map(move |class| (class, number)));
        all.map(|(class, number)| {
            let coarse = (release.coarse > 0).then_some((class / 5) as u8);
            let image = (0..LEN).map(move |i| pixel(class, number, i));
            coarse.into_iter().chain([class as u8]).chain(image).collect::<Vec<u8>>()
        })
    };
    let training: Vec<Vec<u8>> = records(0..SIZES[0]).collect();
    let share = training.len().div_ceil(release.train.len());
    for (file, part) in release.train.iter().zip(training.chunks(share)) {
        fs::write(folder.join(file), part.concat()).unwrap();
    }
    let test: Vec<Vec<u8>> = records(SIZES[0]..SIZES[0] + SIZES[1]).collect();
    fs::write(folder.join(release.test), test.concat()).unwrap();
    let names: String = (0..classes).map(|c| format!("class {c}\n")).collect();
    fs::write(folder.join(release.names), names).unwrap();
}
