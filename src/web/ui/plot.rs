//! The frame of a drawing over time: axes with units, both ends labelled, what is unknown as such.

use maud::{Markup, html};

use super::chart::{Scale, time_ticks};
use super::view::View;
use crate::engine::time::Timestamp;

/// A drawing's width, and the room around it for labels. All have the same, so that one stands below the other.
pub(in crate::web) const WIDTH: f64 = 640.0;
pub(in crate::web) const LEFT: f64 = 48.0;
const RIGHT: f64 = 12.0;
const BELOW: f64 = 26.0;
/// Above the drawing, for the unit.
pub(in crate::web) const TOP: f64 = 24.0;

/// Most labels between the ends of the time axis: a phone shows the drawing at half its size.
const TIMES: usize = 5;

/// Room that a label of the time axis takes.
const LABEL: f64 = 56.0;

/// A drawing of this height over this time.
#[derive(Clone, Copy, Debug)]
pub(in crate::web) struct Plot {
    pub(in crate::web) from: Timestamp,
    pub(in crate::web) to: Timestamp,
    pub(in crate::web) height: f64,
}

impl Plot {
    pub(in crate::web) fn x(&self) -> Scale {
        Scale { from: self.from.as_ms() as f64, to: self.to.as_ms() as f64, start: LEFT, end: WIDTH - RIGHT }
    }

    /// The axis of values from 0 to `most`.
    pub(in crate::web) fn y(&self, most: f64) -> Scale {
        Scale { from: 0.0, to: most, start: TOP + self.height, end: TOP }
    }

    pub(in crate::web) fn view_box(&self) -> String {
        format!("0 0 {WIDTH} {}", TOP + self.height + BELOW)
    }

    /// The axes: values with their unit on the left, times below, with both ends.
    pub(in crate::web) fn axes(&self, view: &View<'_>, y: Scale, ticks: &[(f64, String)], unit: &str) -> Markup {
        html! {
            @if !unit.is_empty() { text.tick x="0" y="12" { (unit) } }
            @for (value, label) in ticks {
                @let place = format!("{:.1}", y.at(*value));
                line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(place) y2=(place) {}
                text.tick.end x=(LEFT - 6.0) y=(place) dy="4" { (label) }
            }
            (self.times(view))
        }
    }

    /// The time axis alone.
    pub(in crate::web) fn times(&self, view: &View<'_>) -> Markup {
        let (x, base) = (self.x(), TOP + self.height);
        let label = |at: Timestamp| {
            let time = view.zone.time(at);
            if time == "00:00" { view.zone.day(at, view.lang) } else { time }
        };
        let inner = time_ticks(view.zone, self.from, self.to, TIMES);
        let inner = inner.into_iter().filter(|at| {
            let place = x.at_time(*at);
            place - x.start > LABEL && x.end - place > LABEL
        });
        html! {
            line.axis x1=(x.start) x2=(x.end) y1=(base) y2=(base) {}
            @for at in inner {
                @let place = format!("{:.1}", x.at_time(at));
                line.grid x1=(place) x2=(place) y1=(base) y2=(base + 5.0) {}
                text.tick.middle x=(place) y=(base + 19.0) { (label(at)) }
            }
            text.tick x=(x.start) y=(base + 19.0) { (view.zone.time(self.from)) }
            text.tick.end x=(x.end) y=(base + 19.0) { (view.zone.time(self.to)) }
        }
    }

    /// A span in which nothing is known.
    pub(in crate::web) fn gap(&self, from: Timestamp, to: Timestamp) -> Markup {
        let (x, begin) = (self.x(), self.x().at_time(from));
        html! { rect.gap x=(format!("{begin:.1}")) y=(TOP) width=(format!("{:.1}", x.at_time(to) - begin)) height=(self.height) {} }
    }
}

/// A line of steps over bins of equal width: unbroken where values are known, and begun anew after a gap. `is_area`: closed down to
/// the axis.
pub(in crate::web) fn steps(
    x: Scale,
    y: Scale,
    bins: &[(Timestamp, Option<f64>)],
    width_ms: i64,
    is_area: bool,
) -> String {
    let mut path = String::new();
    let mut last: Option<f64> = None;
    for (at, value) in bins {
        let (from, to) = (x.at_time(*at), x.at_time(at.plus_ms(width_ms)));
        match value {
            Some(value) => {
                let height = y.at(*value);
                match (last, is_area) {
                    (Some(_), _) => path.push_str(&format!("V{height:.1}")),
                    (None, true) => path.push_str(&format!("M{from:.1},{:.1}V{height:.1}", y.start)),
                    (None, false) => path.push_str(&format!("M{from:.1},{height:.1}")),
                }
                path.push_str(&format!("H{to:.1}"));
                last = Some(to);
            }
            None => {
                if last.take().is_some() && is_area {
                    path.push_str(&format!("V{:.1}Z", y.start));
                }
            }
        }
    }
    if last.is_some() && is_area {
        path.push_str(&format!("V{:.1}Z", y.start));
    }
    path
}

/// Spans of bins without a value.
pub(in crate::web) fn gaps(bins: &[(Timestamp, Option<f64>)], width_ms: i64) -> Vec<(Timestamp, Timestamp)> {
    let mut gaps: Vec<(Timestamp, Timestamp)> = Vec::new();
    for (at, _) in bins.iter().filter(|(_, value)| value.is_none()) {
        let end = at.plus_ms(width_ms);
        match gaps.last_mut() {
            Some((_, last)) if *last == *at => *last = end,
            _ => gaps.push((*at, end)),
        }
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_ms(minutes * 60_000)
    }

    #[test]
    fn a_line_has_no_comb_and_breaks_where_nothing_is_known() {
        let x = Scale { from: 0.0, to: at(5).as_ms() as f64, start: 0.0, end: 50.0 };
        let y = Scale { from: 0.0, to: 10.0, start: 100.0, end: 0.0 };
        let bins = [(at(0), Some(1.0)), (at(1), Some(2.0)), (at(2), None), (at(3), None), (at(4), Some(10.0))];
        assert_eq!(steps(x, y, &bins, 60_000, false), "M0.0,90.0H10.0V80.0H20.0M40.0,0.0H50.0");
        assert_eq!(
            steps(x, y, &bins, 60_000, true),
            "M0.0,100.0V90.0H10.0V80.0H20.0V100.0ZM40.0,100.0V0.0H50.0V100.0Z"
        );
        assert_eq!(gaps(&bins, 60_000), [(at(2), at(4))]);
    }
}
