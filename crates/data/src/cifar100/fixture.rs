//! A small CIFAR-100 made by the tests.

use std::fs;
use std::path::Path;

use crate::corruptions::LEN;

/// Training and test images of each class.
pub const SIZES: [usize; 2] = [3, 2];

/// Pixel `i` (planar) of image `number` of `class`: the test images follow the training images.
pub fn pixel(class: usize, number: usize, i: usize) -> u8 {
    ((i * 7 + class * 31 + number * 101) % 251) as u8
}

/// Writes both files, records round-robin over classes, and the names `class 0` … `class 99`.
pub fn write(data: &Path) {
    let folder = data.join(super::FOLDER);
    fs::create_dir_all(&folder).unwrap();
    for (file, numbers) in [("train.bin", 0..SIZES[0]), ("test.bin", SIZES[0]..SIZES[0] + SIZES[1])] {
        let records = numbers.flat_map(|number| (0..100).map(move |class| (class, number)));
        let record = |(class, number): (usize, usize)| {
            let labels = [(class / 5) as u8, class as u8];
            labels.into_iter().chain((0..LEN).map(move |i| pixel(class, number, i)))
        };
        fs::write(folder.join(file), records.flat_map(record).collect::<Vec<u8>>()).unwrap();
    }
    let names: String = (0..100).map(|c| format!("class {c}\n")).collect();
    fs::write(folder.join("fine_label_names.txt"), names).unwrap();
}
