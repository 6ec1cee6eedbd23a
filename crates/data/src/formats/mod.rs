//! File formats: idx, npy, npz, tables, trees of images.

mod blocks;
mod csv;
pub mod idx;
pub mod image_tree;
pub mod npy;
pub mod npz;
pub mod table;

#[cfg(test)]
mod npz_tests;
#[cfg(test)]
mod table_tests;
