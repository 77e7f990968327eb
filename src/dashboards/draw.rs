//! The JSON of panels.

use serde_json::{Map, Value, json};

use super::build::{source, uid};
use super::palette::{GOOD, SCHEME, SERIES, UNKNOWN, WARNING};
use super::panel::{Column, Kind, Known, Link, Panel};
use super::query::{Look, Query};
use crate::words::Lang;

/// Names of a panel's queries, in their order.
const IDS: &str = "ABCDEFGHIJKLMNOP";

impl Panel {
    pub(super) fn json(&self, lang: Lang) -> Value {
        let targets = self.queries.iter().zip(IDS.chars()).map(|(query, id)| self.target(query, id, lang));
        let mut value = json!({
            "datasource": source(),
            "description": self.help.pick(lang),
            "fieldConfig": { "defaults": self.defaults(lang), "overrides": self.overrides(lang) },
            "options": self.options(lang),
            "targets": targets.collect::<Vec<_>>(),
            "title": self.title.pick(lang),
            "type": self.kind.as_str(),
        });
        if self.kind == Kind::Heatmap {
            // What is recorded is of five minutes; a finer step would read five times as much and show the same.
            value["interval"] = json!("5m");
        }
        if self.kind.is_rows() {
            value["transformations"] = self.transformations(lang);
        }
        value
    }

    fn target(&self, query: &Query, id: char, lang: Lang) -> Value {
        let is_now = matches!(self.kind, Kind::Stat | Kind::Facts | Kind::Table | Kind::Bars);
        json!({
            "datasource": source(),
            "editorMode": "code",
            "expr": query.expr,
            "format": match self.kind {
                Kind::Table | Kind::Facts => "table",
                Kind::Heatmap if query.is_buckets() => "heatmap",
                _ => "time_series",
            },
            "instant": is_now,
            "legendFormat": query.legend_in(lang),
            "range": !is_now,
            "refId": id.to_string(),
        })
    }

    fn defaults(&self, lang: Lang) -> Value {
        let steps: Vec<_> = self.steps.iter().map(|(value, color)| json!({ "color": color, "value": value })).collect();
        let mut defaults = json!({
            "color": self.color(),
            "custom": self.custom(),
            "noValue": self.none.pick(lang),
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
        // Grafana leaves out the name of a bar that stands alone, unless the panel gives it.
        if let Some(label) = self.named_by {
            defaults["displayName"] = json!(format!("${{__field.labels.{label}}}"));
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

    /// Whether the colours of a stat's numbers mean something.
    fn is_judged(&self) -> bool {
        self.by_value || !self.words.is_empty() || self.queries.iter().any(|query| query.look.color.is_some())
    }

    /// By value where limits are set; by the words' own colours where states are shown, because Grafana merges a state timeline
    /// by its limits where those are asked for, and then knows no words. Everything else is grey until an override says more.
    fn color(&self) -> Value {
        match self.kind {
            Kind::Stat | Kind::Bars if self.by_value || !self.words.is_empty() => json!({ "mode": "thresholds" }),
            _ => json!({ "fixedColor": UNKNOWN, "mode": "fixed" }),
        }
    }

    /// The words of values, and of no value. Without the latter Grafana gives "nothing" the colour of the lowest limit.
    fn mappings(&self, lang: Lang) -> Vec<Value> {
        let mut mappings = Vec::new();
        if !self.words.is_empty() {
            let words = self.words.iter().enumerate().map(|(index, (value, word, color))| {
                (value.to_string(), json!({ "color": color, "index": index, "text": word.pick(lang) }))
            });
            mappings.push(json!({ "options": words.collect::<Map<_, _>>(), "type": "value" }));
        }
        if matches!(self.kind, Kind::Stat | Kind::Facts | Kind::Bars | Kind::Timeline) {
            let result = json!({ "color": UNKNOWN, "index": self.words.len(), "text": self.none.pick(lang) });
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
            Kind::Heatmap | Kind::Stat | Kind::Facts | Kind::Bars => json!({}),
        }
    }

    /// A colour a query, or a series that is known by name; units, words and links of a table's columns.
    fn overrides(&self, lang: Lang) -> Value {
        let is_lines = self.kind == Kind::Graph;
        let by_query = self.queries.iter().zip(IDS.chars()).enumerate().filter_map(|(place, (query, id))| {
            let color = query.look.color.or_else(|| is_lines.then(|| SERIES[place % SERIES.len()]));
            let look = Look { color, ..query.look };
            let properties = look.properties();
            let matcher = json!({ "id": "byFrameRefID", "options": id.to_string() });
            (!properties.is_empty()).then(|| json!({ "matcher": matcher, "properties": properties }))
        });
        let by_name = self.known.iter().map(|known| known.json(lang));
        let by_column = self.columns.iter().map(|column| self.column_json(column, lang));
        by_query.chain(by_name).chain(by_column).collect()
    }

    fn column_json(&self, column: &Column, lang: Lang) -> Value {
        let mut properties = vec![json!({ "id": "unit", "value": column.unit })];
        if self.kind == Kind::Table {
            properties.push(json!({ "id": "custom.minWidth", "value": column.width(lang) }));
        }
        if let Some(link) = self.link.as_ref().filter(|link| link.label == column.field) {
            properties.push(json!({ "id": "links", "value": [link.json(lang, "${__value.text}")] }));
        }
        let mappings = column.mappings(lang);
        if !mappings.is_empty() {
            properties.push(json!({ "id": "mappings", "value": mappings }));
        }
        json!({
            "matcher": { "id": "byName", "options": column.heading.pick(lang) },
            "properties": properties,
        })
    }

    /// Joins the queries' rows, keeps the columns that are described, and names them.
    fn transformations(&self, lang: Lang) -> Value {
        let kept: Vec<&str> = self.columns.iter().map(|column| column.field).collect();
        let order: Map<_, _> =
            kept.iter().enumerate().map(|(index, field)| ((*field).to_owned(), json!(index))).collect();
        let names: Map<_, _> =
            self.columns.iter().map(|column| (column.field.to_owned(), json!(column.heading.pick(lang)))).collect();
        let mut steps = Vec::new();
        if self.queries.len() > 1 {
            let by = self.joined_by.or_else(|| kept.first().copied()).unwrap_or_default();
            steps.push(json!({ "id": "joinByField", "options": { "byField": by, "mode": "outer" } }));
        }
        steps.push(json!({ "id": "filterFieldsByName", "options": { "include": { "names": kept } } }));
        steps.push(json!({ "id": "organize", "options": { "excludeByName": {}, "indexByName": order, "renameByName": names } }));
        Value::Array(steps)
    }

    fn options(&self, lang: Lang) -> Value {
        let fields = if self.kind == Kind::Facts { "/.*/" } else { "" };
        let last = json!({ "calcs": ["lastNotNull"], "fields": fields, "values": false });
        let legend = json!({ "calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": true });
        let tooltip = json!({ "mode": "multi", "sort": "desc" });
        match self.kind {
            Kind::Stat | Kind::Facts => json!({
                // What is neither good nor bad has no colour.
                "colorMode": if self.is_judged() { "background" } else { "none" },
                "graphMode": "none",
                "justifyMode": "center",
                "orientation": "auto",
                "reduceOptions": last,
                "textMode": if self.with_names || self.kind == Kind::Facts { "value_and_name" } else { "auto" },
                "wideLayout": true,
            }),
            Kind::Graph => json!({ "legend": legend, "tooltip": tooltip }),
            Kind::Table => {
                let sort =
                    self.greatest_first.map(|heading| json!({ "desc": true, "displayName": heading.pick(lang) }));
                json!({ "cellHeight": "sm", "frameIndex": 0, "showHeader": true, "sortBy": sort.into_iter().collect::<Vec<_>>() })
            }
            Kind::Bars => json!({
                "displayMode": "basic",
                // A name of its own line above each bar is never cut for the bar's sake.
                "maxVizHeight": 60,
                "minVizHeight": 34,
                "minVizWidth": 8,
                "namePlacement": "top",
                "orientation": "horizontal",
                "reduceOptions": last,
                "showUnfilled": true,
                "sizing": "manual",
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

impl Look {
    fn properties(self) -> Vec<Value> {
        let color = self.color.map(|color| json!({ "id": "color", "value": { "fixedColor": color, "mode": "fixed" } }));
        let dash = || json!({ "id": "custom.lineStyle", "value": { "dash": [10, 10] } });
        let width = || json!({ "id": "custom.lineWidth", "value": 7 });
        color.into_iter().chain(self.dashed.then(dash)).chain(self.wide.then(width)).collect()
    }
}

impl Known {
    fn json(&self, lang: Lang) -> Value {
        let mut properties = vec![json!({ "id": "displayName", "value": self.shown.pick(lang) })];
        properties.extend(self.look.map(Look::properties).unwrap_or_default());
        json!({ "matcher": { "id": "byName", "options": self.name }, "properties": properties })
    }
}

/// Width of a text in a table, in pixels: those of Latin script are about half as wide as those of Japanese.
fn width_of(text: &str) -> usize {
    text.chars().map(|c| if c.is_ascii() { 8 } else { 15 }).sum()
}

impl Column {
    /// Wide enough for the heading with its arrow, and for every word and instant.
    fn width(&self, lang: Lang) -> usize {
        let heading = width_of(self.heading.pick(lang)) + 20;
        let words = self.words.iter().map(|(_, word, _)| width_of(word.pick(lang))).max();
        let seats = self.seats.iter().map(|(_, word)| width_of(word.pick(lang)) + 100).max();
        let unit = match self.unit {
            "dateTimeAsIso" => width_of("2026-11-21 02:00:00"),
            "dthms" => width_of("3 days, 02:00:00"),
            // One word is for the row that stands for all, or for none.
            "none" if self.words.len() <= 1 && !self.field.starts_with("Value") => width_of("2026.11.21+B200"),
            _ => width_of("1,000.00 s"),
        };
        heading.max(words.unwrap_or(0)).max(seats.unwrap_or(0)).max(unit) + 16
    }

    fn mappings(&self, lang: Lang) -> Vec<Value> {
        let mut mappings = Vec::new();
        if !self.words.is_empty() {
            let words = self.words.iter().enumerate().map(|(index, (value, word, color))| {
                (value.clone(), json!({ "color": color, "index": index, "text": word.pick(lang) }))
            });
            mappings.push(json!({ "options": words.collect::<Map<_, _>>(), "type": "value" }));
        }
        for (index, (value, word)) in self.seats.iter().enumerate() {
            let result = json!({ "color": UNKNOWN, "index": index, "text": format!("{} $1", word.pick(lang)) });
            let options = json!({ "pattern": format!("/^{value}@?(.*)$/"), "result": result });
            mappings.push(json!({ "options": options, "type": "regex" }));
        }
        mappings
    }
}

impl Link {
    /// Carries the time range along.
    fn json(&self, lang: Lang, value: &str) -> Value {
        json!({
            "targetBlank": false,
            "title": self.title.pick(lang),
            "url": format!("/d/{}?${{__url_time_range}}&${{datasource:queryparam}}&var-{}={value}", uid(self.to, lang), self.label),
        })
    }
}
