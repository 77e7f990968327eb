//! Colours that people with any of the common colour deficiencies can tell apart: Okabe and Ito's eight
//! (<https://jfly.uni-koeln.de/color/>). What matters is said in words or numbers as well, never by colour alone.

pub(super) const ORANGE: &str = "#E69F00";
pub(super) const SKY: &str = "#56B4E9";
pub(super) const GREEN: &str = "#009E73";
pub(super) const YELLOW: &str = "#F0E442";
pub(super) const BLUE: &str = "#0072B2";
pub(super) const VERMILLION: &str = "#D55E00";
pub(super) const PURPLE: &str = "#CC79A7";
/// In the place of black, which a dark page hides.
pub(super) const GREY: &str = "#999999";

/// What is as it should be.
pub(super) const GOOD: &str = BLUE;
/// What needs a look.
pub(super) const WARNING: &str = ORANGE;
/// What is wrong.
pub(super) const BAD: &str = VERMILLION;
/// What nobody knows.
pub(super) const UNKNOWN: &str = GREY;

/// For series of different things, in their order. Any two of the first seven can be told apart whatever colours one sees;
/// grey, the last, is drawn dashed beside green or purple.
pub(super) const SERIES: [&str; 8] = [BLUE, VERMILLION, GREEN, ORANGE, SKY, PURPLE, YELLOW, GREY];

/// For the greatest few of a kind, the greatest first.
pub(super) const RANKS: [&str; 5] = [VERMILLION, BLUE, GREEN, ORANGE, SKY];

/// Of heatmaps.
pub(super) const SCHEME: &str = "Cividis";
