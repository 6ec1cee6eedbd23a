#!/usr/bin/env python3
"""Make crates/data/tests/golden/corruptions.npz: the published CIFAR-C corruptions by other libraries.

    golden_corruptions.py OUT.npz

Needs numpy, scipy, scikit-image, Pillow, Wand with ImageMagick 6 or 7, and OpenCV 4 (its affine warp rounds positions
to 1/32 pixel, as it did when CIFAR-100-C was made; OpenCV 5 does not). The functions follow make_cifar_c.py of
Hendrycks and Dietterich; chance is replaced by a formula that the test repeats: draw k is frac(0.1 + k / golden
ratio), a "normal" is 4 u - 2, a "Poisson" of mean m is floor(m + sqrt(m) (4 u - 2)), never below 0.
"""

import ctypes
import io
import sys

import cv2
import numpy as np
from PIL import Image
from scipy.ndimage import map_coordinates, zoom
from skimage.color import hsv2rgb, rgb2hsv
from skimage.filters import gaussian
from wand.api import library as wand
from wand.image import Image as WandImage

assert cv2.__version__.startswith("4."), cv2.__version__
wand.MagickMotionBlurImage.argtypes = (ctypes.c_void_p, ctypes.c_double, ctypes.c_double, ctypes.c_double)


class Chance:
    def __init__(self):
        self.k = 0

    def u(self, shape):
        n = int(np.prod(shape))
        x = 0.1 + np.arange(self.k, self.k + n) * 0.6180339887498949
        self.k += n
        return (x - np.floor(x)).reshape(shape)

    def uniform(self, low, high, shape=()):
        return low + (high - low) * self.u(shape)

    def normal(self, shape):
        return 4 * self.u(shape) - 2

    def poisson(self, mean):
        return np.maximum(np.floor(mean + np.sqrt(mean) * self.normal(mean.shape)), 0)


def picture():
    """Waves, a ramp, a white and a grey square and a dark bar."""
    y, x = np.mgrid[0:32, 0:32]
    a = np.stack([127 + 100 * np.sin(0.5 * x + 0.2 * y), 40 + 6 * y + 0 * x, 128 + 120 * np.cos(0.3 * x * y / 8)], -1)
    a[4:10, 4:10], a[20:26, 6:14], a[:, 24:27] = 255, 128, (10, 20, 30)
    return np.clip(a, 0, 255).astype(np.uint8)


def gaussian_noise(x, s, r):
    return x + [0.04, 0.06, 0.08, 0.09, 0.10][s] * r.normal(x.shape)


def shot_noise(x, s, r):
    c = [500, 250, 100, 75, 50][s]
    return r.poisson(x * c) / c


def impulse_noise(x, s, r):
    flipped = r.u(x.shape) < [0.01, 0.02, 0.03, 0.05, 0.07][s]
    salted = r.u(x.shape) < 0.5
    return np.where(flipped, salted * 1.0, x)


def speckle_noise(x, s, r):
    return x + x * ([0.06, 0.1, 0.12, 0.16, 0.2][s] * r.normal(x.shape))


def gaussian_blur(x, s, r):
    return gaussian(x, sigma=[0.4, 0.6, 0.7, 0.8, 1][s], channel_axis=-1)


def glass_blur(x, s, r):
    sigma, reach, rounds = [(0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)][s]
    x = np.uint8(gaussian(x, sigma=sigma, channel_axis=-1) * 255)
    for _ in range(rounds):
        for h in range(32 - reach, reach, -1):
            for w in range(32 - reach, reach, -1):
                dx, dy = np.floor(r.uniform(-reach, reach, 2)).astype(int)
                x[h, w], x[h + dy, w + dx] = x[h + dy, w + dx], x[h, w]
    return gaussian(x / 255.0, sigma=sigma, channel_axis=-1)


def defocus_blur(x, s, r):
    radius, alias = [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)][s]
    a, b = np.meshgrid(np.arange(-8, 9), np.arange(-8, 9))
    disk = np.array(a**2 + b**2 <= radius**2, dtype=np.float32)
    kernel = cv2.GaussianBlur(disk / disk.sum(), ksize=(3, 3), sigmaX=alias)
    return np.stack([cv2.filter2D(np.ascontiguousarray(x[:, :, d]), -1, kernel) for d in range(3)], -1)


def imagemagick_motion(x, radius, sigma, angle):
    png = io.BytesIO()
    Image.fromarray(x).save(png, "PNG")
    with WandImage(blob=png.getvalue()) as image:
        wand.MagickMotionBlurImage(image.wand, radius, sigma, angle)
        out = cv2.imdecode(np.frombuffer(image.make_blob(), np.uint8), cv2.IMREAD_UNCHANGED)
    return out if out.ndim == 2 else out[..., [2, 1, 0]]


def motion_blur(x, s, r):
    radius, sigma = [(6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)][s]
    return imagemagick_motion(np.uint8(np.round(x * 255)), radius, sigma, float(r.uniform(-45, 45)))


def clipped_zoom(x, factor):
    size = int(np.ceil(32 / factor))
    top = (32 - size) // 2
    x = zoom(x[top : top + size, top : top + size], (factor, factor, 1), order=1)
    top = (x.shape[0] - 32) // 2
    return x[top : top + 32, top : top + 32]


def zoom_blur(x, s, r):
    factors = np.arange(1, [1.06, 1.11, 1.16, 1.21, 1.26][s], 0.01)
    x = x.astype(np.float32)
    out = np.zeros_like(x)
    for factor in factors:
        out += clipped_zoom(x, factor)
    return (x + out) / (len(factors) + 1)


def plasma(decay, r, n=32):
    field = np.zeros((n, n))
    step, wibble = n, 100

    def jitter(a):
        return a / 4 + wibble * r.uniform(-wibble, wibble, a.shape)

    while step >= 2:
        half = step // 2
        corners = field[0:n:step, 0:n:step]
        four = corners + np.roll(corners, -1, 0)
        four = four + np.roll(four, -1, 1)
        field[half:n:step, half:n:step] = jitter(four)
        middles, corners = field[half:n:step, half:n:step], field[0:n:step, 0:n:step]
        field[0:n:step, half:n:step] = jitter(middles + np.roll(middles, 1, 0) + (corners + np.roll(corners, -1, 1)))
        field[half:n:step, 0:n:step] = jitter(middles + np.roll(middles, 1, 1) + (corners + np.roll(corners, -1, 0)))
        step, wibble = half, wibble / decay
    field -= field.min()
    return field / field.max()


def fog(x, s, r):
    c = [(0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)][s]
    top = x.max()
    return (x + c[0] * plasma(c[1], r)[..., None]) * top / (top + c[0])


def snow(x, s, r):
    c = [
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    ][s]
    x = x.astype(np.float32)
    layer = clipped_zoom((c[0] + c[1] * r.normal((32, 32)))[..., None], c[2])[..., 0]
    layer = np.where(layer < c[3], 0, layer)
    layer = (np.clip(layer, 0, 1) * 255).astype(np.uint8)
    layer = imagemagick_motion(layer, c[4], c[5], float(r.uniform(-135, -45)))[..., None] / 255.0
    grey = cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)[..., None]
    return c[6] * x + (1 - c[6]) * np.maximum(x, grey * 1.5 + 0.5) + layer + np.rot90(layer, k=2)


def brightness(x, s, r):
    x = rgb2hsv(x)
    x[:, :, 2] = np.clip(x[:, :, 2] + [0.05, 0.1, 0.15, 0.2, 0.3][s], 0, 1)
    return hsv2rgb(x)


def contrast(x, s, r):
    mean = np.mean(x, axis=(0, 1), keepdims=True)
    return (x - mean) * [0.75, 0.5, 0.4, 0.3, 0.15][s] + mean


def saturate(x, s, r):
    c = [(0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)][s]
    x = rgb2hsv(x)
    x[:, :, 1] = np.clip(x[:, :, 1] * c[0] + c[1], 0, 1)
    return hsv2rgb(x)


def pixelate(x, s, r):
    side = int(32 * [0.95, 0.9, 0.85, 0.75, 0.65][s])
    small = Image.fromarray(np.uint8(np.round(x * 255))).resize((side, side), Image.Resampling.BOX)
    return np.asarray(small.resize((32, 32), Image.Resampling.BOX))


def jpeg_compression(x, s, r):
    out = io.BytesIO()
    Image.fromarray(np.uint8(np.round(x * 255))).save(out, "JPEG", quality=[80, 65, 58, 50, 40][s])
    return np.asarray(Image.open(out))


def elastic_transform(x, s, r):
    c = [(0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)][s]
    amount, sigma, affine = 32 * np.array(c)
    x = x.astype(np.float32)
    before = np.float32([[26, 26], [26, 6], [6, 6]])
    after = before + r.uniform(-affine, affine, (3, 2)).astype(np.float32)
    x = cv2.warpAffine(x, cv2.getAffineTransform(before, after), (32, 32), borderMode=cv2.BORDER_REFLECT_101)
    shift = [
        (gaussian(r.uniform(-1, 1, (32, 32)), sigma, mode="reflect", truncate=3) * amount).astype(np.float32)[..., None]
        for _ in range(2)
    ]
    b, a, z = np.meshgrid(np.arange(32), np.arange(32), np.arange(3))
    return map_coordinates(x, [a + shift[1], b + shift[0], z], order=1, mode="reflect")


CORRUPTIONS = [
    brightness, contrast, defocus_blur, elastic_transform, fog, gaussian_blur, gaussian_noise, glass_blur,
    impulse_noise, jpeg_compression, motion_blur, pixelate, saturate, shot_noise, snow, speckle_noise, zoom_blur,
]  # fmt: skip


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    clean = picture()
    arrays = {"clean": clean}
    for corruption in CORRUPTIONS:
        outs = []
        for severity in (1, 3, 5):
            out = corruption(clean / 255.0, severity - 1, Chance())
            outs.append(out if out.dtype == np.uint8 else np.uint8(np.clip(out, 0, 1) * 255))
        arrays[corruption.__name__] = np.stack(outs)
    np.savez_compressed(sys.argv[1], **arrays)


if __name__ == "__main__":
    main()
