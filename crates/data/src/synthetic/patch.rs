//! Pictures and rectangles of them.

use rand::RngExt;
use zsad_core::rng::Rng;

/// Values in 0 … 1, channel after channel.
pub(super) struct Picture {
    pub values: Vec<f32>,
    pub channels: usize,
    pub height: usize,
    pub width: usize,
}

impl Picture {
    pub fn new(values: Vec<f32>, [channels, height, width]: [usize; 3]) -> Self {
        Picture { values, channels, height, width }
    }

    pub fn at(&self, channel: usize, y: usize, x: usize) -> usize {
        (channel * self.height + y) * self.width + x
    }

    /// A rectangle of `height` × `width` with its corner at a place that is drawn, as a picture of its own.
    pub fn cut(&self, (height, width): (usize, usize), rng: &mut Rng) -> Picture {
        let (top, left) = self.place((height, width), rng);
        let mut values = Vec::with_capacity(self.channels * height * width);
        for channel in 0..self.channels {
            for y in top..top + height {
                values.extend_from_slice(&self.values[self.at(channel, y, left)..][..width]);
            }
        }
        Picture::new(values, [self.channels, height, width])
    }

    /// The corner of a rectangle that lies inside.
    pub fn place(&self, (height, width): (usize, usize), rng: &mut Rng) -> (usize, usize) {
        (rng.random_range(0..=self.height - height), rng.random_range(0..=self.width - width))
    }
}

/// Uniform between two numbers.
pub(super) fn uniform(low: f64, high: f64, rng: &mut Rng) -> f64 {
    low + (high - low) * rng.random::<f64>()
}
