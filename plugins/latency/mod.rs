//! Decision: what frames' ways took: the legs between their stamps, percentiles of the last seconds, and histograms since
//! the start. `latencystats` shows them of one place, `wswebrtcsink` of the whole way to each consumer's screen.
//!
//! ```text
//! stamps ─▶ way (its legs add up to the whole) ─▶ recent │ window (percentiles)
//!                                              └▶ totals (histograms, which only grow)
//! ```

pub mod figures;
pub mod recent;
pub mod totals;
pub mod way;
pub mod window;
