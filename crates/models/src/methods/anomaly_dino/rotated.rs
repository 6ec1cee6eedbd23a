//! References turned about their centre.

use zsad_core::{Environment, Modality, Result, SampleId, SampleSource, Samples, Silent, Values};

use crate::families::features::{Selected, View};

/// The references of `support`, turned by `degrees`, with their features: these are of no file's rows and are not kept on disk.
pub(super) fn view<'a>(selected: &Selected, support: &View<'a>, degrees: f64) -> Result<View<'a>> {
    let batch = support.batch();
    let turned = Turned { source: batch.source(), degrees };
    let env = Environment { cache: None, ..batch.env().clone() };
    let store = selected.open(&turned, support.ids(), &env, &Silent)?;
    View::new(batch, store, support.ids().to_vec())
}

/// A source whose images are turned.
struct Turned<'a> {
    source: &'a dyn SampleSource,
    degrees: f64,
}

impl SampleSource for Turned<'_> {
    fn modality(&self) -> &Modality {
        self.source.modality()
    }

    fn domain_name(&self, domain: u32) -> &str {
        self.source.domain_name(domain)
    }

    fn rows(&self, domain: u32) -> usize {
        self.source.rows(domain)
    }

    fn identity(&self, domain: u32) -> Option<String> {
        self.source.identity(domain).map(|identity| format!("{identity}, turned by {} degrees", self.degrees))
    }

    fn gather(&self, ids: &[SampleId]) -> Result<Samples> {
        let images = self.source.gather(ids)?;
        let shape = images.shape().to_vec();
        let &[_, height, width] = shape.as_slice() else { return Ok(images) };
        let values = images.to_f32();
        let planes = values.chunks_exact(height * width).flat_map(|plane| turned(plane, width, self.degrees)).collect();
        Ok(Samples::new(shape, Values::F32(planes)))
    }
}

/// A plane turned anticlockwise about (width / 2, height / 2), bilinearly, borders mirrored without the edge pixel: OpenCV's
/// `warpAffine(image, getRotationMatrix2D((w / 2, h / 2), degrees, 1), …, INTER_LINEAR, BORDER_REFLECT_101)`.
fn turned(plane: &[f32], width: usize, degrees: f64) -> Vec<f32> {
    let height = plane.len() / width;
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (cx, cy) = (width as f64 / 2.0, height as f64 / 2.0);
    let value = |y: usize, x: usize| {
        let (dx, dy) = (x as f64 - cx, y as f64 - cy);
        let (from_x, from_y) = (cos * dx - sin * dy + cx, sin * dx + cos * dy + cy);
        let (left, top) = (from_x.floor(), from_y.floor());
        let (fx, fy) = (from_x - left, from_y - top);
        let at = |y: f64, x: f64| f64::from(plane[mirror(y as i64, height) * width + mirror(x as i64, width)]);
        let upper = at(top, left) * (1.0 - fx) + at(top, left + 1.0) * fx;
        let lower = at(top + 1.0, left) * (1.0 - fx) + at(top + 1.0, left + 1.0) * fx;
        (upper * (1.0 - fy) + lower * fy) as f32
    };
    (0..height).flat_map(|y| (0..width).map(move |x| (y, x))).map(|(y, x)| value(y, x)).collect()
}

/// `… c b | a b c | b a …`
fn mirror(i: i64, n: usize) -> usize {
    if n == 1 {
        return 0;
    }
    let period = 2 * (n - 1);
    let i = i.rem_euclid(period as i64) as usize;
    i.min(period - i)
}

#[cfg(test)]
mod tests {
    use super::*;

    // import numpy as np; from scipy.ndimage import affine_transform
    // p = np.sin(.9 * np.arange(30)).reshape(5, 6); a = np.radians(45); c, s = np.cos(a), np.sin(a); m = np.array([[c, s], [-s, c]])
    // centre = np.array([2.5, 3.]); q = affine_transform(p, m, centre - m @ centre, order=1, mode="mirror"); print(q[0], q[3])
    #[test]
    fn turned_planes_are_scipys() {
        let plane: Vec<f32> = (0..30).map(|i| (0.9 * f64::from(i)).sin() as f32).collect();
        let found = turned(&plane, 6, 45.0);
        let rows = [&found[..6], &found[18..24]].concat();
        assert!(rows.iter().zip(TURNED).all(|(f, w)| (f64::from(*f) - w).abs() < 1e-6), "{rows:?}");
        assert_eq!(turned(&plane, 6, 0.0), plane);
    }

    const TURNED: [f64; 12] = [
        0.7612522799957965,
        0.5650643322956683,
        -0.4540103904029219,
        -0.4156203349087884,
        0.2680147237556709,
        0.8979154597368534,
        -0.15209437436491458,
        -0.14301836932224257,
        -0.12454489294095374,
        -0.1209732925990754,
        -0.11409228036218742,
        0.3030674693436124,
    ];
}
