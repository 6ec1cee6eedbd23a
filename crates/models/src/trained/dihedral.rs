//! Rotated and mirrored images: eight domains of one.

use zsad_core::{DatasetInfo, Error, Modality, Result};

zsad_core::choices! {
    /// What makes more domains of one.
    pub enum TaskAugment {
        /// Nothing.
        None = "none",
        /// The eight symmetries of the square, each of which makes a domain of its own.
        RotateFlip = "rotate_flip",
    }
}

impl TaskAugment {
    /// Domains that it makes of one.
    pub fn variants(self) -> usize {
        match self {
            TaskAugment::None => 1,
            TaskAugment::RotateFlip => 8,
        }
    }

    /// Refuses data that cannot be rotated.
    ///
    /// # Errors
    /// [`Error::Refused`] where the samples are no square images.
    pub fn check(self, info: &DatasetInfo) -> Result<()> {
        match (self, &info.modality) {
            (TaskAugment::RotateFlip, Modality::Image { height, width, .. }) if height == width => Ok(()),
            (TaskAugment::RotateFlip, _) => {
                let name = &info.name;
                Err(Error::refused(format!(
                    "{name}: `task_augment: rotate_flip` needs square images; hint: `task_augment: none`"
                )))
            }
            (TaskAugment::None, _) => Ok(()),
        }
    }
}

/// Variant `k` of 0 … 7 of a plane `[side, side]`: a quarter turn against the clock `k % 4` times, and from 4 on mirrored
/// left to right afterwards.
pub fn variant(plane: &[f32], side: usize, k: usize) -> Vec<f32> {
    let last = side - 1;
    let at = |i: usize, j: usize| {
        let j = if k < 4 { j } else { last - j };
        let (row, column) = match k % 4 {
            0 => (i, j),
            1 => (j, last - i),
            2 => (last - i, last - j),
            _ => (last - j, i),
        };
        plane[row * side + column]
    };
    (0..side * side).map(|p| at(p / side, p % side)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ```python
    /// x = np.arange(9).reshape(3, 3)
    /// for k in range(8):
    ///     y = np.rot90(x, k % 4); print((y if k < 4 else np.fliplr(y)).ravel().tolist())
    /// ```
    #[test]
    fn variants_are_those_of_numpy() {
        let wanted = [
            [0, 1, 2, 3, 4, 5, 6, 7, 8],
            [2, 5, 8, 1, 4, 7, 0, 3, 6],
            [8, 7, 6, 5, 4, 3, 2, 1, 0],
            [6, 3, 0, 7, 4, 1, 8, 5, 2],
            [2, 1, 0, 5, 4, 3, 8, 7, 6],
            [8, 5, 2, 7, 4, 1, 6, 3, 0],
            [6, 7, 8, 3, 4, 5, 0, 1, 2],
            [0, 3, 6, 1, 4, 7, 2, 5, 8],
        ];
        let x: Vec<f32> = (0..9).map(|i| i as f32).collect();
        for (k, wanted) in wanted.iter().enumerate() {
            assert_eq!(variant(&x, 3, k), wanted.map(|v| v as f32), "{k}");
        }
    }
}
