//! File formats: idx, npy, npz, tables, trees of images.

pub mod idx;
pub mod image_tree;
pub mod npy;
pub mod npz;
pub mod table;

#[cfg(test)]
mod npz_tests;
