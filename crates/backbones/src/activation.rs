//! Activations between layers: channels last, with a border of zeros, in buffers that are used again.

/// Channels are processed in blocks of this many lanes.
pub(crate) const LANES: usize = 16;

/// `[n, h + 2 border, w + 2 border, stride]`, of which the first `c` channels are meant.
///
/// The border is zero, so convolutions read their padding from memory. Producers write whole blocks of [`LANES`]
/// channels; what lies behind channel `c` in the last block is zero, what lies behind that block is never read.
#[derive(Debug, Default)]
pub(crate) struct Activation {
    pub n: usize,
    pub h: usize,
    pub w: usize,
    pub c: usize,
    /// Distance of neighbouring pixels in values.
    pub stride: usize,
    pub border: usize,
    pub data: Vec<f32>,
}

impl Activation {
    /// Gives the buffer another shape; its inside keeps whatever it held.
    pub fn reset(&mut self, n: usize, h: usize, w: usize, c: usize, border: usize) {
        let lanes = c.next_multiple_of(LANES);
        // A power of two of several KiB between neighbours would put a whole tile into one set of the L1 cache.
        let stride = if lanes.is_multiple_of(512) { lanes + LANES } else { lanes };
        self.reshape(n, h, w, c, stride, border);
    }

    /// As [`Activation::reset`], with pixels of exactly `c` values: for the network's input of three channels.
    pub fn reset_dense(&mut self, n: usize, h: usize, w: usize, c: usize, border: usize) {
        self.reshape(n, h, w, c, c, border);
    }

    fn reshape(&mut self, n: usize, h: usize, w: usize, c: usize, stride: usize, border: usize) {
        (self.n, self.h, self.w, self.c, self.stride, self.border) = (n, h, w, c, stride, border);
        self.data.resize(n * self.image_stride(), 0.0);
        let (row, side, image) = (self.row_stride(), border * stride, self.image_stride());
        for image in self.data.chunks_exact_mut(image.max(1)) {
            let (top, rest) = image.split_at_mut(border * row);
            let (inside, bottom) = rest.split_at_mut(h * row);
            top.fill(0.0);
            bottom.fill(0.0);
            for line in inside.chunks_exact_mut(row) {
                line[..side].fill(0.0);
                line[row - side..].fill(0.0);
            }
        }
    }

    /// Distance of neighbouring rows in values.
    pub fn row_stride(&self) -> usize {
        (self.w + 2 * self.border) * self.stride
    }

    /// Distance of neighbouring images in values.
    pub fn image_stride(&self) -> usize {
        (self.h + 2 * self.border) * self.row_stride()
    }

    /// Where pixel (0, 0) of image `n` begins.
    pub fn origin(&self, n: usize) -> usize {
        n * self.image_stride() + self.border * (self.row_stride() + self.stride)
    }

    /// Image `n` as `[c, h, w]`.
    pub fn write_chw(&self, n: usize, out: &mut [f32]) {
        let (row, plane) = (self.row_stride(), self.h * self.w);
        for y in 0..self.h {
            let line = &self.data[self.origin(n) + y * row..][..self.w * self.stride];
            for (x, pixel) in line.chunks_exact(self.stride).enumerate() {
                let at = y * self.w + x;
                for (value, out) in pixel[..self.c].iter().zip(out[at..].iter_mut().step_by(plane)) {
                    *out = *value;
                }
            }
        }
    }
}

/// A pointer that tasks on several threads write through, each to elements of its own.
#[derive(Clone, Copy)]
pub(crate) struct SharedMut(pub *mut f32);

// SAFETY: the pointer is only an address; every use states why its writes are disjoint.
unsafe impl Send for SharedMut {}
// SAFETY: as above.
unsafe impl Sync for SharedMut {}

impl SharedMut {
    /// The pointer (a method, so that closures capture the whole wrapper).
    pub fn get(self) -> *mut f32 {
        self.0
    }
}
