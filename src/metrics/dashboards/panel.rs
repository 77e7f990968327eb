//! Panels: from a description to Grafana's JSON.

use serde_json::{Map, Value, json};

use super::build::{source, uid};
use super::palette::{BAD, CONTINUOUS, GOOD, SCHEME, SERIES, UNKNOWN, WARNING};
use super::query::{Legend, Query};
use super::words::{Lang, Say, say};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Stat,
    Graph,
    Table,
    Heatmap,
    Bars,
    Timeline,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Stat => "stat",
            Self::Graph => "timeseries",
            Self::Table => "table",
            Self::Heatmap => "heatmap",
            Self::Bars => "bargauge",
            Self::Timeline => "state-timeline",
        }
    }
}

/// One panel.
pub(super) struct Panel {
    kind: Kind,
    title: Say,
    help: Say,
    size: (u32, u32),
    queries: Vec<Query>,
    unit: &'static str,
    decimals: Option<u32>,
    steps: Vec<(Option<f64>, &'static str)>,
    min: Option<f64>,
    max: Option<f64>,
    words: Vec<(f64, Say, &'static str)>,
    /// What is shown where there is no value at all, and its colour.
    none: (Say, &'static str),
    /// Colours of single queries, by their place.
    own_colors: Vec<(usize, &'static str)>,
    columns: Vec<Column>,
    link: Option<Link>,
    stacked: bool,
    by_value: bool,
    names_only: bool,
    with_names: bool,
    greatest_first: Option<Say>,
}

/// A column of a table: the field as the queries name it, its heading, its unit.
struct Column {
    field: &'static str,
    heading: Say,
    unit: &'static str,
    /// What one text of it is called.
    word: Option<(&'static str, Say)>,
}

/// A way to another dashboard, with the value of a label as its variable.
struct Link {
    to: &'static str,
    label: &'static str,
    title: Say,
}

impl Panel {
    fn new(kind: Kind, title: Say, help: Say, size: (u32, u32)) -> Self {
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
            none: (say("no data", "データなし"), UNKNOWN),
            own_colors: Vec::new(),
            columns: Vec::new(),
            link: None,
            stacked: false,
            by_value: false,
            names_only: false,
            with_names: false,
            greatest_first: None,
        }
    }

    /// One big figure, or a few.
    pub(super) fn stat(title: Say, help: Say) -> Self {
        Self::new(Kind::Stat, title, help, (6, 5))
    }

    /// Lines over time.
    pub(super) fn graph(title: Say, help: Say) -> Self {
        Self::new(Kind::Graph, title, help, (12, 8))
    }

    /// Rows of the present; the queries are joined by the first column.
    pub(super) fn table(title: Say, help: Say) -> Self {
        Self::new(Kind::Table, title, help, (24, 9))
    }

    /// Colours over time. The queries' rows are `le` buckets, or one row a series.
    pub(super) fn heatmap(title: Say, help: Say) -> Self {
        Self::new(Kind::Heatmap, title, help, (12, 9))
    }

    /// Horizontal bars of the present.
    pub(super) fn bars(title: Say, help: Say) -> Self {
        Self { by_value: true, ..Self::new(Kind::Bars, title, help, (8, 9)) }
    }

    /// States over time.
    pub(super) fn timeline(title: Say, help: Say) -> Self {
        Self::new(Kind::Timeline, title, help, (24, 6))
    }

    pub(super) fn query(mut self, expr: impl Into<String>, legend: impl Into<String>) -> Self {
        self.queries.push(Query { expr: expr.into(), legend: Legend::Labels(legend.into()) });
        self
    }

    /// A query whose one series is called by a word.
    pub(super) fn named(mut self, expr: impl Into<String>, name: Say) -> Self {
        self.queries.push(Query { expr: expr.into(), legend: Legend::Word(name) });
        self
    }

    /// The last query's series have this colour whatever they say.
    pub(super) fn coloured(mut self, color: &'static str) -> Self {
        self.own_colors.push((self.queries.len() - 1, color));
        self
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
    pub(super) fn word(mut self, value: f64, word: Say, color: &'static str) -> Self {
        self.words.push((value, word, color));
        self
    }

    /// The words of a verdict.
    pub(super) fn verdicts(self) -> Self {
        self.word(0.0, say("unknown", "不明"), UNKNOWN)
            .word(1.0, say("undecided", "判定できず"), super::palette::SKY)
            .word(2.0, say("healthy", "正常"), GOOD)
            .word(3.0, say("degraded", "品質低下"), BAD)
    }

    /// What is shown where there is no value. Its colour is that of what nobody knows: a query that answers has a value for "none".
    pub(super) fn none(mut self, none: Say) -> Self {
        self.none.0 = none;
        self
    }

    pub(super) fn column(mut self, field: &'static str, heading: Say, unit: &'static str) -> Self {
        self.columns.push(Column { field, heading, unit, word: None });
        self
    }

    /// What the text `value` of the last column is called.
    pub(super) fn called(mut self, value: &'static str, word: Say) -> Self {
        if let Some(column) = self.columns.last_mut() {
            column.word = Some((value, word));
        }
        self
    }

    /// Shows each series' name beside its value.
    pub(super) fn with_names(mut self) -> Self {
        self.with_names = true;
        self
    }

    /// Leads to a dashboard with the label's value as the variable of the same name.
    pub(super) fn link(mut self, to: &'static str, label: &'static str, title: Say) -> Self {
        self.link = Some(Link { to, label, title });
        self
    }

    pub(super) fn stacked(mut self) -> Self {
        self.stacked = true;
        self
    }

    /// Shows the series' names and not their value, which is always 1.
    pub(super) fn names_only(mut self) -> Self {
        self.names_only = true;
        self
    }

    /// The column by which a table's rows stand, the greatest first.
    pub(super) fn greatest_first(mut self, heading: Say) -> Self {
        self.greatest_first = Some(heading);
        self
    }

    pub(super) const fn size(&self) -> (u32, u32) {
        self.size
    }

    pub(super) fn json(&self, lang: Lang) -> Value {
        let mut value = json!({
            "datasource": source(),
            "description": self.help.in_lang(lang),
            "fieldConfig": { "defaults": self.defaults(lang), "overrides": self.overrides(lang) },
            "options": self.options(lang),
            "targets": self.queries.iter().zip("ABCDEFGHIJ".chars()).map(|(query, id)| self.target((query, id), lang)).collect::<Vec<_>>(),
            "title": self.title.in_lang(lang),
            "type": self.kind.as_str(),
        });
        if self.kind == Kind::Heatmap {
            // What is recorded is of five minutes; a finer step would read five times as much and show the same.
            value["interval"] = json!("5m");
        }
        if self.kind == Kind::Table {
            value["transformations"] = self.transformations(lang);
        }
        value
    }

    fn target(&self, (query, id): (&Query, char), lang: Lang) -> Value {
        let is_now = matches!(self.kind, Kind::Table | Kind::Stat | Kind::Bars);
        let is_buckets = self.kind == Kind::Heatmap && query.is_buckets();
        let legend = match &query.legend {
            Legend::Labels(labels) => labels,
            Legend::Word(word) => word.in_lang(lang),
        };
        json!({
            "datasource": source(),
            "editorMode": "code",
            "expr": query.expr,
            "format": match self.kind {
                Kind::Table => "table",
                Kind::Heatmap if is_buckets => "heatmap",
                _ => "time_series",
            },
            "instant": is_now,
            "legendFormat": legend,
            "range": !is_now,
            "refId": id.to_string(),
        })
    }

    fn defaults(&self, lang: Lang) -> Value {
        let steps: Vec<_> = self.steps.iter().map(|(value, color)| json!({ "color": color, "value": value })).collect();
        let mut defaults = json!({
            "color": self.color(),
            "custom": self.custom(),
            "noValue": self.none.0.in_lang(lang),
            "thresholds": { "mode": "absolute", "steps": steps },
            "unit": self.unit,
        });
        if let Some(decimals) = self.decimals {
            defaults["decimals"] = json!(decimals);
        }
        if let Some(min) = self.min {
            defaults["min"] = json!(min);
        }
        if let Some(max) = self.max {
            defaults["max"] = json!(max);
        }
        let mappings = self.mappings(lang);
        if !mappings.is_empty() {
            defaults["mappings"] = json!(mappings);
        }
        if let Some(link) = self.link.as_ref().filter(|_| self.kind != Kind::Table) {
            defaults["links"] = json!([link.json(lang, &format!("${{__field.labels.{}}}", link.label))]);
        }
        defaults
    }

    /// By value where limits are set; by the words' own colours where states are shown, because Grafana merges a state timeline
    /// by its limits where those are asked for, and then knows no words.
    fn color(&self) -> Value {
        match self.kind {
            Kind::Timeline => json!({ "fixedColor": UNKNOWN, "mode": "fixed" }),
            _ if self.by_value || !self.words.is_empty() => json!({ "mode": "thresholds" }),
            Kind::Graph => json!({ "mode": CONTINUOUS, "seriesBy": "last" }),
            _ => json!({ "mode": CONTINUOUS }),
        }
    }

    /// The words of values, and of no value. Without the latter Grafana gives "nothing" the colour of the lowest limit.
    fn mappings(&self, lang: Lang) -> Vec<Value> {
        let mut mappings = Vec::new();
        if !self.words.is_empty() {
            let words = self.words.iter().enumerate().map(|(index, (value, word, color))| {
                (value.to_string(), json!({ "color": color, "index": index, "text": word.in_lang(lang) }))
            });
            mappings.push(json!({ "options": words.collect::<Map<_, _>>(), "type": "value" }));
        }
        if matches!(self.kind, Kind::Stat | Kind::Bars | Kind::Timeline) {
            let (word, color) = self.none;
            let result = json!({ "color": color, "index": self.words.len(), "text": word.in_lang(lang) });
            mappings.push(json!({ "options": { "match": "null+nan", "result": result }, "type": "special" }));
        }
        mappings
    }

    fn custom(&self) -> Value {
        match self.kind {
            Kind::Graph => json!({
                "drawStyle": "line",
                "fillOpacity": if self.stacked { 60 } else { 0 },
                "lineInterpolation": "linear",
                "lineWidth": if self.stacked { 1 } else { 2 },
                "showPoints": "never",
                // A gap is a gap: nobody knows what was in it.
                "spanNulls": false,
                "stacking": { "group": "A", "mode": if self.stacked { "normal" } else { "none" } },
            }),
            Kind::Timeline => json!({ "fillOpacity": 80, "lineWidth": 0 }),
            Kind::Table => json!({ "align": "auto", "inspect": false }),
            Kind::Heatmap | Kind::Stat | Kind::Bars => json!({}),
        }
    }

    /// One colour a query, when a panel has several; units and links of a table's columns.
    fn overrides(&self, lang: Lang) -> Value {
        let fixed = |color: &str, id: char| {
            json!({
                "matcher": { "id": "byFrameRefID", "options": id.to_string() },
                "properties": [{ "id": "color", "value": { "fixedColor": color, "mode": "fixed" } }],
            })
        };
        if self.kind == Kind::Graph && !self.by_value && self.words.is_empty() && self.queries.len() > 1 {
            let series = SERIES.iter().zip("ABCDEFGH".chars()).take(self.queries.len());
            return series.map(|(color, id)| fixed(color, id)).collect();
        }
        let ids: Vec<char> = "ABCDEFGHIJ".chars().collect();
        let own = self.own_colors.iter().map(|(place, color)| fixed(color, ids[*place]));
        let column = |column: &Column| {
            let mut properties = vec![json!({ "id": "unit", "value": column.unit })];
            if let Some(link) = self.link.as_ref().filter(|link| link.label == column.field) {
                properties.push(json!({ "id": "links", "value": [link.json(lang, "${__value.text}")] }));
            }
            if let Some((text, word)) = &column.word {
                let result = json!({ "color": GOOD, "index": 0, "text": word.in_lang(lang) });
                let mapping = json!({ "options": { (*text): result }, "type": "value" });
                properties.push(json!({ "id": "mappings", "value": [mapping] }));
            }
            json!({
                "matcher": { "id": "byName", "options": column.heading.in_lang(lang) },
                "properties": properties,
            })
        };
        own.chain(self.columns.iter().map(column)).collect()
    }

    /// Joins the queries' rows by the first column, keeps the columns that are described, and names them.
    fn transformations(&self, lang: Lang) -> Value {
        let kept: Vec<&str> = self.columns.iter().map(|column| column.field).collect();
        let order: Map<_, _> =
            kept.iter().enumerate().map(|(index, field)| ((*field).to_owned(), json!(index))).collect();
        let names: Map<_, _> =
            self.columns.iter().map(|column| (column.field.to_owned(), json!(column.heading.in_lang(lang)))).collect();
        let mut steps = Vec::new();
        if self.queries.len() > 1 {
            let by = kept.first().copied().unwrap_or_default();
            steps.push(json!({ "id": "joinByField", "options": { "byField": by, "mode": "outer" } }));
        }
        steps.push(json!({ "id": "filterFieldsByName", "options": { "include": { "names": kept } } }));
        steps.push(json!({ "id": "organize", "options": { "excludeByName": {}, "indexByName": order, "renameByName": names } }));
        Value::Array(steps)
    }

    fn options(&self, lang: Lang) -> Value {
        let last = json!({ "calcs": ["lastNotNull"], "fields": "", "values": false });
        let legend = json!({ "calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": true });
        let tooltip = json!({ "mode": "multi", "sort": "desc" });
        match self.kind {
            Kind::Stat => json!({
                "colorMode": "background",
                "graphMode": "none",
                "justifyMode": "center",
                "orientation": "auto",
                "reduceOptions": last,
                "textMode": if self.names_only { "name" } else if self.with_names { "value_and_name" } else { "auto" },
                "wideLayout": true,
            }),
            Kind::Graph => json!({ "legend": legend, "tooltip": tooltip }),
            Kind::Table => {
                let sort =
                    self.greatest_first.map(|heading| json!({ "desc": true, "displayName": heading.in_lang(lang) }));
                json!({ "cellHeight": "sm", "frameIndex": 0, "showHeader": true, "sortBy": sort.into_iter().collect::<Vec<_>>() })
            }
            Kind::Bars => json!({
                "displayMode": "basic",
                "minVizHeight": 12,
                "minVizWidth": 8,
                "namePlacement": "left",
                "orientation": "horizontal",
                "reduceOptions": last,
                "showUnfilled": true,
                "sizing": "auto",
                "valueMode": "text",
            }),
            Kind::Timeline => json!({
                "alignValue": "left",
                "legend": legend,
                "mergeValues": true,
                "rowHeight": 0.9,
                "showValue": "auto",
                "tooltip": { "mode": "single", "sort": "none" },
            }),
            Kind::Heatmap => self.heatmap_options(),
        }
    }

    fn heatmap_options(&self) -> Value {
        json!({
            "calculate": false,
            "cellGap": 1,
            "cellValues": { "unit": self.unit },
            "color": { "exponent": 0.5, "fill": GOOD, "mode": "scheme", "reverse": false, "scale": "exponential", "scheme": SCHEME, "steps": 32 },
            "exemplars": { "color": WARNING },
            "filterValues": { "le": 1e-9 },
            "legend": { "show": true },
            "rowsFrame": { "layout": "auto" },
            "showValue": "never",
            "tooltip": { "mode": "single", "showColorScale": true, "yHistogram": false },
            "yAxis": {
                "axisPlacement": "left",
                "reverse": false,
                "unit": if self.queries.iter().any(Query::is_buckets) { "s" } else { "short" },
            },
        })
    }
}

impl Link {
    /// Carries the time range along.
    fn json(&self, lang: Lang, value: &str) -> Value {
        json!({
            "targetBlank": false,
            "title": self.title.in_lang(lang),
            "url": format!("/d/{}?${{__url_time_range}}&${{datasource:queryparam}}&var-{}={value}", uid(self.to, lang), self.label),
        })
    }
}
