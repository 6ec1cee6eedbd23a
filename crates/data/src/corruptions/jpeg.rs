//! JPEG compression: what a picture loses in a JPEG file, without the file.
//!
//! The entropy coding of JPEG is lossless, so only the rest is computed, with the integer arithmetic of libjpeg
//! (accurate DCT, 4:2:0 chroma, triangle-filter upsampling): the same bytes as Pillow reads back.

use super::draws::Draws;
use super::pixels::SIDE;

const LUMA: [i32; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
];
const CHROMA: [i32; 64] = [
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99,
];

/// The picture as it comes back from a JPEG file of the given quality.
pub fn jpeg_compression(image: &[u8], severity: usize, _: &mut dyn Draws) -> Vec<u8> {
    let quality = [80, 65, 58, 50, 40][severity];
    let scale = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
    let table = |base: [i32; 64]| base.map(|q| ((q * scale + 50) / 100).clamp(1, 255));
    let (luma, chroma) = (table(LUMA), table(CHROMA));
    let planes: Vec<[i32; 3]> = image.chunks_exact(3).map(to_ycc).collect();
    let plane = |k: usize| planes.iter().map(|p| p[k]).collect::<Vec<_>>();
    let y = lose(&plane(0), SIDE, &luma);
    let cb = upsample(&lose(&downsample(&plane(1)), SIDE / 2, &chroma));
    let cr = upsample(&lose(&downsample(&plane(2)), SIDE / 2, &chroma));
    (0..y.len()).flat_map(|i| to_rgb(y[i], cb[i] - 128, cr[i] - 128)).collect()
}

/// `x` of the colour equations with 16 fractional bits.
fn fix(x: f64) -> i32 {
    (x * 65536.0 + 0.5) as i32
}

const HALF: i32 = 1 << 15;

fn to_ycc(pixel: &[u8]) -> [i32; 3] {
    let [r, g, b] = [0, 1, 2].map(|k| i32::from(pixel[k]));
    let chroma = (128 << 16) + HALF - 1;
    [
        (fix(0.299) * r + fix(0.587) * g + fix(0.114) * b + HALF) >> 16,
        (-fix(0.168_735_892) * r - fix(0.331_264_108) * g + fix(0.5) * b + chroma) >> 16,
        (fix(0.5) * r - fix(0.418_687_589) * g - fix(0.081_312_411) * b + chroma) >> 16,
    ]
}

fn to_rgb(y: i32, cb: i32, cr: i32) -> [u8; 3] {
    let r = y + ((fix(1.402) * cr + HALF) >> 16);
    let g = y + ((-fix(0.344_136_286) * cb - fix(0.714_136_286) * cr + HALF) >> 16);
    let b = y + ((fix(1.772) * cb + HALF) >> 16);
    [r, g, b].map(|v| v.clamp(0, 255) as u8)
}

/// Means of 2×2 pixels; ties go down and up in turn.
fn downsample(plane: &[i32]) -> Vec<i32> {
    let half = SIDE / 2;
    let mean = |i: usize| {
        let at = i / half * 2 * SIDE + i % half * 2;
        let sum = plane[at] + plane[at + 1] + plane[at + SIDE] + plane[at + SIDE + 1];
        (sum + 1 + (i % 2) as i32) >> 2
    };
    (0..half * half).map(mean).collect()
}

/// Twice the size with the triangle filter: 9/16 of the nearest sample, 3/16 of its neighbours, 1/16 of the diagonal.
fn upsample(plane: &[i32]) -> Vec<i32> {
    let half = SIDE / 2;
    let mut out = Vec::with_capacity(SIDE * SIDE);
    for y in 0..SIDE {
        let near = y / 2;
        let far = if y % 2 == 0 { near.saturating_sub(1) } else { (near + 1).min(half - 1) };
        let column = |x: usize| 3 * plane[near * half + x] + plane[far * half + x];
        for x in 0..half {
            out.push((3 * column(x) + column(x.saturating_sub(1)) + 8) >> 4);
            out.push((3 * column(x) + column((x + 1).min(half - 1)) + 7) >> 4);
        }
    }
    out
}

/// A plane after DCT, quantisation and back, block by block.
fn lose(plane: &[i32], side: usize, table: &[i32; 64]) -> Vec<i32> {
    let mut out = vec![0; plane.len()];
    for (top, left) in (0..side).step_by(8).flat_map(|y| (0..side).step_by(8).map(move |x| (y, x))) {
        let at = |i: usize| (top + i / 8) * side + left + i % 8;
        let mut block = [0; 64];
        (0..64).for_each(|i| block[i] = plane[at(i)] - 128);
        passes(&mut block, forward, [(1, 8, 11), (8, 1, 15)]);
        for (v, q) in block.iter_mut().zip(table) {
            // The forward transform leaves a factor of 8.
            *v = v.signum() * ((v.abs() + 4 * q) / (8 * q)) * q;
        }
        passes(&mut block, inverse, [(8, 1, 11), (1, 8, 18)]);
        (0..64).for_each(|i| out[at(i)] = (block[i] + 128).clamp(0, 255));
    }
    out
}

/// Two passes of a transform of eight values; each is (stride inside a line, stride between lines, bits to drop).
fn passes(block: &mut [i32; 64], transform: fn([i32; 8]) -> [i32; 8], passes: [(usize, usize, u32); 2]) {
    for (inside, between, bits) in passes {
        for line in 0..8 {
            let at = |i: usize| line * between + i * inside;
            let out = transform(std::array::from_fn(|i| block[at(i)]));
            (0..8).for_each(|i| block[at(i)] = (out[i] + (1 << (bits - 1))) >> bits);
        }
    }
}

// Loeffler, Ligtenberg and Moschytz's transform with libjpeg's constants: x · 2^13.
const C0_298: i32 = 2446;
const C0_390: i32 = 3196;
const C0_541: i32 = 4433;
const C0_765: i32 = 6270;
const C0_899: i32 = 7373;
const C1_175: i32 = 9633;
const C1_501: i32 = 12299;
const C1_847: i32 = 15137;
const C1_961: i32 = 16069;
const C2_053: i32 = 16819;
const C2_562: i32 = 20995;
const C3_072: i32 = 25172;

/// The rotations that both directions share, of the odd part: `[t0, t1, t2, t3]` in the order of libjpeg's `tmp4`–`tmp7`
/// forward and `tmp0`–`tmp3` back.
fn odd_part(t: [i32; 4]) -> [i32; 4] {
    let (z1, z2) = (-(t[0] + t[3]) * C0_899, -(t[1] + t[2]) * C2_562);
    let (z3, z4) = (t[0] + t[2], t[1] + t[3]);
    let z5 = (z3 + z4) * C1_175;
    let (z3, z4) = (z5 - z3 * C1_961, z5 - z4 * C0_390);
    [t[0] * C0_298 + z1 + z3, t[1] * C2_053 + z2 + z4, t[2] * C3_072 + z2 + z3, t[3] * C1_501 + z1 + z4]
}

/// Eight samples to frequencies, · 2^13.
fn forward(d: [i32; 8]) -> [i32; 8] {
    let sum = |i: usize| d[i] + d[7 - i];
    let difference = |i: usize| d[i] - d[7 - i];
    let (outer, inner) = (sum(0) + sum(3), sum(1) + sum(2));
    let (outer_d, inner_d) = (sum(0) - sum(3), sum(1) - sum(2));
    let z = (inner_d + outer_d) * C0_541;
    let odd = odd_part([difference(3), difference(2), difference(1), difference(0)]);
    [
        (outer + inner) << 13,
        odd[3],
        z + outer_d * C0_765,
        odd[2],
        (outer - inner) << 13,
        odd[1],
        z - inner_d * C1_847,
        odd[0],
    ]
}

/// Eight frequencies to samples, · 2^13.
fn inverse(d: [i32; 8]) -> [i32; 8] {
    let z = (d[2] + d[6]) * C0_541;
    let (low, high) = (z - d[6] * C1_847, z + d[2] * C0_765);
    let (plus, minus) = ((d[0] + d[4]) << 13, (d[0] - d[4]) << 13);
    let even = [plus + high, minus + low, minus - low, plus - high];
    let odd = odd_part([d[7], d[5], d[3], d[1]]);
    std::array::from_fn(|i| if i < 4 { even[i] + odd[3 - i] } else { even[7 - i] - odd[i - 4] })
}
