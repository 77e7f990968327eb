//! Panels, described. Their JSON is made by [`draw`](super::draw).

use super::palette::{BAD, GOOD, RANKS, SKY, UNKNOWN, WARNING};
use super::query::{Legend, Look, Query, ranked};
use super::vocabulary::{CLASSES, Named, OTHER};
use crate::words::{Both, say};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Numbers.
    Stat,
    /// Texts: what something is.
    Facts,
    Graph,
    Table,
    Heatmap,
    Bars,
    Timeline,
}

impl Kind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Stat | Self::Facts => "stat",
            Self::Graph => "timeseries",
            Self::Table => "table",
            Self::Heatmap => "heatmap",
            Self::Bars => "bargauge",
            Self::Timeline => "state-timeline",
        }
    }

    /// Whether it is made of rows of labels.
    pub(super) const fn is_rows(self) -> bool {
        matches!(self, Self::Table | Self::Facts)
    }
}

/// One panel.
pub(super) struct Panel {
    pub(super) kind: Kind,
    pub(super) title: Both<&'static str>,
    pub(super) help: Both<&'static str>,
    pub(super) size: (u32, u32),
    pub(super) queries: Vec<Query>,
    pub(super) unit: &'static str,
    pub(super) decimals: Option<u32>,
    pub(super) steps: Vec<(Option<f64>, &'static str)>,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) words: Vec<(f64, Both<&'static str>, &'static str)>,
    /// What is shown where there is no value at all. Its colour is that of what nobody knows.
    pub(super) none: Both<&'static str>,
    /// Series that are known by name: what they are called, and the colour of each.
    pub(super) known: Vec<Known>,
    pub(super) columns: Vec<Column>,
    /// By what the rows of several queries are joined; by the first column where this says nothing.
    pub(super) joined_by: Option<&'static str>,
    pub(super) link: Option<Link>,
    pub(super) stacked: bool,
    /// Whether a number's colour says how bad it is.
    pub(super) by_value: bool,
    pub(super) with_names: bool,
    /// The label that names a bar.
    pub(super) named_by: Option<&'static str>,
    pub(super) greatest_first: Option<Both<&'static str>>,
}

/// A series that is known by name.
pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) shown: Both<&'static str>,
    /// `None`: the colour of its query.
    pub(super) look: Option<Look>,
}

/// A column of a table: the field as the queries name it, its heading, its unit, what its values are called.
pub(super) struct Column {
    pub(super) field: &'static str,
    pub(super) heading: Both<&'static str>,
    pub(super) unit: &'static str,
    pub(super) words: Vec<(String, Both<&'static str>, &'static str)>,
    /// Names of a value's beginning, up to an `@`; what follows it stays.
    pub(super) seats: Vec<Named>,
}

/// A way to another dashboard, with the value of a label as its variable.
pub(super) struct Link {
    pub(super) to: &'static str,
    pub(super) label: &'static str,
    pub(super) title: Both<&'static str>,
}

impl Panel {
    fn new(kind: Kind, title: Both<&'static str>, help: Both<&'static str>, size: (u32, u32)) -> Self {
        Self {
            kind,
            title,
            help,
            size,
            queries: Vec::new(),
            unit: "short",
            decimals: None,
            steps: vec![(None, GOOD)],
            min: None,
            max: None,
            words: Vec::new(),
            none: say("no answer from fleetwatch", "fleetwatchの応答なし"),
            known: Vec::new(),
            columns: Vec::new(),
            joined_by: None,
            link: None,
            stacked: false,
            by_value: false,
            with_names: false,
            named_by: None,
            greatest_first: None,
        }
    }

    /// One big figure, or a few.
    pub(super) fn stat(title: Both<&'static str>, help: Both<&'static str>) -> Self {
        Self::new(Kind::Stat, title, help, (6, 5))
    }

    /// What something is: the labels of a query's one series, described as columns.
    pub(super) fn facts(title: Both<&'static str>, help: Both<&'static str>) -> Self {
        Self::new(Kind::Facts, title, help, (6, 5))
    }

    /// Lines over time.
    pub(super) fn graph(title: Both<&'static str>, help: Both<&'static str>) -> Self {
        Self::new(Kind::Graph, title, help, (12, 8))
    }

    /// Rows of the present.
    pub(super) fn table(title: Both<&'static str>, help: Both<&'static str>) -> Self {
        Self::new(Kind::Table, title, help, (24, 9))
    }

    /// Colours over time. The queries' rows are `le` buckets, or one row a series.
    pub(super) fn heatmap(title: Both<&'static str>, help: Both<&'static str>) -> Self {
        Self::new(Kind::Heatmap, title, help, (12, 9))
    }

    /// Horizontal bars of the present, one a value of the label.
    pub(super) fn bars(title: Both<&'static str>, help: Both<&'static str>, label: &'static str) -> Self {
        let bars = Self { by_value: true, named_by: Some(label), ..Self::new(Kind::Bars, title, help, (8, 13)) };
        bars.known(&[OTHER])
    }

    /// States over time. Its first query should end with [`otherwise`].
    pub(super) fn timeline(title: Both<&'static str>, help: Both<&'static str>) -> Self {
        Self::new(Kind::Timeline, title, help, (24, 6))
    }

    /// A query whose series are called by their labels.
    pub(super) fn query(mut self, expr: impl Into<String>, legend: impl Into<String>) -> Self {
        self.queries.push(Query::new(expr, Legend::Labels(legend.into())));
        self
    }

    /// A query whose one series is called by a word.
    pub(super) fn named(mut self, expr: impl Into<String>, name: Both<&'static str>) -> Self {
        self.queries.push(Query::new(expr, Legend::Word(name)));
        self
    }

    /// Of `series` those few whose `order` is greatest in the whole range, by the value of `label`; the greatest first.
    pub(super) fn greatest(self, series: &str, order: &str, label: &'static str) -> Self {
        let ranks = RANKS.iter().zip(1..);
        let panel = ranks.fold(self, |panel, (color, k)| {
            panel.query(ranked(series, order, label, k), format!("{{{{{label}}}}}")).coloured(color)
        });
        panel.known(&[OTHER])
    }

    /// The last query's series have this colour whatever they say.
    pub(super) fn coloured(self, color: &'static str) -> Self {
        self.look(|look| look.color = Some(color))
    }

    /// The last query's series are dashed.
    pub(super) fn dashed(self) -> Self {
        self.look(|look| look.dashed = true)
    }

    /// The last query's series are wide; what comes after lies on them.
    pub(super) fn wide(self) -> Self {
        self.look(|look| look.wide = true)
    }

    fn look(mut self, change: impl FnOnce(&mut Look)) -> Self {
        if let Some(query) = self.queries.last_mut() {
            change(&mut query.look);
        }
        self
    }

    /// Names of series whose colour is that of their query.
    pub(super) fn known(mut self, names: &[Named]) -> Self {
        self.known.extend(names.iter().map(|&(name, shown)| Known { name, shown, look: None }));
        self
    }

    /// Names of series, each with a colour of its own.
    pub(super) fn each(mut self, names: &[Named]) -> Self {
        let colors = super::palette::SERIES.into_iter();
        self.known.extend(names.iter().zip(colors).map(|(&(name, shown), color)| {
            let look = Look { color: Some(color), dashed: color == super::palette::GREY, wide: false };
            Known { name, shown, look: Some(look) }
        }));
        self
    }

    /// A series a traffic class.
    pub(super) fn classes(self) -> Self {
        self.each(&CLASSES)
    }

    pub(super) fn sized(mut self, w: u32, h: u32) -> Self {
        self.size = (w, h);
        self
    }

    pub(super) fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    pub(super) fn decimals(mut self, decimals: u32) -> Self {
        self.decimals = Some(decimals);
        self
    }

    /// Good below the first limit, a warning from it on, bad from the second on.
    pub(super) fn limits(self, warning: f64, bad: f64) -> Self {
        self.steps(vec![(None, GOOD), (Some(warning), WARNING), (Some(bad), BAD)])
    }

    pub(super) fn steps(mut self, steps: Vec<(Option<f64>, &'static str)>) -> Self {
        self.steps = steps;
        self.by_value = true;
        self
    }

    pub(super) fn range(mut self, min: f64, max: Option<f64>) -> Self {
        (self.min, self.max) = (Some(min), max);
        self
    }

    /// What a value is called, and its colour.
    pub(super) fn word(mut self, value: f64, word: Both<&'static str>, color: &'static str) -> Self {
        self.words.push((value, word, color));
        self
    }

    /// The words of a verdict.
    pub(super) fn verdicts(self) -> Self {
        VERDICTS.iter().fold(self, |panel, &(value, word, color)| panel.word(value, word, color))
    }

    /// What is shown where there is no value: a query that answers has a value for "none".
    pub(super) fn none(mut self, none: Both<&'static str>) -> Self {
        self.none = none;
        self
    }

    pub(super) fn column(mut self, field: &'static str, heading: Both<&'static str>, unit: &'static str) -> Self {
        self.columns.push(Column { field, heading, unit, words: Vec::new(), seats: Vec::new() });
        self
    }

    /// What a value of the last column is called.
    pub(super) fn called(mut self, value: &str, word: Both<&'static str>, color: &'static str) -> Self {
        if let Some(column) = self.columns.last_mut() {
            column.words.push((value.to_owned(), word, color));
        }
        self
    }

    /// What the values of the last column are called.
    pub(super) fn all_called(self, names: &[Named]) -> Self {
        names.iter().fold(self, |panel, (value, word)| panel.called(value, *word, UNKNOWN))
    }

    /// What the last column's values begin with is called.
    pub(super) fn seats(mut self, names: Vec<Named>) -> Self {
        if let Some(column) = self.columns.last_mut() {
            column.seats = names;
        }
        self
    }

    /// The rows of several queries are joined by this field, whether it is a column or not.
    pub(super) fn joined_by(mut self, field: &'static str) -> Self {
        self.joined_by = Some(field);
        self
    }

    /// Shows each series' name beside its value.
    pub(super) fn with_names(mut self) -> Self {
        self.with_names = true;
        self
    }

    /// Leads to a dashboard with the label's value as the variable of the same name.
    pub(super) fn link(mut self, to: &'static str, label: &'static str, title: Both<&'static str>) -> Self {
        self.link = Some(Link { to, label, title });
        self
    }

    pub(super) fn stacked(mut self) -> Self {
        self.stacked = true;
        self
    }

    /// The column by which a table's rows stand, the greatest first.
    pub(super) fn greatest_first(mut self, heading: Both<&'static str>) -> Self {
        self.greatest_first = Some(heading);
        self
    }

    pub(super) const fn size(&self) -> (u32, u32) {
        self.size
    }
}

/// What a verdict is called.
pub(super) const VERDICTS: [(f64, Both<&'static str>, &str); 4] = [
    (0.0, say("unknown", "不明"), UNKNOWN),
    (1.0, say("undecided", "判定不能"), SKY),
    (2.0, say("healthy", "正常"), GOOD),
    (3.0, say("degraded", "品質低下"), BAD),
];

/// What a timeline shows where `expr` says nothing: `value`, for which it has a word. Grafana would complain of the data. Of one series
/// without labels it goes on in the same row.
pub(super) fn otherwise(expr: &str, value: f64) -> String {
    format!("({expr}) or on () vector({value})")
}
