//! Where the pixels of a 3×3 convolution with padding 1 lie.

use crate::kernels::gemm::RowMap;

/// A 3×3 convolution of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Conv {
    /// Input channels.
    pub c: usize,
    /// Filters.
    pub o: usize,
    /// Input height.
    pub h: usize,
    /// Input width.
    pub w: usize,
    /// 1 or 2.
    pub stride: usize,
}

/// Channels-last images `[h, w, c]` inside a frame of zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framed {
    h: usize,
    w: usize,
    c: usize,
    /// Zeros above and to the left, and below and to the right.
    frame: (usize, usize),
}

impl Framed {
    /// Values of an image with its frame.
    pub fn len(&self) -> usize {
        (self.h + self.frame.0 + self.frame.1) * self.row()
    }

    /// Values of a row of pixels with its frame.
    pub fn row(&self) -> usize {
        (self.w + self.frame.0 + self.frame.1) * self.c
    }

    /// Where the pixels lie.
    pub fn pixels(&self) -> RowMap {
        let f = self.frame.0;
        self.grid(self.h, self.w, |y, x| (y + f, x + f))
    }

    /// Offsets, in the framed image, of what `at` says for each pixel of an `h` × `w` grid.
    pub fn grid(&self, h: usize, w: usize, at: impl Fn(usize, usize) -> (usize, usize)) -> RowMap {
        let offset = |(y, x): (usize, usize)| y * self.row() + x * self.c;
        let image = (0..h).flat_map(|y| (0..w).map(move |x| (y, x))).map(|(y, x)| offset(at(y, x))).collect();
        RowMap { image, stride: self.len() }
    }
}

impl Conv {
    /// Output height.
    pub fn oh(&self) -> usize {
        (self.h - 1) / self.stride + 1
    }

    /// Output width.
    pub fn ow(&self) -> usize {
        (self.w - 1) / self.stride + 1
    }

    /// The convolution of stride 1 that its input's gradient is: channels and filters exchanged.
    pub fn turned(&self) -> Conv {
        Conv { c: self.o, o: self.c, ..*self }
    }

    /// How the input must lie.
    pub fn input(&self) -> Framed {
        Framed { h: self.h, w: self.w, c: self.c, frame: (1, 1) }
    }

    /// How an image without a frame lies.
    pub fn plain(&self) -> Framed {
        Framed { frame: (0, 0), ..self.input() }
    }

    /// How the output's gradient must lie.
    pub fn gradient(&self) -> Framed {
        let frame = if self.stride == 1 { (1, 1) } else { (0, 1) };
        Framed { h: self.oh(), w: self.ow(), c: self.o, frame }
    }

    /// Where the window of each output pixel starts in the framed input.
    pub fn windows(&self) -> RowMap {
        self.input().grid(self.oh(), self.ow(), |y, x| (y * self.stride, x * self.stride))
    }
}
