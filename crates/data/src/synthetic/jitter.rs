//! Small changes of colour, as torchvision's `ColorJitter` has them, in a fixed order.

use zsad_core::rng::Rng;

use super::patch::{Picture, uniform};

/// The most that brightness, contrast and saturation are multiplied by, less 1; and that the hue is turned by, of a full turn.
const MOST: f64 = 0.1;

/// Changes brightness, contrast and, of three channels, saturation and hue.
pub(super) fn apply(picture: &mut Picture, rng: &mut Rng) {
    let [brightness, contrast, saturation] = [(); 3].map(|()| uniform(1.0 - MOST, 1.0 + MOST, rng) as f32);
    let turn = uniform(-MOST, MOST, rng) as f32;
    let plane = picture.height * picture.width;
    picture.values.iter_mut().for_each(|v| *v = (*v * brightness).clamp(0.0, 1.0));
    let mean = (0..plane).map(|i| grey(picture, i)).sum::<f32>() / plane as f32;
    picture.values.iter_mut().for_each(|v| *v = (mean + contrast * (*v - mean)).clamp(0.0, 1.0));
    if picture.channels != 3 {
        return;
    }
    for i in 0..plane {
        let grey = grey(picture, i);
        let mixed = [0, 1, 2].map(|c| (grey + saturation * (picture.values[c * plane + i] - grey)).clamp(0.0, 1.0));
        let turned = turn_hue(mixed, turn);
        (0..3).for_each(|c| picture.values[c * plane + i] = turned[c]);
    }
}

/// The brightness of pixel `i` (ITU-R 601), or its only value.
fn grey(picture: &Picture, i: usize) -> f32 {
    let plane = picture.height * picture.width;
    match picture.channels {
        3 => 0.2989 * picture.values[i] + 0.587 * picture.values[plane + i] + 0.114 * picture.values[2 * plane + i],
        _ => picture.values[i],
    }
}

/// The colour with its hue turned by a share of a full turn; value and saturation (of HSV) stay.
fn turn_hue([r, g, b]: [f32; 3], by: f32) -> [f32; 3] {
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    let range = most - least;
    if range <= 0.0 {
        return [r, g, b];
    }
    let sixth = if most == r {
        (g - b) / range
    } else if most == g {
        (b - r) / range + 2.0
    } else {
        (r - g) / range + 4.0
    };
    let hue = (sixth + 6.0 * by).rem_euclid(6.0);
    let channel = |n: f32| {
        let k = (n + hue).rem_euclid(6.0);
        most - range * k.min(4.0 - k).clamp(0.0, 1.0)
    };
    [channel(5.0), channel(3.0), channel(1.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ```python
    /// import colorsys
    /// h, s, v = colorsys.rgb_to_hsv(.9, .4, .2); print(colorsys.hsv_to_rgb((h + .1) % 1, s, v))
    /// h, s, v = colorsys.rgb_to_hsv(.1, .3, .8); print(colorsys.hsv_to_rgb((h - .07) % 1, s, v))
    /// ```
    #[test]
    fn the_hue_turns_as_in_pythons_colorsys() {
        for (from, by, to) in [
            ([0.9, 0.4, 0.2], 0.1, [0.9, 0.82, 0.2]),
            ([0.1, 0.3, 0.8], -0.07, [0.1, 0.594, 0.8]),
            ([0.5, 0.5, 0.5], 0.1, [0.5, 0.5, 0.5]),
        ] {
            let got = turn_hue(from, by);
            assert!(got.iter().zip(to).all(|(g, t)| (g - t).abs() < 1e-5), "{got:?} is not {to:?}");
        }
    }
}
