//! Connected regions of masks, with 8 neighbours, by union-find.

use rayon::prelude::*;

/// The anomalous regions of a set of masks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regions {
    /// A pixel's region, counted from 1 over all masks; 0 where the pixel is normal. Shape of the masks.
    pub labels: Vec<u32>,
    /// Number of pixels of each region; that of region `r` is at `r - 1`.
    pub sizes: Vec<u64>,
}

/// The 8-connected regions of `masks` (`[n, height, width]`, anomalous where not 0), image by image and in parallel.
/// Regions are numbered by image, then by their first pixel.
///
/// # Panics
/// Where an image has no pixel or the masks are not a whole number of images (a mistake of the caller).
pub fn regions(masks: &[u8], height: usize, width: usize) -> Regions {
    let pixels = height * width;
    assert!(pixels > 0 && masks.len().is_multiple_of(pixels), "{} pixels, {height}x{width} an image", masks.len());
    let mut labels = vec![0u32; masks.len()];
    let sizes: Vec<Vec<u64>> = (labels.par_chunks_mut(pixels).zip(masks.par_chunks(pixels)))
        .map(|(labels, mask)| label_image(mask, width, labels))
        .collect();
    let mut first = 0u32;
    for (labels, sizes) in labels.chunks_mut(pixels).zip(&sizes) {
        if first > 0 && !sizes.is_empty() {
            labels.iter_mut().filter(|l| **l > 0).for_each(|l| *l += first);
        }
        first += sizes.len() as u32;
    }
    Regions { labels, sizes: sizes.concat() }
}

/// Labels one image from 1 and returns the sizes of its regions.
fn label_image(mask: &[u8], width: usize, labels: &mut [u32]) -> Vec<u64> {
    // parent[p] is a provisional region that p is part of; a root is its own parent and the least of its set.
    let mut parent: Vec<u32> = vec![0];
    for i in (0..mask.len()).filter(|&i| mask[i] != 0) {
        let x = i % width;
        let mut label = 0;
        // The neighbours that come before: left, and the three above.
        let before = [
            (x > 0).then(|| i - 1),
            (x > 0).then(|| i.checked_sub(width + 1)).flatten(),
            i.checked_sub(width),
            (x + 1 < width).then(|| i.checked_sub(width - 1)).flatten(),
        ];
        for neighbour in before.into_iter().flatten().map(|j| labels[j]).filter(|&l| l > 0) {
            label = if label == 0 { root(&mut parent, neighbour) } else { union(&mut parent, label, neighbour) };
        }
        if label == 0 {
            label = parent.len() as u32;
            parent.push(label);
        }
        labels[i] = label;
    }
    // Provisional regions become 1, 2, … in the order of their first pixels.
    let mut last = vec![0u32; parent.len()];
    let mut sizes = Vec::new();
    for label in labels.iter_mut().filter(|l| **l > 0) {
        let root = root(&mut parent, *label) as usize;
        if last[root] == 0 {
            sizes.push(0);
            last[root] = sizes.len() as u32;
        }
        *label = last[root];
        sizes[*label as usize - 1] += 1;
    }
    sizes
}

/// The root of `p`, halving the path to it.
fn root(parent: &mut [u32], mut p: u32) -> u32 {
    while parent[p as usize] != p {
        parent[p as usize] = parent[parent[p as usize] as usize];
        p = parent[p as usize];
    }
    p
}

/// Joins two sets; the root is the lesser one.
fn union(parent: &mut [u32], a: u32, b: u32) -> u32 {
    let (a, b) = (root(parent, a), root(parent, b));
    let (min, other) = (a.min(b), a.max(b));
    parent[other as usize] = min;
    min
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Flood fill: the plainest way to the same answer.
    fn flood(mask: &[u8], height: usize, width: usize) -> Vec<u32> {
        let mut labels = vec![0; mask.len()];
        let mut next = 0;
        for start in 0..mask.len() {
            if mask[start] == 0 || labels[start] > 0 {
                continue;
            }
            next += 1;
            let mut stack = vec![start];
            while let Some(i) = stack.pop() {
                if std::mem::replace(&mut labels[i], next) > 0 {
                    continue;
                }
                let (y, x) = (i / width, i % width);
                for v in y.saturating_sub(1)..(y + 2).min(height) {
                    let row = (x.saturating_sub(1)..(x + 2).min(width)).map(|u| v * width + u);
                    stack.extend(row.filter(|&j| mask[j] != 0 && labels[j] == 0));
                }
            }
        }
        labels
    }

    proptest! {
        #[test]
        fn equals_a_flood_fill(width in 1usize..12, bits in prop::collection::vec(prop::bool::weighted(0.4), 1..140)) {
            let height = bits.len().div_ceil(width);
            let mut mask: Vec<u8> = bits.into_iter().map(u8::from).collect();
            mask.resize(height * width, 0);
            let found = regions(&mask, height, width);
            prop_assert_eq!(&found.labels, &flood(&mask, height, width));
            for (r, &size) in found.sizes.iter().enumerate() {
                prop_assert_eq!(found.labels.iter().filter(|&&l| l as usize == r + 1).count() as u64, size);
            }
        }
    }

    #[test]
    fn diagonals_join_and_images_do_not() {
        #[rustfmt::skip]
        let masks = [
            1, 0, 0, 1,
            0, 1, 0, 1,   // the last column does not touch the next row's first
            1, 0, 0, 0,
            0, 0, 0, 0,
            1, 0, 1, 0,   // a V is joined by its tip
            0, 1, 0, 0,
        ];
        let found = regions(&masks, 3, 4);
        assert_eq!(found.sizes, [3, 2, 3]);
        assert_eq!(found.labels[16..], [3, 0, 3, 0, 0, 3, 0, 0]);
    }
}
