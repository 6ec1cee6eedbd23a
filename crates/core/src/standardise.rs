//! The scale of tables; the frame brings every data set of rows to it.

crate::choices! {
    /// How the values of tables are brought to one scale.
    pub enum Standardise {
        /// Values as they are.
        None = "none",
        /// Mean 0 and standard deviation 1 over the normals of the fold's meta-train domains.
        Pool = "pool",
        /// Over the samples read at once: a test batch by itself, without labels.
        Batch = "batch",
        /// As `pool`, and then sign(z) log(1 + |z|).
        SignedLog = "signed_log",
        /// The place among the normals of the fold's meta-train domains, from −1 to 1.
        Rank = "rank",
    }
}

crate::params! {
    /// The parameter that every tabular data set takes.
    pub struct Scale {
        /// none: values as they are; pool: mean 0 and standard deviation 1 over the normals of the meta-train domains
        /// (one-hot columns too); batch: over the samples read at once, so that a test batch is standardised by itself,
        /// without labels. Columns that never change are only centred. For heavy tails: signed_log: as pool, then
        /// sign(z) log(1 + |z|); rank: the share of the meta-train normals below the value less the share above it
        pub standardise: Standardise = Standardise::Pool;
    }
}

crate::params! {
    /// The same where values are of one scale from the beginning.
    pub struct AsTheyAre {
        /// see [`Scale`]
        pub scale: Scale = Scale { standardise: Standardise::None };
    }
}
